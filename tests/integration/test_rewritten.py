"""
A file that is written anew behind nginx with its old size and time, while a job is stopped.

Its tag, its date and its length stay as they were; what comes of it is the new file, whole.
"""

from __future__ import annotations

import os
import re

from tests.hostile import write_content
from tests.integration.api import Job
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.waiting import until

MIB = 1 << 20
SIZE = 12 * MIB
CONNECTIONS = 4
MOST = 64 * 1024
"""Octets that a resume compares, by default."""
AGAIN = SIZE // 2
"""Octets that may cross the wire twice for other reasons: the tail is raced for, buffers fill."""
_SENT = re.compile(r'" 20[06] (\d+) ')


class RewrittenTests(IntegrationCase):
    """nginx, and a daemon that has a part of its file."""

    def setUp(self) -> None:
        root = self.make_directory()
        root.chmod(0o755)
        self.file = root / "f.bin"
        write_content(self.file, 1, SIZE)
        self.nginx = self.make_nginx(root, rate=MIB // 4)
        self.daemon = self.make_daemon(
            {
                "downloads": {
                    "segments": CONNECTIONS,
                    "min_segment_size": "256KiB",
                    "retry": FAST_RETRY,
                    "checkpoint_interval": "200ms",
                }
            }
        ).start()

    def begun(self) -> Job:
        """A job that has some part of the file, and much to fetch."""
        job = self.daemon.api.add(self.nginx.url("f.bin"))
        return self.daemon.api.wait_received(job["id"], SIZE // 6)

    def rewrite(self) -> None:
        """Other octets, in place, of the same size and time."""
        before = self.file.stat()
        write_content(self.file, 2, SIZE)
        os.utime(self.file, ns=(before.st_atime_ns, before.st_mtime_ns))

    def hurry(self) -> int:
        """From now on nginx sends faster; how many answers it has logged so far."""
        self.nginx.close()
        self.nginx.rate = 4 * MIB
        self.nginx.start()
        return len(self.nginx.served())

    def sent(self, before: int) -> int:
        """How many octets nginx says that it sent, but for its first *before* answers."""
        lines = self.nginx.served()[before:]
        return sum(int(found[1]) for found in map(_SENT.search, lines) if found)

    def metric(self, name: str) -> float:
        """What the daemon counts."""
        page = self.daemon.api.request("GET", "/metrics").body.decode()
        found = re.search(rf"^{name} (\S+)$", page, re.MULTILINE)
        assert found is not None, page
        return float(found[1])

    def assert_new(self, job: Job, before: int) -> None:
        """The job ends with the new file, which was fetched once; it says that it changed.

        :param before: how many answers there were when it went on.
        """
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 2, SIZE)
        self.assertEqual(self.metric("rangedaemon_changed_files_total"), 1)
        self.assertGreater(done["refetched"], 0)
        until(lambda: self.sent(before) >= SIZE, "the log is written")
        self.assertLessEqual(self.sent(before), SIZE + AGAIN)

    def test_killed(self) -> None:
        """SIGKILL, other octets, a new start."""
        job = self.begun()
        self.daemon.kill()
        self.rewrite()
        before = self.hurry()
        self.daemon.start()
        self.assert_new(job, before)

    def test_paused(self) -> None:
        """A pause in the same life of the daemon."""
        job = self.begun()
        self.daemon.api.act(job["id"], "pause")
        job = self.daemon.api.wait_for(job["id"], "paused")
        self.rewrite()
        before = self.hurry()
        self.daemon.api.act(job["id"], "resume")
        self.assert_new(job, before)

    def test_nothing_changed(self) -> None:
        """The same file costs a few small requests, and few octets."""
        job = self.begun()
        self.daemon.kill()
        before = self.hurry()
        self.daemon.start()
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        self.assertEqual(self.metric("rangedaemon_changed_files_total"), 0)
        compared = self.metric("rangedaemon_compared_bytes_total")
        self.assertTrue(0 < compared <= MOST, compared)
        self.assertLessEqual(compared, SIZE / 100)
        missing = SIZE - self.metric("rangedaemon_resumed_bytes_total")
        self.assertLess(missing, SIZE)
        self.assertLessEqual(self.sent(before), missing + AGAIN)
