"""Tests for `rangedaemon.storage.reading`: what waits for the disk, and what never does."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from unittest import skipIf

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.storage import reading
from rangedaemon.storage.reading import (
    FileCutShort,
    bring_in,
    lives_in_memory,
    read_cached,
    read_exactly,
    read_into,
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


_SHM = Path("/dev/shm")


class MemoryTests(SynchronousTestCase):
    """File systems that are nothing but memory."""

    @skipIf(not _SHM.is_mount(), "no tmpfs here")
    def test_tmpfs(self) -> None:
        """A file in a tmpfs is in memory, one that the kernel makes up is not known to be."""
        with tempfile.TemporaryFile(dir=_SHM) as file:
            self.assertTrue(lives_in_memory(file.fileno()))
        with Path("/proc/self/stat").open("rb") as file:
            self.assertFalse(lives_in_memory(file.fileno()))

    def test_not_open(self) -> None:
        """Of what is not open nothing is known."""
        self.assertFalse(lives_in_memory(999_999))

    def test_read_into(self) -> None:
        """The buffer is filled; a file that is too short does not fill it."""
        with tempfile.TemporaryFile() as file:
            file.write(b"0123456789")
            file.flush()
            buffer = bytearray(4)
            self.assertTrue(read_into(file.fileno(), 3, memoryview(buffer)))
            self.assertEqual(buffer, b"3456")
            self.assertFalse(read_into(file.fileno(), 8, memoryview(buffer)))
