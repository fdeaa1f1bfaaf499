"""Mirrors of folders that real servers list."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

from tests.integration.api import Job
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.nginx import Nginx
from tests.integration.waiting import until

TREE = {"a.txt": b"first", "b c.bin": b"x" * 70_000, "sub/inner #1.txt": b"deeper", "sub/z": b""}


def lay(root: Path, files: dict[str, bytes]) -> None:
    """Write *files* below *root*."""
    for name, octets in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(octets)


def tree_of(root: Path) -> dict[str, bytes]:
    """The files below *root*."""
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*") if p.is_file()}


class MirrorCase(IntegrationCase):
    """Has a folder, and a daemon."""

    def setUp(self) -> None:
        """The folder is served by whom a test likes."""
        self.root = self.make_directory()
        lay(self.root / "pub", TREE)
        self.daemon = self.make_daemon({"downloads": {"retry": FAST_RETRY}}).start()
        self.api = self.daemon.api

    def mirror(self, url: str, **wishes: object) -> Job:
        """A mirror after its first round, in a repeated form that can be told to go again."""
        wishes.setdefault("repeat", {"every": 3600})
        job = self.api.add(url, kind="mirror", **wishes)
        return self.ended(job)

    def again(self, job: Job) -> Job:
        """The mirror after one more round."""
        self.assertEqual(self.api.act(job["id"], "retry").status, 200)
        return self.ended(job)

    def ended(self, job: Job) -> Job:
        """The mirror when its round is over."""
        before = job["mirror"]["round"] and job["mirror"]["round"]["began"]

        def over() -> Job | None:
            now = self.api.job(job["id"])
            told = now["mirror"]["round"]
            fresh = told is not None and told["ended"] is not None and told["began"] != before
            return now if fresh and now["state"] in ("waiting", "complete", "failed") else None

        return until(over, "the round is over")

    def counts(self, job: Job) -> dict[str, Any]:
        """What is not nought in the latest round."""
        told = job["mirror"]["round"]
        return {name: n for name, n in told.items() if n and name not in ("began", "ended")}


class NginxTests(MirrorCase):
    """A folder that nginx lists."""

    def setUp(self) -> None:
        """An nginx that lists."""
        super().setUp()
        self.nginx = self.make_nginx(self.root, more="autoindex on;")

    def asked(self, since: int = 0) -> Counter[tuple[str, str]]:
        """Path and status of what nginx was asked."""
        return asked_of(self.nginx, since)

    def test_rounds(self) -> None:
        """All arrive; unchanged ones cost one 304 each; a changed one alone is fetched."""
        job = self.mirror(self.nginx.url("pub/"))
        here = Path(job["directory"])
        self.assertEqual(tree_of(here), TREE)
        self.assertEqual(self.counts(job), {"folders": 2, "found": 4, "fetched": 4})
        before = len(self.nginx.served())
        inodes = {path.stat().st_ino for path in here.rglob("*")}
        job = self.again(job)
        self.assertEqual(self.counts(job), {"folders": 2, "found": 4, "unchanged": 4})
        self.assertEqual({path.stat().st_ino for path in here.rglob("*")}, inodes)
        until(lambda: len(self.nginx.served()) == before + 6, "six requests are logged")
        statuses = Counter(status for _, status in self.asked(before).elements())
        self.assertEqual(statuses, {"304": 4, "200": 2})
        changed = {"a.txt": b"other", "new/file": b"new"}
        lay(self.root / "pub", changed)
        os.utime(self.root / "pub" / "a.txt", (1_700_000_000,) * 2)
        job = self.again(job)
        counts = {"folders": 3, "found": 5, "unchanged": 3, "fetched": 2}
        self.assertEqual(self.counts(job), counts)
        self.assertEqual(tree_of(here), {**TREE, **changed})


def asked_of(nginx: Nginx, since: int = 0) -> Counter[tuple[str, str]]:
    """Path and status of what *nginx* was asked."""
    lines = [line.split('"') for line in nginx.served()[since:]]
    return Counter((parts[1].split()[1], parts[2].split()[0]) for parts in lines)
