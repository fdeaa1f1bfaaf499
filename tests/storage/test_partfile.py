"""Tests for `rangedaemon.storage.partfile`: real files in a directory of their own."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SkipTest

from rangedaemon.errors import NameTaken, NoSpace, NotWritable, PartFileLost, StorageFault
from rangedaemon.storage import partfile
from rangedaemon.storage.partfile import PartFile
from rangedaemon.storage.space import allocate, dress, room_of
from tests.storage.partfiles import HOLDER, LIMITED, PartFileCase


class CreateTests(PartFileCase):
    """Tests for `PartFile.create`."""

    def test_new(self) -> None:
        """It is there, empty, in a directory that was made for it."""
        self.path = self.directory / "a" / "b" / "c.part"
        part = self.create()
        self.assertEqual((part.size, self.path.read_bytes()), (0, b""))

    def test_octets_of_somebody_are_not_touched(self) -> None:
        """A file with octets in it is not ours."""
        self.path.write_bytes(b"somebody's")
        self.assertRaises(NameTaken, PartFile.create, self.path)
        self.assertEqual(self.path.read_bytes(), b"somebody's")

    def test_orphan_is_adopted(self) -> None:
        """An empty one that nobody holds is what a kill left: it is taken over."""
        self.path.write_bytes(b"")
        self.assertEqual(self.create().write(0, [b"new"]), 3)
        self.assertEqual(self.path.read_bytes(), b"new")

    def test_held_one_is_not_adopted(self) -> None:
        """An empty one that another job holds stays with it."""
        self.create()
        self.assertRaises(NameTaken, PartFile.create, self.path)

    def test_what_is_no_file(self) -> None:
        """Links, directories and FIFOs of that name are neither followed nor opened."""
        target = self.directory / "target"
        target.write_bytes(b"")
        for name, make in (
            ("link", lambda: self.path.symlink_to(target)),
            ("dangling link", lambda: self.path.symlink_to(self.directory / "nothing")),
            ("directory", self.path.mkdir),
            ("FIFO", lambda: os.mkfifo(self.path)),
        ):
            with self.subTest(name):
                make()
                self.assertRaises(NameTaken, PartFile.create, self.path)
                self.path.rmdir() if self.path.is_dir() else self.path.unlink()
        self.assertEqual(target.read_bytes(), b"")

    def test_directory_below_a_file(self) -> None:
        """A file where a directory should be is a fault of storage that names the path."""
        (self.directory / "file").write_bytes(b"")
        fault = self.assertRaises(StorageFault, PartFile.create, self.directory / "file" / "x.part")
        self.assertIn("x.part", str(fault))

    def test_forbidden(self) -> None:
        """What the system forbids is named as not writable."""
        for number in (errno.EACCES, errno.EPERM, errno.EROFS):
            with self.subTest(errno.errorcode[number]):

                def refuse(*_: object, number: int = number, **__: object) -> int:
                    raise OSError(number, os.strerror(number))

                patch = self.patch(os, "open", refuse)
                self.assertRaises(NotWritable, PartFile.create, self.path)
                patch.restore()


class ReopenTests(PartFileCase):
    """Tests for `PartFile.reopen`."""

    def test_octets_are_there(self) -> None:
        """What was written can be read, and written on."""
        part = PartFile.reopen(self.left(b"0123456789"))
        self.addCleanup(part.close)
        self.assertEqual((part.size, part.read(3, 4)), (10, b"3456"))
        part.write(10, [b"ab"])
        self.assertEqual(self.path.read_bytes(), b"0123456789ab")

    def test_read_ends_with_the_file(self) -> None:
        """Fewer octets where there are no more, none behind the end."""
        part = PartFile.reopen(self.left(b"0123456789"))
        self.addCleanup(part.close)
        self.assertEqual((part.read(8, 100), part.read(100, 5)), (b"89", b""))

    def test_lost(self) -> None:
        """Gone, or something else now: each is a part file that is lost."""
        (self.directory / "other").write_bytes(b"other")
        for name, make in (
            ("gone", lambda: None),
            ("link", lambda: self.path.symlink_to(self.directory / "other")),
            ("FIFO", lambda: os.mkfifo(self.path)),
            ("directory", self.path.mkdir),
        ):
            with self.subTest(name):
                make()
                self.assertRaises(PartFileLost, PartFile.reopen, self.path)
                if name != "gone":
                    self.path.rmdir() if self.path.is_dir() else self.path.unlink()
        self.assertEqual((self.directory / "other").read_bytes(), b"other")

    def test_nothing_stays_open(self) -> None:
        """However it ends, no descriptor is left behind."""
        os.mkfifo(self.path)
        before = len(os.listdir("/proc/self/fd"))
        self.assertRaises(PartFileLost, PartFile.reopen, self.path)
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    def test_held_by_another_process(self) -> None:
        """A lock of another process keeps us out, until that process has ended."""
        self.left()
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(self.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        assert holder.stdout is not None
        self.assertEqual(holder.stdout.readline(), b"held\n")
        fault = self.assertRaises(PartFileLost, PartFile.reopen, self.path)
        self.assertIn("held", str(fault))
        holder.communicate(b"")
        PartFile.reopen(self.path).close()


class WriteTests(PartFileCase):
    """Tests for `PartFile.write`."""

    def test_blocks_in_order_at_their_offset(self) -> None:
        """One behind the other, octets before them are a hole."""
        part = self.create()
        self.assertEqual(part.write(5, [b"ab", b"", b"cde"]), 5)
        self.assertEqual(self.path.read_bytes(), b"\0" * 5 + b"abcde")

    def test_nothing(self) -> None:
        """No blocks are no octets."""
        self.assertEqual(self.create().write(7, []), 0)
        self.assertEqual(self.path.read_bytes(), b"")

    def test_beyond_4_gib(self) -> None:
        """Offsets are not cut to 32 bits."""
        part = self.create()
        part.write((1 << 32) + 1, [b"far"])
        self.assertEqual(part.size, (1 << 32) + 4)
        self.assertEqual(part.read((1 << 32) + 1, 3), b"far")
        self.assertEqual(part.read(0, 4), b"\0" * 4)

    def test_more_blocks_than_one_call_takes(self) -> None:
        """However many blocks come, all are written."""
        blocks = [bytes([n % 251]) for n in range(3 * partfile.MOST_BUFFERS + 7)]
        self.assertEqual(self.create().write(0, blocks), len(blocks))
        self.assertEqual(self.path.read_bytes(), b"".join(blocks))

    @settings(max_examples=30, deadline=None)
    @given(st.lists(st.binary(max_size=9), min_size=1, max_size=6), st.integers(0, 30))
    def test_short_writes_are_finished(self, blocks: list[bytes], first: int) -> None:
        """Where the system takes fewer octets than offered, the rest follows."""
        path = Path(tempfile.mkdtemp(dir=self.directory)) / "x.part"
        part = PartFile.create(path)
        pwritev, pwrite = os.pwritev, os.pwrite

        def short(descriptor: int, buffers: Sequence[bytes], offset: int) -> int:
            return pwritev(descriptor, [b"".join(buffers)[:first]], offset)

        def shorter(descriptor: int, octets: bytes, offset: int) -> int:
            return pwrite(descriptor, octets[:2], offset)

        patches = [self.patch(os, "pwritev", short), self.patch(os, "pwrite", shorter)]
        try:
            self.assertEqual(part.write(3, blocks), sum(map(len, blocks)))
        finally:
            for patch in patches:
                patch.restore()
            part.close()
        octets = b"".join(blocks)
        self.assertEqual(path.read_bytes(), (b"\0" * 3 + octets) if octets else b"")

    def test_full(self) -> None:
        """Each way in which a disk is full has one name."""
        part = self.create()
        for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            with self.subTest(errno.errorcode[number]):

                def full(*_: object, number: int = number) -> int:
                    raise OSError(number, os.strerror(number))

                patch = self.patch(os, "pwritev", full)
                self.assertRaises(NoSpace, part.write, 0, [b"x"])
                patch.restore()

    def test_full_in_the_middle_of_a_write(self) -> None:
        """A write that stands still is a full disk, not an endless loop."""
        part = self.create()
        self.patch(os, "pwritev", lambda *_: 1)
        self.patch(os, "pwrite", lambda *_: 0)
        self.assertRaises(NoSpace, part.write, 0, [b"abc"])

    def test_limit_of_the_file_size(self) -> None:
        """A limit of the process is a full disk too, and does not kill it."""
        done = subprocess.run(
            [sys.executable, "-c", LIMITED, str(self.path)],
            capture_output=True,
            text=True,
            check=False,
        )
        self.assertEqual((done.returncode, done.stdout), (0, "no-space\n"), done.stderr)
        self.assertEqual(self.path.read_bytes()[:60000], b"x" * 60000)

    def test_broken_disk(self) -> None:
        """Any other error is a fault of storage that names the file."""
        part = self.create()

        def broken(*_: object) -> None:
            raise OSError(errno.EIO, os.strerror(errno.EIO))

        self.patch(os, "fdatasync", broken)
        fault = self.assertRaises(StorageFault, part.sync)
        self.assertIn("file.iso.part", str(fault))
        self.assertNotIsInstance(fault, NoSpace)


class SpaceTests(PartFileCase):
    """Tests for `storage.space`, by way of `PartFile`."""

    def test_room(self) -> None:
        """Of which file system it is, and how much of it the file has."""
        part = self.create()
        before = part.ask(room_of)
        part.write(0, [b"x" * 100_000])
        part.sync()
        room = part.ask(room_of)
        self.assertEqual(room.device, self.directory.stat().st_dev)
        self.assertGreaterEqual(room.allocated, 100_000)
        self.assertEqual(before.allocated, 0)
        self.assertTrue(0 < room.free <= room.total)

    def test_allocated(self) -> None:
        """Blocks are taken, the size stays: what was written is all that seems to be there."""
        part = self.create()
        part.allocate(1 << 20)
        part.write(4096, [b"x" * 4096])
        if part.ask(room_of).allocated == 4096:
            raise SkipTest("this file system does not know fallocate")
        self.assertEqual((part.size, part.read(0, 10)), (8192, bytes(10)))
        self.assertGreaterEqual(part.ask(room_of).allocated, 1 << 20)

    def test_given_back(self) -> None:
        """What was taken beyond the end of a file that proves shorter is given back."""
        part = self.create()
        part.allocate(1 << 20)
        part.write(0, [b"x" * 4096])
        part.truncate(4096)
        self.assertLess(part.ask(room_of).allocated, 1 << 20)
        again = PartFile.create(self.directory / "other.part")
        self.addCleanup(again.close)
        again.allocate(1 << 20)
        again.truncate()
        self.assertEqual((again.size, again.ask(room_of).allocated), (0, 0))

    def test_no_room_to_allocate(self) -> None:
        """Taking more than there is fails as a write would."""
        part = self.create()
        room = part.ask(room_of)
        if not part.ask(lambda descriptor: allocate(descriptor, 4096)):
            raise SkipTest("this file system does not know fallocate")
        self.assertRaises(NoSpace, part.allocate, room.total * 2)

    def test_dressed(self) -> None:
        """Permissions and time as asked for; what is not asked for stays."""
        part = self.create()
        part.ask(lambda descriptor: dress(descriptor, 0o604, 1_000_000_000.0))
        told = part.path.stat()
        self.assertEqual((told.st_mode & 0o777, told.st_mtime), (0o604, 1_000_000_000.0))
        part.ask(lambda descriptor: dress(descriptor, None, None))
        self.assertEqual(part.path.stat().st_mtime, 1_000_000_000.0)
