"""Tests for `rangedaemon.storage.freshlog`, and for what `LedgeredFile` makes of it."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import OnConflict
from rangedaemon.storage.freshlog import PULSE_NS, SLACK_NS, FreshLog, this_boot
from rangedaemon.storage.ledger import LedgeredFile, remove_logs

JOB = "0123456789abcdef"
PIECE = ByteRange(100, 5_000_000)


class FreshCase(SynchronousTestCase):
    """A directory of its own."""

    def setUp(self) -> None:
        """Make it; it goes with the test."""
        self.directory = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "job.fresh"

    def fresh(self, *, boot: int = 7, generation: int = 0) -> FreshLog:
        """A log, closed at the end of the test."""
        log = FreshLog(self.path, JOB, generation, boot)
        self.addCleanup(log.close)
        return log


class BelievedTests(FreshCase):
    """Tests for `FreshLog.believed`: what is taken for there without a hash."""

    def test_same_boot(self) -> None:
        """What was noted in this boot is believed by the next process."""
        self.fresh().wrote(PIECE)
        self.assertEqual(self.fresh().believed(0), IntervalSet([PIECE]))

    def test_other_boot(self) -> None:
        """After a restart of the machine the page cache is gone, and the word with it."""
        self.fresh(boot=7).wrote(PIECE)
        self.assertEqual(self.fresh(boot=8).believed(0), EMPTY)

    def test_other_generation(self) -> None:
        """What was written of another representation says nothing."""
        self.fresh(generation=0).wrote(PIECE)
        self.assertEqual(self.fresh(generation=1).believed(0), EMPTY)

    def test_touched_since(self) -> None:
        """Somebody wrote to the part file after our last record: nothing is believed."""
        self.fresh().wrote(PIECE)
        later = self.path.stat().st_mtime_ns + SLACK_NS
        self.assertEqual(self.fresh().believed(later), IntervalSet([PIECE]))
        self.assertEqual(self.fresh().believed(later + 1), EMPTY)

    def test_killed_before_its_record(self) -> None:
        """Octets that were written by ourselves, and not noted, discredit none that were."""
        log = self.fresh()
        log.wrote(PIECE)
        os.utime(self.path, ns=(0, 0))  # that was long ago
        log.writes()
        part_written_ns = self.path.stat().st_mtime_ns
        self.assertGreater(part_written_ns, SLACK_NS)
        self.assertEqual(self.fresh().believed(part_written_ns), IntervalSet([PIECE]))

    def test_signs_of_life(self) -> None:
        """They are given as often as they are needed, not with each write."""
        now = [0]
        log = FreshLog(self.path, JOB, 0, 7, lambda: now[0])
        self.addCleanup(log.close)
        for now[0], given in ((0, True), (PULSE_NS, False), (PULSE_NS + 1, True)):
            os.utime(self.path, ns=(0, 0))
            log.writes()
            self.assertEqual(self.path.stat().st_mtime_ns > 0, given)

    def test_torn_and_damaged_records(self) -> None:
        """A record that is not whole is passed over, its neighbours are not."""
        log = self.fresh()
        for start in (0, 10, 20):
            log.wrote(ByteRange(start, start + 5))
        octets = bytearray(self.path.read_bytes())
        octets[40] ^= 1
        self.path.write_bytes(octets[:-1])
        self.assertEqual(self.fresh().believed(0).to_pairs(), [(0, 5)])

    def test_cleared(self) -> None:
        """What has been hashed is noted no more."""
        log = self.fresh()
        log.wrote(PIECE)
        log.clear()
        self.assertEqual(log.believed(0), EMPTY)


class LedgerTests(FreshCase):
    """Tests for octets that a pipe brought to the part file."""

    def setUp(self) -> None:
        """A new part file."""
        super().setUp()
        if this_boot() is None:
            self.skipTest("this system does not number its boots")
        self.wanted = self.directory / "file.bin"
        _, self.file = LedgeredFile.create(self.directory, JOB, 0, self.wanted, OnConflict.RENAME)

    def splice(self, offset: int, octets: bytes) -> None:
        """Let *octets* come through a pipe."""
        reader, writer = os.pipe()
        try:
            os.write(writer, octets)
            self.assertEqual(self.file.splice(offset, reader, len(octets)), len(octets))
        finally:
            os.close(reader)
            os.close(writer)

    def killed(self) -> LedgeredFile:
        """The same file, as the next process finds it after a kill."""
        os.close(self.file.part._fd)
        again = LedgeredFile.reopen(self.directory, JOB, 0, self.wanted)
        self.addCleanup(again.close)
        return again

    def test_kill_before_any_checkpoint(self) -> None:
        """Nothing was hashed and nothing claimed, and nothing is lost."""
        self.splice(1000, b"x" * 50_000)
        found = self.killed().recover(EMPTY)
        self.assertEqual(found.covered.to_pairs(), [(1000, 51_000)])
        self.assertEqual((found.gained, found.lost), (50_000, 0))

    def test_kill_between_octets_and_record(self) -> None:
        """Long after the last record octets come, and the end before theirs: no others are lost."""
        self.die_before_the_record(lambda: self.splice(60_000, b"y" * 10_000))

    def test_kill_between_write_and_record(self) -> None:
        """So it is with octets that came through our hands."""
        self.die_before_the_record(lambda: self.file.write(60_000, [b"y" * 10_000]))

    def die_before_the_record(self, write: Callable[[], int | None]) -> None:
        """Let *write* be the last that a process did."""
        self.splice(0, b"x" * 50_000)
        os.utime(self.directory / "extents" / f"{JOB}.fresh", ns=(0, 0))
        self.file._fresh._touched_ns = None

        def die(*_: object) -> None:
            raise SystemExit

        self.patch(FreshLog, "wrote", die)
        self.assertRaises(SystemExit, write)
        self.assertEqual(self.killed().recover(EMPTY).covered.to_pairs(), [(0, 50_000)])

    def test_hashed_with_the_checkpoint(self) -> None:
        """After a checkpoint an edit is found, whatever the clock of the file says."""
        self.splice(0, b"x" * 50_000)
        self.file.sync()
        part = self.file.part.path
        before = part.stat()
        with part.open("r+b") as edited:
            edited.write(b"y")
        os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
        found = self.killed().recover(IntervalSet([ByteRange(0, 50_000)]))
        self.assertEqual((found.covered, found.lost), (EMPTY, 50_000))

    def test_edited_after_a_kill(self) -> None:
        """What was not hashed is not believed where somebody wrote to the file since."""
        self.splice(0, b"x" * 50_000)
        part = self.file.part.path
        later = part.stat().st_mtime_ns + 2 * SLACK_NS
        os.utime(part, ns=(later, later))
        self.assertEqual(self.killed().recover(EMPTY).covered, EMPTY)

    def test_cut_after_a_kill(self) -> None:
        """Octets behind the end of the file are not there, whatever was noted."""
        self.splice(0, b"x" * 50_000)
        part = self.file.part.path
        before = part.stat()
        os.truncate(part, 20_000)
        os.utime(part, ns=(before.st_atime_ns, before.st_mtime_ns))
        self.assertEqual(self.killed().recover(EMPTY).covered.to_pairs(), [(0, 20_000)])

    def test_closed_in_order(self) -> None:
        """A clean end hashes what is left: the next process needs no trust."""
        self.splice(0, b"x" * 50_000)
        self.file.close()
        (self.directory / "extents" / f"{JOB}.fresh").unlink()
        again = LedgeredFile.reopen(self.directory, JOB, 0, self.wanted)
        self.addCleanup(again.close)
        self.assertEqual(again.recover(EMPTY).covered.to_pairs(), [(0, 50_000)])

    def test_logs_go_together(self) -> None:
        """A job that is forgotten leaves no log."""
        self.splice(0, b"x" * 50_000)
        self.file.close()
        remove_logs(self.directory, JOB)
        self.assertEqual(list((self.directory / "extents").iterdir()), [])
