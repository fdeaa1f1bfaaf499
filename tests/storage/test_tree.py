"""Tests for `rangedaemon.storage.tree`: what is opened, and what never is."""

from __future__ import annotations

import errno
import os
import socket
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.errors import StorageFault
from rangedaemon.storage.tree import (
    Drift,
    Entry,
    Forbidden,
    IsDirectory,
    NoSuchFile,
    OpenFile,
    ServedTree,
)


class TreeCase(SynchronousTestCase):
    """A root with a file in a directory, and a secret beside the root."""

    def setUp(self) -> None:
        """Make them."""
        outside = Path(self.mktemp())
        self.root = outside / "root"
        (self.root / "dir").mkdir(parents=True)
        self.file = self.root / "dir" / "f.txt"
        self.file.write_bytes(b"octets")
        (outside / "root-private").mkdir()
        (outside / "root-private" / "secret").write_bytes(b"secret")
        (outside / "secret").write_bytes(b"secret")
        self.tree = ServedTree(self.root)
        self.following = ServedTree(self.root, follow_symlinks=True)

    def open(self, *segments: str, tree: ServedTree | None = None) -> OpenFile:
        """Open, and close when the test is over."""
        opened = (tree or self.tree).open(segments)
        self.addCleanup(opened.close)
        return opened

    def read(self, *segments: str, tree: ServedTree | None = None) -> bytes:
        """The octets of a file."""
        opened = self.open(*segments, tree=tree)
        return os.pread(opened.fd, opened.size, 0)

    def link(self, name: str, target: str | Path) -> None:
        """A link in the root."""
        (self.root / name).symlink_to(target)


class OpenTests(TreeCase):
    """Regular files below the root, and nothing else."""

    def test_facts(self) -> None:
        """An open file knows what a stat of it says."""
        opened, found = self.open("dir", "f.txt"), self.file.stat()
        self.assertEqual(
            (opened.name, opened.size, opened.mtime_ns, opened.ctime_ns),
            ("f.txt", 6, found.st_mtime_ns, found.st_ctime_ns),
        )
        self.assertEqual((opened.inode, opened.device), (found.st_ino, found.st_dev))

    def test_close_twice(self) -> None:
        """A second close does not close a stranger's descriptor."""
        opened = self.tree.open(["dir", "f.txt"])
        number = opened.fd
        opened.close()
        stranger = self.open("dir", "f.txt").fd
        if stranger != number:
            os.dup2(stranger, number)
            self.addCleanup(os.close, number)
        opened.close()
        self.assertEqual(os.pread(number, 6, 0), b"octets")

    def test_not_inherited(self) -> None:
        """Child processes do not get the descriptor."""
        self.assertFalse(os.get_inheritable(self.open("dir", "f.txt").fd))

    def test_absent(self) -> None:
        """Names of nothing, names too long, files used as directories: not found."""
        long = ["x" * 300]
        for segments in (["no"], ["no", "f"], ["dir", "f.txt", "x"], long, ["a"] * 200):
            self.assertRaises(NoSuchFile, self.tree.open, segments)

    def test_refused_names(self) -> None:
        """Segments that mean something else to the operating system are no names."""
        for name in (
            "",
            ".",
            "..",
            "a\0",
            "\0",
            "dir/f.txt",
            "/etc/passwd",
            "dir\\f.txt",
            "\ud800",
        ):
            self.assertRaises(NoSuchFile, self.tree.open, [name])
            self.assertRaises(NoSuchFile, self.tree.open, ["dir", name])
            self.assertRaises(NoSuchFile, self.tree.listdir, ["dir", name])

    def test_undecodable_name(self) -> None:
        """A name that is not UTF-8 is reached by its surrogates."""
        (self.root / os.fsdecode(b"\xff.bin")).write_bytes(b"x")
        self.assertEqual(self.read("\udcff.bin"), b"x")

    def test_directories(self) -> None:
        """A directory is a result of its own, the root too."""
        self.assertRaises(IsDirectory, self.tree.open, [])
        self.assertRaises(IsDirectory, self.tree.open, ["dir"])

    def test_hidden(self) -> None:
        """Dot-files are there only for trees that show them."""
        (self.root / ".git").mkdir()
        (self.root / ".git" / "config").write_bytes(b"x")
        self.assertRaises(NoSuchFile, self.tree.open, [".git", "config"])
        showing = ServedTree(self.root, hidden_files=True)
        self.assertEqual(self.read(".git", "config", tree=showing), b"x")
        self.assertRaises(NoSuchFile, showing.open, [".."])

    def test_special_files(self) -> None:
        """FIFOs, sockets and devices are refused, and nothing waits for them."""
        os.mkfifo(self.root / "fifo")
        server = socket.socket(socket.AF_UNIX)
        self.addCleanup(server.close)
        here = Path.cwd()
        os.chdir(self.root)
        self.addCleanup(os.chdir, here)
        server.bind("socket")
        os.chdir(here)
        for name in ("fifo", "socket"):
            self.assertRaises(Forbidden, self.tree.open, [name])
        self.assertRaises(Forbidden, ServedTree("/dev").open, ["null"])

    def test_fifo_swapped_in(self) -> None:
        """A FIFO that takes a file's place between look and open is opened without waiting."""
        os.mkfifo(self.root / "fifo")
        look = self.file.lstat()
        real = os.lstat
        self.patch(os, "lstat", lambda p, **kw: look if str(p) == "fifo" else real(p, **kw))
        self.assertRaises(Forbidden, self.tree.open, ["fifo"])

    def test_link_swapped_in(self) -> None:
        """A link that takes a file's place between look and open is not followed."""
        self.link("f", "../secret")
        look = self.file.lstat()
        real = os.lstat
        self.patch(os, "lstat", lambda p, **kw: look if str(p) == "f" else real(p, **kw))
        self.assertRaises(Forbidden, self.tree.open, ["f"])

    def test_no_permission(self) -> None:
        """What the operating system refuses is refused, and what it fails at is its fault."""
        for number, fault in ((errno.EACCES, Forbidden), (errno.EMFILE, StorageFault)):

            def fail(*_: object, code: int = number, **__: object) -> int:
                raise OSError(code, "no")

            with self.subTest(number):
                self.patch(os, "open", fail)
                self.assertRaises(fault, self.tree.open, ["dir", "f.txt"])

    def test_nothing_leaks(self) -> None:
        """No outcome leaves a descriptor behind."""
        os.mkfifo(self.root / "fifo")
        self.link("up", "../secret")
        before = len(os.listdir("/proc/self/fd"))
        for segments in (["dir", "no"], ["dir"], ["fifo"], ["up"], ["dir", "f.txt", "x"]):
            for tree in (self.tree, self.following):
                self.assertRaises((NoSuchFile, IsDirectory, Forbidden), tree.open, segments)
        self.tree.open(["dir", "f.txt"]).close()
        self.tree.listdir([])
        self.assertEqual(len(os.listdir("/proc/self/fd")), before)

    @given(st.lists(st.sampled_from(["..", ".", "", "dir", "f.txt", "secret", "root-private"])))
    def test_never_outside(self, segments: list[str]) -> None:
        """Whatever the segments, nothing but the one file is ever opened."""
        try:
            opened = self.following.open(segments)
        except (NoSuchFile, IsDirectory):
            return
        opened.close()
        self.assertEqual(segments, ["dir", "f.txt"])


class LinkTests(TreeCase):
    """Links are refused, or followed as far as they stay below the root."""

    def test_refused(self) -> None:
        """Links are not followed unless told, be they last or on the way."""
        self.link("file", "dir/f.txt")
        self.link("folder", "dir")
        self.assertRaises(Forbidden, self.tree.open, ["file"])
        self.assertRaises(Forbidden, self.tree.open, ["folder", "f.txt"])
        self.assertRaises(Forbidden, self.tree.listdir, ["folder"])

    def test_followed(self) -> None:
        """Relative and absolute links below the root, and links to links."""
        (self.root / "dir" / "back").symlink_to("../dir/./f.txt")
        self.link("file", "dir/f.txt")
        self.link("folder", self.root.absolute() / "dir")
        self.link("again", "folder")
        for segments in (["file"], ["folder", "f.txt"], ["again", "f.txt"], ["dir", "back"]):
            self.assertEqual(self.read(*segments, tree=self.following), b"octets")

    def test_outside(self) -> None:
        """Links that leave the root are refused, even where they come back."""
        private = f"{self.root.absolute()}-private/secret"
        back = "../root/dir/f.txt"
        for number, target in enumerate(
            ["../secret", "/etc/passwd", back, "dir/../../secret", private]
        ):
            self.link(f"l{number}", target)
            self.assertRaises(Forbidden, self.following.open, [f"l{number}"])

    def test_loop(self) -> None:
        """Links that bite their tail end in a refusal."""
        self.link("a", "b")
        self.link("b", "a")
        self.assertRaises(Forbidden, self.following.open, ["a"])

    def test_root_is_link(self) -> None:
        """The root itself may be a link; absolute links may name it either way."""
        place = self.root.parent / "place"
        place.symlink_to("root")
        self.link("file", self.root.absolute() / "dir" / "f.txt")
        self.link("other", place.absolute() / "dir" / "f.txt")
        tree = ServedTree(place, follow_symlinks=True)
        self.assertEqual(self.read("file", tree=tree), b"octets")
        self.assertEqual(self.read("other", tree=tree), b"octets")


class ListTests(TreeCase):
    """Directories list what would be opened."""

    def test_entries(self) -> None:
        """Files with their size, directories without, by name; nothing that is not served."""
        os.mkfifo(self.root / "fifo")
        (self.root / ".hidden").touch()
        (self.root / "back\\slash").touch()
        (self.root / "a").write_bytes(b"123")
        self.link("link", "a")
        times = {p.name: p.stat().st_mtime_ns for p in self.root.iterdir()}
        self.assertEqual(
            self.tree.listdir([]),
            [Entry("a", False, 3, times["a"]), Entry("dir", True, 0, times["dir"])],
        )
        self.assertEqual([e.name for e in self.tree.listdir(["dir"])], ["f.txt"])

    def test_links(self) -> None:
        """Where links are followed they are listed as what they lead to."""
        self.link("file", "dir/f.txt")
        self.link("folder", "dir")
        self.link("outside", "../secret")
        self.link("broken", "nowhere")
        found = [(e.name, e.is_dir, e.size) for e in self.following.listdir([])]
        self.assertEqual(found, [("dir", True, 0), ("file", False, 6), ("folder", True, 0)])

    def test_not_a_directory(self) -> None:
        """A file has no entries, and nothing has none either."""
        self.assertRaises(NoSuchFile, self.tree.listdir, ["dir", "f.txt"])
        self.assertRaises(NoSuchFile, self.tree.listdir, ["no"])


class DriftTests(TreeCase):
    """What became of a file since it was opened."""

    def setUp(self) -> None:
        """Open it, as something that was last written long ago."""
        super().setUp()
        os.utime(self.file, (1, 1))
        self.opened = self.open("dir", "f.txt")

    def test_same(self) -> None:
        """Nothing happened."""
        self.assertIs(self.opened.drift(), Drift.SAME)
        self.assertTrue(self.opened.still_same())

    def test_grown(self) -> None:
        """Added to: what was promised is still there."""
        with self.file.open("ab") as file:
            file.write(b"!")
        self.assertIs(self.opened.drift(), Drift.GROWN)
        self.assertTrue(self.opened.still_same())

    def test_changed(self) -> None:
        """Cut, or written over."""
        self.file.write_bytes(b"OCTETS")
        self.assertIs(self.opened.drift(), Drift.CHANGED)
        self.file.write_bytes(b"")
        self.assertIs(self.opened.drift(), Drift.CHANGED)
        self.assertFalse(self.opened.still_same())

    def test_time_set_back(self) -> None:
        """Written over with the old time restored: the change of ctime tells."""
        self.file.write_bytes(b"OCTETS")
        os.utime(self.file, (1, 1))
        self.assertIs(self.opened.drift(), Drift.CHANGED)

    def test_owner_changes(self) -> None:
        """Other permissions, another name or none: the octets are the same."""
        self.file.chmod(0o600)
        self.assertIs(self.opened.drift(), Drift.SAME)
        fresh = self.root / "fresh"
        fresh.write_bytes(b"another file")
        fresh.replace(self.file)
        self.assertIs(self.opened.drift(), Drift.SAME)
