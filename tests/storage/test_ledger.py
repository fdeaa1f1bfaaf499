"""A part file with its log: what may be believed after faults of the disk and kills."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from pathlib import Path
from random import Random
from unittest.mock import patch

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, IntervalSet
from rangedaemon.core.jobs import OnConflict
from rangedaemon.errors import StorageFault
from rangedaemon.storage.extentlog import log_path
from rangedaemon.storage.ledger import LedgeredFile, remove_logs
from rangedaemon.storage.publishing import publish
from tests.simulation.disk import Disk

JOB = "0123456789abcdef"
OCTETS = os.urandom(5000)
ALL = IntervalSet.from_pairs([(0, len(OCTETS))])


class LedgerTests(SynchronousTestCase):
    """One job's file."""

    def setUp(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.addCleanup(shutil.rmtree, self.home)
        self.final, self.file = LedgeredFile.create(
            self.home, JOB, 0, self.home / "file.bin", OnConflict.FAIL
        )
        self.synced: list[int] = []

    def reopen(self) -> LedgeredFile:
        """As the next run does."""
        file = LedgeredFile.reopen(self.home, JOB, 0, self.final)
        self.addCleanup(file.close)
        return file

    def break_calls(self, name: str, number: int) -> None:
        """Let a system call fail from now on."""

        def fail(*_args: object) -> None:
            raise OSError(number, os.strerror(number))

        self.patch(os, name, fail)

    def watch_syncs(self) -> None:
        """Remember how long each file was that was synced."""
        real = os.fdatasync

        def fdatasync(descriptor: int) -> None:
            real(descriptor)
            self.synced.append(os.fstat(descriptor).st_ino)

        self.patch(os, "fdatasync", fdatasync)

    def test_recovered_octets_are_synced(self) -> None:
        """What a kill left in memory is on the disk before anybody can claim it."""
        self.file.write(0, [OCTETS])
        self.file.close()
        self.watch_syncs()
        found = self.reopen().recover(EMPTY)
        self.assertEqual((found.covered, found.gained), (ALL, len(OCTETS)))
        self.assertEqual(self.synced, [self.home.joinpath("file.bin.part").stat().st_ino])

    def test_claimed_octets_need_no_sync(self) -> None:
        """After a clean end a start costs no sync."""
        self.file.write(0, [OCTETS])
        self.file.sync()
        self.file.close()
        self.watch_syncs()
        self.assertEqual(self.reopen().recover(ALL).covered, ALL)
        self.assertEqual(self.synced, [])

    def test_failed_sync_is_final(self) -> None:
        """The system forgets what it could not write: no later sync of this file counts."""
        self.file.write(0, [OCTETS])
        real = os.fdatasync
        self.break_calls("fdatasync", errno.EIO)
        self.assertRaises(StorageFault, self.file.sync)
        self.patch(os, "fdatasync", real)
        self.assertRaises(StorageFault, self.file.sync)
        self.file.close()

    def test_nothing_is_believed_after_a_failed_sync(self) -> None:
        """Octets that may be in memory only are fetched again, although they can be read."""
        self.file.write(0, [OCTETS[:1000]])
        self.file.sync()
        self.file.write(1000, [OCTETS[1000:]])
        real = os.fdatasync
        self.break_calls("fdatasync", errno.EIO)
        self.assertRaises(StorageFault, self.file.sync)
        self.patch(os, "fdatasync", real)
        self.file.close()
        claimed = IntervalSet.from_pairs([(0, 1000)])
        self.assertEqual(self.reopen().recover(claimed).covered, claimed)

    def test_closed_on_a_full_disk(self) -> None:
        """The last records of the log find no room: the file is let go of all the same."""
        self.file.write(0, [OCTETS])
        real = os.write
        self.break_calls("write", errno.ENOSPC)
        self.file.close()
        self.patch(os, "write", real)
        self.assertEqual(self.reopen().recover(EMPTY).lost, 0)

    def test_settled_before_its_name(self) -> None:
        """A power cut behind the publication: the log that proves the file is all there."""
        downloads, logs = self.home / "downloads", log_path(self.home / "state", JOB).parent
        downloads.mkdir()
        logs.mkdir(parents=True)
        disk = Disk((downloads, logs), Random(0))
        self.addCleanup(disk.let_go)
        disk.watch()
        final, file = LedgeredFile.create(
            self.home / "state", JOB, 0, downloads / "file.bin", OnConflict.FAIL
        )
        self.addCleanup(file.close)
        receiving, sending = os.pipe()
        self.addCleanup(os.close, receiving)
        self.addCleanup(os.close, sending)
        os.write(sending, OCTETS)
        file.splice(0, receiving, len(OCTETS))
        file.settle()
        publish(file.part.path, final, OnConflict.FAIL)
        file.close(prove=False)
        left = disk.after_a_kill()
        self.assertEqual(list(left.durable_names[downloads]), [final.name])
        log = left.durable[left.durable_names[logs][log_path(self.home, JOB).name]]
        disk.let_go()
        remove_logs(self.home / "state", JOB)
        log_path(self.home / "state", JOB).write_bytes(log)
        found = LedgeredFile.reopen_published(self.home / "state", JOB, 0, final)
        self.addCleanup(found.close)
        self.assertEqual(found.recover(EMPTY).covered, ALL)

    def test_settled_without_a_log(self) -> None:
        """Neither octets nor a log that cannot be kept: after a power cut none knew the file."""
        self.file.write(0, [OCTETS])
        for call in ("fsync", "fdatasync"):  # that of the file, that of its log
            with self.subTest(call), patch.object(os, call, side_effect=OSError(errno.EIO, "no")):
                self.assertRaises(StorageFault, self.file.settle)

    def test_log_of_another_generation(self) -> None:
        """What was written for another representation is never believed."""
        self.file.write(0, [OCTETS])
        self.file.close()
        file = LedgeredFile.reopen(self.home, JOB, 1, self.final)
        self.addCleanup(file.close)
        self.assertEqual(file.recover(EMPTY).covered, EMPTY)
        self.assertTrue(log_path(self.home, JOB).exists())
