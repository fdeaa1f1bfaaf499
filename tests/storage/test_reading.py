"""Tests for `rangedaemon.storage.reading`: what waits for the disk, and what never does."""

from __future__ import annotations

import os
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.storage import reading
from rangedaemon.storage.reading import (
    FileCutShort,
    bring_in,
    read_cached,
    read_exactly,
    seems_cached,
)


class ReadingTests(SynchronousTestCase):
    """Reads that wait and reads that do not."""

    def setUp(self) -> None:
        """A file of a mebibyte."""
        self.path = Path(self.mktemp())
        self.octets = os.urandom(1 << 20)
        self.path.write_bytes(self.octets)
        self.fd = os.open(self.path, os.O_RDONLY)
        self.addCleanup(os.close, self.fd)

    def forget(self) -> None:
        """Have the kernel forget the file."""
        os.fsync(self.fd)
        os.posix_fadvise(self.fd, 0, 0, os.POSIX_FADV_DONTNEED)

    def test_exactly(self) -> None:
        """All octets asked for, or a fault."""
        self.assertEqual(read_exactly(self.fd, 5, 500_000), self.octets[5:500_000])
        self.assertRaises(FileCutShort, read_exactly, self.fd, 0, (1 << 20) + 1)

    def test_short_reads(self) -> None:
        """A read that gives less than asked for is continued."""
        real = os.pread
        self.patch(os, "pread", lambda fd, n, at: real(fd, min(n, 1000), at))
        self.assertEqual(read_exactly(self.fd, 1, 9999), self.octets[1:9999])

    def test_brought_in(self) -> None:
        """What was brought in is in memory, in part or whole."""
        self.forget()
        bring_in(self.fd, 0, 1 << 20)
        self.assertTrue(seems_cached(self.fd, 0, 1 << 20, phase=77))
        self.assertEqual(read_cached(self.fd, 3, 900_000), self.octets[3:900_000])
        self.assertRaises(FileCutShort, bring_in, self.fd, 0, (1 << 20) + 1)

    def test_brought_in_by_reading(self) -> None:
        """The same where sendfile cannot be used for it."""

        def refuse(*_: object) -> int:
            raise OSError(22, "no")

        self.patch(os, "sendfile", refuse)
        bring_in(self.fd, 0, 1 << 20)
        self.assertRaises(FileCutShort, bring_in, self.fd, 0, (1 << 20) + 1)

    def test_beyond_the_end(self) -> None:
        """What is not there is not in memory either."""
        bring_in(self.fd, 0, 1 << 20)
        self.assertIsNone(read_cached(self.fd, 0, (1 << 20) + 1))
        self.assertFalse(seems_cached(self.fd, 0, (1 << 20) + 1))

    def test_system_cannot_tell(self) -> None:
        """Without the system's help nothing counts as in memory."""
        self.patch(reading, "_NOWAIT", None)
        self.assertIsNone(read_cached(self.fd, 0, 10))
        self.assertFalse(seems_cached(self.fd, 0, 10))
