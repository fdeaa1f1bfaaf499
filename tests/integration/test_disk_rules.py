"""How finished files are put on the disk: blocks, time and permissions, from a real nginx."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

from tests.hostile.content import content
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.waiting import until

MIB = 1 << 20
LONG_AGO = 1_500_000_000


class DiskRulesTests(IntegrationCase):
    """The section ``downloads.disk``."""

    def setUp(self) -> None:
        """An nginx with a file that was changed long ago."""
        self.root = self.make_directory()
        (self.root / "f.bin").write_bytes(content(1, 0, 8 * MIB))
        os.utime(self.root / "f.bin", (LONG_AGO, LONG_AGO))
        self.nginx = self.make_nginx(self.root)

    def start(self, **disk: Any) -> None:
        """A daemon with these rules."""
        downloads = {"disk": disk, "retry": FAST_RETRY, "stall_timeout": "30s"}
        self.daemon = self.make_daemon({"downloads": downloads}).start()

    def fetch(self, **wishes: Any) -> Path:
        """The finished file."""
        job = self.daemon.api.add(self.nginx.url("f.bin"), **wishes)
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, 8 * MIB)
        return Path(done["path"])

    def test_as_told(self) -> None:
        """The origin's time, and permissions that the umask would not leave."""
        self.start(file_time="origin", file_mode="0604")
        found = self.fetch().stat()
        self.assertEqual((found.st_mtime, stat.S_IMODE(found.st_mode)), (LONG_AGO, 0o604))

    def test_by_default(self) -> None:
        """The time of its completion, and what the umask leaves."""
        self.start()
        found = self.fetch().stat()
        self.assertGreater(found.st_mtime, LONG_AGO + 1e6)
        mask = os.umask(0)
        os.umask(mask)
        self.assertEqual(stat.S_IMODE(found.st_mode), 0o666 & ~mask)

    def test_preallocation(self) -> None:
        """With falloc all blocks are there when few octets are; with none they are not."""
        blocks = {}
        for kind in ("falloc", "none"):
            self.start(preallocation=kind)
            job = self.daemon.api.add(self.nginx.url("f.bin"), rate_limit=MIB // 4, segments=1)
            part = self.daemon.downloads / "f.bin.part"
            until(lambda part=part: part.exists() and part.stat().st_blocks > 0, "it has begun")
            self.daemon.api.wait_received(job["id"], 1)
            blocks[kind] = part.stat().st_blocks * 512
            self.daemon.close()
        self.assertGreaterEqual(blocks["falloc"], 8 * MIB)
        self.assertLess(blocks["none"], 8 * MIB)

    def test_keep_free(self) -> None:
        """What shall stay free for others is not taken: the job waits, and says why."""
        free = os.statvfs(self.root)
        self.start(keep_free=free.f_bavail * free.f_frsize * 2)
        job = self.daemon.api.add(self.nginx.url("f.bin"))

        def waits() -> bool:
            told = self.daemon.api.job(job["id"])
            return told["state"] == "waiting" and told["error"]["code"] == "no-space"

        until(waits, "the job waits for room")
        self.assertFalse((self.daemon.downloads / "f.bin").exists())

    def test_taken_name(self) -> None:
        """Renamed by default, replaced or refused as the job says."""
        self.start()
        (self.daemon.downloads / "f.bin").write_bytes(b"mine")
        self.assertNotEqual(self.fetch().name, "f.bin")
        self.assertEqual((self.daemon.downloads / "f.bin").read_bytes(), b"mine")
        job = self.daemon.api.add(self.nginx.url("f.bin"), on_conflict="fail")
        failed = self.daemon.api.wait_for(job["id"], "failed")
        self.assertEqual(failed["error"]["code"], "name-taken")
        self.assertEqual(self.fetch(on_conflict="overwrite").name, "f.bin")
