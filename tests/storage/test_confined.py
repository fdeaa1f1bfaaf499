"""Tests for `rangedaemon.storage.confined`: places below a directory, past no link."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.errors import StorageFault
from rangedaemon.storage.confined import delete_below, folds_case, make_folders


class ConfinedCase(SynchronousTestCase):
    """Has a directory, and another one beside it that nothing may touch."""

    def setUp(self) -> None:
        """Outside is a file that a link could lead to."""
        self.scratch = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.scratch)
        self.base, self.outside = self.scratch / "base", self.scratch / "outside"
        self.outside.mkdir()
        (self.outside / "f").write_text("theirs")

    def below(self) -> set[str]:
        """What is below the directory."""
        return {str(path.relative_to(self.base)) for path in self.base.rglob("*")}


class MakeTests(ConfinedCase):
    """Making folders."""

    def test_made(self) -> None:
        """With all on the way to them, the directory itself too; twice is once."""
        for _ in range(2):
            self.assertEqual(make_folders(self.base, ["a/b", "c", ""]), [])
        self.assertEqual(self.below(), {"a", "a/b", "c"})

    def test_in_the_way(self) -> None:
        """Links and files are not followed and not replaced; other folders are made."""
        self.base.mkdir()
        (self.base / "link").symlink_to(self.outside)
        (self.base / "file").write_text("x")
        refused = make_folders(self.base, ["link", "link/deep", "file/x", "../up", "fine"])
        self.assertEqual(sorted(refused), ["../up", "file/x", "link", "link/deep"])
        self.assertEqual(self.below(), {"link", "file", "fine"})
        self.assertEqual([*self.outside.iterdir()], [self.outside / "f"])

    def test_base_may_be_a_link(self) -> None:
        """The directory itself is the operator's to choose."""
        self.base.symlink_to(self.outside)
        self.assertEqual(make_folders(self.base, ["a"]), [])
        self.assertTrue((self.outside / "a").is_dir())

    def test_disk_refuses(self) -> None:
        """A directory that cannot be is a fault of the disk, told as one."""
        self.assertRaises(StorageFault, make_folders, self.outside / "f" / "x", ["a"])


class DeleteTests(ConfinedCase):
    """Deleting files."""

    def test_deleted(self) -> None:
        """Files go, and folders that are empty then; others stay, and so does the directory."""
        make_folders(self.base, ["a/b", "c"])
        for name in ("a/b/f", "c/f", "c/other", "top"):
            (self.base / name).write_text("x")
        self.assertEqual(delete_below(self.base, ["a/b/f", "c/f", "top", "gone", "no/f"]), 3)
        self.assertEqual(self.below(), {"c", "c/other"})
        self.assertEqual(delete_below(self.base, ["c/other"]), 1)
        self.assertTrue(self.base.is_dir())

    def test_links(self) -> None:
        """No link is followed, be it a folder or the file; none is deleted."""
        self.base.mkdir()
        (self.base / "folder").symlink_to(self.outside)
        (self.base / "file").symlink_to(self.outside / "f")
        self.assertEqual(delete_below(self.base, ["folder/f", "file", "../outside/f"]), 0)
        self.assertEqual((self.outside / "f").read_text(), "theirs")
        self.assertTrue((self.base / "folder").is_symlink())
        self.assertTrue((self.base / "file").is_symlink())

    def test_no_file(self) -> None:
        """A folder of that name is no file."""
        make_folders(self.base, ["a/b"])
        self.assertEqual(delete_below(self.base, ["a/b", "a"]), 0)
        self.assertEqual(self.below(), {"a", "a/b"})


class FoldsTests(ConfinedCase):
    """Whether case matters."""

    def test_here(self) -> None:
        """Told as it is, and nothing is left behind."""
        folds = folds_case(self.base)
        (self.base / "a").write_text("")
        self.assertIs(folds, (self.base / "A").exists())
        self.assertEqual(self.below(), {"a"})
