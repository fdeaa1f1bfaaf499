"""Tests for `rangedaemon.storage.extentlog`: the file of a job's extents."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Thread

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.errors import StorageFault
from rangedaemon.storage.extentlog import ExtentLog, log_path, remove_log
from rangedaemon.storage.extents import (
    BLOCK,
    HEADER_SIZE,
    RECORD_SIZE,
    ExtentHasher,
    verify_extents,
)

JOB = "00112233445566ff"

LIMITED = """
import os, resource, sys
from pathlib import Path
from rangedaemon.storage.extentlog import ExtentLog
from rangedaemon.storage.extents import BLOCK, ExtentHasher

path = Path(sys.argv[1])
log = ExtentLog.open(path, sys.argv[2], 0, ExtentHasher(grain=0))
for n in range(3):
    log.wrote(n * BLOCK, [b"data"])
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (path.stat().st_size + 40, hard))
try:
    log.wrote(10 * BLOCK - 4, [b"datadata"])
except Exception as error:
    print(type(error).__name__, path.stat().st_size)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
log.wrote(4 * BLOCK, [b"data"])
log.close()
"""

KILLED = """
import os, sys
from pathlib import Path
from rangedaemon.storage.extentlog import ExtentLog
from rangedaemon.storage.extents import ExtentHasher

part = os.open(sys.argv[3], os.O_RDWR | os.O_CREAT)
log = ExtentLog.open(Path(sys.argv[1]), sys.argv[2], 0, ExtentHasher(grain=0))
offset = 0
while True:
    block = os.urandom(50_000)
    os.pwrite(part, block, offset)
    log.wrote(offset, [block])
    offset += len(block)
    print(offset, flush=True)
"""


class LogTestCase(SynchronousTestCase):
    """Has a log, in a directory that is made with it."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = log_path(self.directory / "state", JOB)

    def opened(self, generation: int = 0, grain: int = 0) -> ExtentLog:
        """The log, closed at the end of the test."""
        log = ExtentLog.open(self.path, JOB, generation, ExtentHasher(grain))
        self.addCleanup(log.close)
        return log

    def ranges(self, log: ExtentLog, within: IntervalSet | None = None) -> list[tuple[int, int]]:
        """What the log tells of."""
        return [(extent.start, extent.stop) for extent in log.load(within)]


class OpenTests(LogTestCase):
    """Tests for `ExtentLog.open`."""

    def test_again(self) -> None:
        """What was noted before a stop is there after it."""
        log = self.opened()
        log.wrote(0, [b"abc"])
        log.close()
        self.assertEqual(self.ranges(self.opened()), [(0, 3)])

    def test_private(self) -> None:
        """File and directory are their owner's alone."""
        self.opened()
        self.assertEqual(stat.S_IMODE(self.path.stat().st_mode), 0o600)
        self.assertEqual(stat.S_IMODE(self.path.parent.stat().st_mode), 0o700)

    def test_other_generation(self) -> None:
        """A job that started again from nothing starts with an empty log."""
        self.opened().wrote(0, [b"abc"])
        self.assertEqual(self.ranges(self.opened(generation=1)), [])
        self.assertEqual(self.ranges(self.opened(generation=0)), [])

    def test_torn_tail(self) -> None:
        """After a record that was cut, what is appended can be read."""
        log = self.opened()
        log.wrote(0, [b"abc"])
        log.wrote(BLOCK, [b"abc"])
        log.close()
        os.truncate(self.path, HEADER_SIZE + RECORD_SIZE + 7)
        log = self.opened()
        log.wrote(2 * BLOCK, [b"abc"])
        self.assertEqual(self.ranges(log), [(0, 3), (2 * BLOCK, 2 * BLOCK + 3)])

    def test_torn_head(self) -> None:
        """A log whose head is cut or broken starts empty, and works."""
        for octets in (b"", b"RDE", b"\0" * 200):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.write_bytes(octets)
            log = self.opened()
            log.wrote(7, [b"abc"])
            self.assertEqual(self.ranges(log), [(7, 10)])
            log.close()

    def test_not_possible(self) -> None:
        """A directory that cannot be made is a fault of ours."""
        self.path.parent.parent.write_text("in the way")
        self.assertRaises(StorageFault, ExtentLog.open, self.path, JOB, 0)

    def test_symbolic_link(self) -> None:
        """A link in the log's place is not followed."""
        self.path.parent.mkdir(parents=True)
        target = self.directory / "precious"
        target.write_text("mine")
        self.path.symlink_to(target)
        self.assertRaises(StorageFault, ExtentLog.open, self.path, JOB, 0)
        self.assertEqual(target.read_text(), "mine")


class AppendTests(LogTestCase):
    """Tests for `ExtentLog.wrote`, `sync`, `close` and `remove`."""

    def test_pending_at_sync_and_close(self) -> None:
        """What is below the grain reaches the log with the next sync or close."""
        log = self.opened(grain=1000)
        log.wrote(0, [b"abc"])
        self.assertEqual(self.ranges(log), [])
        log.sync()
        self.assertEqual(self.ranges(log), [(0, 3)])
        log.wrote(3, [b"d"])
        log.close()
        self.assertEqual(self.ranges(self.opened()), [(0, 4)])

    def test_closed(self) -> None:
        """A closed log takes nothing more, and closing again is no error."""
        log = self.opened()
        log.close()
        log.close()
        self.assertRaises(StorageFault, log.wrote, 0, [b"abc"])
        self.assertRaises(StorageFault, log.rewrite)
        self.assertEqual(os.listdir(self.path.parent), [self.path.name])

    def test_remove(self) -> None:
        """A removed log is gone; removing what is not there is no error."""
        self.opened().remove()
        remove_log(self.path)
        self.assertFalse(self.path.exists())

    def test_within(self) -> None:
        """Only what touches the octets asked about is loaded."""
        log = self.opened()
        log.wrote(0, [bytes(3 * BLOCK)])
        within = IntervalSet([ByteRange(BLOCK, BLOCK + 1)])
        self.assertEqual(self.ranges(log, within), [(BLOCK, 2 * BLOCK)])

    def test_full_disk(self) -> None:
        """A record that did not fit leaves no half of it behind; with room the log goes on."""
        said = subprocess.run(
            [sys.executable, "-c", LIMITED, self.path, JOB],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertEqual(said.stdout, f"NeverFits {HEADER_SIZE + 3 * RECORD_SIZE}\n", said.stderr)
        self.assertEqual(
            self.ranges(self.opened()), [(n * BLOCK, n * BLOCK + 4) for n in (0, 1, 2, 4)]
        )

    def test_killed(self) -> None:
        """After SIGKILL every octet whose write was noted is proved."""
        part = self.directory / "file.part"
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, self.path, JOB, part], stdout=subprocess.PIPE, text=True
        ) as process:
            said = [process.stdout.readline() for _ in range(60)]
            process.kill()
            said += process.stdout.readlines()
        noted = max(int(line) for line in said if line.endswith("\n"))
        with part.open("rb") as file:
            good, bad = verify_extents(
                lambda offset, length: os.pread(file.fileno(), length, offset),
                self.opened().load(),
            )
        self.assertGreaterEqual(noted, 3_000_000)
        self.assertTrue(good.covers(ByteRange(0, noted)))
        self.assertFalse(bad)


class RewriteTests(LogTestCase):
    """Tests for `ExtentLog.rewrite`."""

    def test_keeps_what_counts(self) -> None:
        """A log of a thousand growing writes becomes one of a record per block."""
        log = self.opened()
        for n in range(1000):
            log.wrote(n * 2100, [bytes(2100)])
        before = self.ranges(log)
        log.rewrite()
        self.assertEqual(self.ranges(log), before)
        self.assertEqual(self.path.stat().st_size, HEADER_SIZE + 3 * RECORD_SIZE)
        log.wrote(2_100_000, [bytes(50)])
        log.close()
        self.assertEqual(self.ranges(self.opened())[-1], (2 * BLOCK, 2_100_050))
        self.assertEqual(os.listdir(self.path.parent), [self.path.name])

    def test_while_others_write(self) -> None:
        """What is noted while the log is rewritten is in the new one."""
        log = self.opened()

        def write_all() -> None:
            for n in range(3000):
                log.wrote(n * BLOCK, [b"abc"])
                log.wrote(n * BLOCK + 3, [b"def"])

        writer = Thread(target=write_all)
        writer.start()
        rounds = 0
        while writer.is_alive() or not rounds:
            log.rewrite()
            rounds += 1
        writer.join()
        expected = [(n * BLOCK, n * BLOCK + 6) for n in range(3000)]
        self.assertEqual(self.ranges(log), expected)
        log.close()
        self.assertEqual(self.ranges(self.opened()), expected)

    def test_bloated(self) -> None:
        """It is worth while once there are many more records than the last time."""
        log = self.opened()
        self.assertFalse(log.bloated)
        for n in range(140_000):
            log.wrote(n, [b"x"])
        self.assertTrue(log.bloated)
        log.rewrite()
        self.assertFalse(log.bloated)

    def test_no_room(self) -> None:
        """Where the new log cannot be made the old one stays in use."""
        log = self.opened()
        log.wrote(0, [b"abc"])
        blocker = self.path.with_name(self.path.name + ".new")
        blocker.mkdir()
        self.assertRaises(StorageFault, log.rewrite)
        log.wrote(3, [b"def"])
        self.assertEqual(self.ranges(log), [(0, 6)])
