"""A watch folder of a real daemon, and what is dropped into it."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

from tests.integration.case import IntegrationCase
from tests.integration.waiting import until

SIZE = 1 << 16


class WatchFolderTests(IntegrationCase):
    """Files that become jobs, or not."""

    def start(self, **watch: Any) -> None:
        """An origin, and a daemon that watches."""
        self.origin = self.make_origin()
        self.folder = self.make_directory() / "dropped"
        section = {"directory": str(self.folder), **watch}
        self.daemon = self.make_daemon({"downloads": {"watch": section}}).start()
        until(self.folder.is_dir, "the folder is made")

    def drop(self, name: str, text: str) -> Path:
        """A file that was written long ago."""
        part = self.folder / f"{name}.new"
        part.write_text(text)
        os.utime(part, (time.time() - 60,) * 2)
        return part.rename(self.folder / name)

    def names(self) -> list[str]:
        """What is in the folder."""
        return sorted(path.name for path in self.folder.iterdir())

    def test_jobs(self) -> None:
        """A list and a metalink are fetched, and are gone then."""
        self.start()
        self.drop("l.txt", f"{self.origin.url(f'/a.bin?size={SIZE}')}\n  out=x.bin\n")
        url = self.origin.url(f"/b.bin?size={SIZE}")
        self.drop(
            "l.meta4",
            '<metalink xmlns="urn:ietf:params:xml:ns:metalink"><file name="y.bin">'
            f"<url>{url}</url></file></metalink>",
        )
        until(lambda: self.names() == [], "both files are taken")
        jobs = [self.daemon.api.wait_for(j["id"], "complete") for j in self.daemon.api.jobs()]
        self.assertEqual({job["filename"] for job in jobs}, {"x.bin", "y.bin"})
        for job in jobs:
            self.assert_file(job["path"], 1, SIZE)

    def test_broken(self) -> None:
        """A broken file stays, with the reason beside it, until it is mended; then both go."""
        self.start(done="rename")
        self.drop("l.txt", "http://h/a\n  owt=x\n")
        error = self.folder / "l.txt.error"
        until(lambda: error.exists() and error.read_text() != "", "it is told why")
        self.assertIn("l.txt:2: unknown option", error.read_text())
        self.assertEqual(self.daemon.api.jobs(), [])
        self.drop("l.txt", f"{self.origin.url(f'/c.bin?size={SIZE}')}\n")
        until(lambda: self.names() == ["l.txt.done"], "it is taken")
        self.assertEqual(len(self.daemon.api.jobs()), 1)

    def test_another_folder(self) -> None:
        """A reload has another folder watched, and the former one no more; or none at all."""
        self.start()
        former, self.folder = self.folder, self.make_directory()
        downloads = {"watch": {"directory": str(self.folder)}}
        self.daemon.configure({"downloads": downloads})
        reply = self.daemon.api.request("POST", "/api/v1/reload")
        self.assertEqual(
            (reply.status, reply.json["changed"]), (200, ["downloads.watch.directory"])
        )
        (former / "old.txt").write_text("http://127.0.0.1:1/old\n")
        self.drop("new.txt", "http://127.0.0.1:1/new\n")
        until(lambda: self.names() == [], "the new folder is watched")
        self.assertEqual([path.name for path in former.iterdir()], ["old.txt"])
        self.daemon.configure({})
        self.assertEqual(self.daemon.api.request("POST", "/api/v1/reload").status, 200)
        self.drop("later.txt", "http://127.0.0.1:1/later\n")
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertEqual(self.names(), ["later.txt"])

    def test_still_written(self) -> None:
        """A file is left alone until nobody has written to it for a while."""
        self.start()
        file = self.folder / "l.txt"
        begun = time.monotonic()
        file.write_text(f"{self.origin.url(f'/d.bin?size={SIZE}')}\n")
        until(lambda: self.names() == [], "it is taken")
        self.assertGreater(time.monotonic() - begun, 1.9)
        self.assertEqual(len(self.daemon.api.jobs()), 1)
