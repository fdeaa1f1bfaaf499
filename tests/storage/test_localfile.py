"""Tests for `rangedaemon.storage.localfile`: what may be pushed, and is it still the same?"""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.errors import FileChanged, FileMissing, InvalidInput
from rangedaemon.storage.localfile import Allowed, LocalFile

MIB = 1 << 20
JOB = "0" * 16


class LocalFileCase(SynchronousTestCase):
    """An allowed directory, and one beside it."""

    def setUp(self) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.addCleanup(shutil.rmtree, self.base)
        self.inside, self.outside = self.base / "in", self.base / "out"
        self.inside.mkdir()
        self.outside.mkdir()
        self.path = self.inside / "file"
        self.path.write_bytes(b"a" * (3 * MIB))
        (self.outside / "secret").write_text("secret")

    def allowed(self, *, follow: bool = False) -> Allowed:
        return Allowed([self.inside], follow_symlinks=follow)

    def opened(self) -> LocalFile:
        """The file, its log kept."""
        file = LocalFile.open(self.allowed(), self.path)
        self.addCleanup(file.close)
        file.keep_log(self.base / "state", JOB, 0)
        return file


class AllowedTests(LocalFileCase):
    """What may be opened at all."""

    def refused(self, path: Path, *, follow: bool = False) -> None:
        """It may not."""
        self.assertRaises(FileMissing, LocalFile.open, self.allowed(follow=follow), path)

    def test_outside(self) -> None:
        """Neither beside the directory nor by a link out of it, whatever is followed."""
        (self.inside / "link").symlink_to(self.outside / "secret")
        (self.inside / "folder").symlink_to(self.outside)
        for follow in (False, True):
            for path in ("../out/secret", "link", "folder/secret", "none", "."):
                with self.subTest(path=path, follow=follow):
                    self.refused(self.inside / path, follow=follow)
            self.refused(self.outside / "secret", follow=follow)

    def test_links_inside(self) -> None:
        """Only where links are followed."""
        link = self.inside / "link"
        link.symlink_to("file")
        self.refused(link)
        file = LocalFile.open(self.allowed(follow=True), link)
        self.assertEqual(file.read(0, 1), b"a")
        file.close()

    def test_folder(self) -> None:
        """Regular files by their names from there on; links and devices are passed over."""
        (self.inside / "sub" / "deep").mkdir(parents=True)
        (self.inside / "sub" / "deep" / "b").write_text("b")
        (self.inside / "sub" / "link").symlink_to("deep/b")
        (self.inside / "loop").symlink_to(".")
        os.mkfifo(self.inside / "fifo")
        self.assertEqual(self.allowed().files_below(self.inside, 10), ["file", "sub/deep/b"])
        self.assertEqual(self.allowed().files_below(self.inside / "sub", 10), ["deep/b"])
        self.assertRaises(InvalidInput, self.allowed().files_below, self.inside, 1)
        self.assertRaises(FileMissing, self.allowed().files_below, self.outside, 10)
        self.assertRaises(FileMissing, self.allowed().files_below, self.path, 10)


class SameFileTests(LocalFileCase):
    """Whether it is still what it was."""

    def test_written_to(self) -> None:
        """Not an octet is read from a file that was written to since it was opened."""
        file = self.opened()
        file.read(0, 10)
        with self.path.open("r+b") as stream:
            stream.write(b"!")
        self.assertRaises(FileChanged, file.read, 10, 10)
        self.assertRaises(FileChanged, file.insist_on_same)

    def test_replaced(self) -> None:
        """Another file under its name can be told from it, though ours can still be read."""
        file = self.opened()
        file.insist_on_same()
        other = self.inside / "other"
        other.write_bytes(b"b")
        other.rename(self.path)
        self.assertEqual(file.read(0, 2), b"aa")
        self.assertRaises(FileChanged, file.insist_on_same)

    def test_gone(self) -> None:
        """So can none."""
        file = self.opened()
        self.path.unlink()
        self.assertRaises(FileChanged, file.insist_on_same)

    def test_proof(self) -> None:
        """What was read and is the same is proved block by block, over a close and other times."""
        file = self.opened()
        file.read(0, 2 * MIB)
        file.close()
        with self.path.open("r+b") as stream:
            stream.seek(MIB + 5)
            stream.write(b"!")
        file = self.opened()
        good, bad = file.proved()
        self.assertEqual(good, IntervalSet.from_pairs([(0, MIB)]))
        self.assertEqual(bad, IntervalSet.from_pairs([(MIB, 2 * MIB)]))

    def test_forgotten(self) -> None:
        """A log that was let go of proves nothing."""
        file = self.opened()
        file.read(0, MIB)
        file.close(forget=True)
        self.assertEqual(self.opened().proved(), (IntervalSet(), IntervalSet()))
