"""Tests for the names of a part file: claimed, published, given up."""

from __future__ import annotations

import errno
import os

from rangedaemon.core.jobs import OnConflict
from rangedaemon.errors import NameTaken, StorageFault
from rangedaemon.storage.partfile import discard, part_path
from rangedaemon.storage.publishing import claim_name, publish
from tests.storage.partfiles import PartFileCase


class ClaimNameTests(PartFileCase):
    """Tests for `claim_name`."""

    def claim(self, on_conflict: OnConflict) -> str:
        """The final name that is settled."""
        final, part = claim_name(self.directory / "file.iso", on_conflict)
        self.addCleanup(part.close)
        self.assertEqual(part.path, part_path(final))
        return final.name

    def test_free(self) -> None:
        """A name that nobody has is taken as it is, under each policy."""
        for policy in OnConflict:
            with self.subTest(policy):
                self.assertEqual(self.claim(policy), "file.iso")
                self.path.unlink()

    def test_final_name_taken(self) -> None:
        """To rename goes on to the next number, overwrite keeps the name, fail refuses."""
        for name in ("file.iso", "file (1).iso"):
            (self.directory / name).write_bytes(b"old")
        self.assertRaises(NameTaken, self.claim, OnConflict.FAIL)
        self.assertEqual(self.claim(OnConflict.RENAME), "file (2).iso")
        self.assertEqual(self.claim(OnConflict.OVERWRITE), "file.iso")
        self.assertEqual((self.directory / "file.iso").read_bytes(), b"old")

    def test_dangling_link_is_a_taken_name(self) -> None:
        """A link to nowhere is something of that name."""
        (self.directory / "file.iso").symlink_to(self.directory / "nowhere")
        self.assertEqual(self.claim(OnConflict.RENAME), "file (1).iso")

    def test_two_jobs_want_one_name(self) -> None:
        """Each gets its own part file."""
        self.assertEqual(self.claim(OnConflict.RENAME), "file.iso")
        self.assertEqual(self.claim(OnConflict.RENAME), "file (1).iso")
        self.assertRaises(NameTaken, self.claim, OnConflict.FAIL)


class PublishTests(PartFileCase):
    """Tests for `publish`."""

    def setUp(self) -> None:
        """A part file that is whole."""
        super().setUp()
        self.final = self.directory / "file.iso"
        self.left(b"new")

    def names(self) -> list[str]:
        """What is in the directory."""
        return sorted(path.name for path in self.directory.iterdir())

    def test_free_name(self) -> None:
        """The file has its final name, the part file is gone."""
        for policy in OnConflict:
            with self.subTest(policy):
                self.assertEqual(publish(self.path, self.final, policy), self.final)
                self.assertEqual(self.names(), ["file.iso"])
                self.final.rename(self.path)

    def test_taken_name(self) -> None:
        """No policy but overwrite ever touches what is there."""
        self.final.write_bytes(b"old")
        self.assertRaises(NameTaken, publish, self.path, self.final, OnConflict.FAIL)
        self.assertEqual(self.names(), ["file.iso", "file.iso.part"])
        renamed = publish(self.path, self.final, OnConflict.RENAME)
        self.assertEqual((renamed.name, renamed.read_bytes()), ("file (1).iso", b"new"))
        self.assertEqual(self.final.read_bytes(), b"old")

    def test_overwrite_is_one_step(self) -> None:
        """The old file is there until the new one is: the name is never without a file."""
        self.final.write_bytes(b"old")
        before = self.path.stat().st_ino
        publish(self.path, self.final, OnConflict.OVERWRITE)
        self.assertEqual((self.final.stat().st_ino, self.names()), (before, ["file.iso"]))

    def test_link_is_replaced_not_followed(self) -> None:
        """Where the final name is a link, the link gives way and its target stays."""
        target = self.directory / "target"
        target.write_bytes(b"target")
        self.final.symlink_to(target)
        publish(self.path, self.final, OnConflict.OVERWRITE)
        self.assertFalse(self.final.is_symlink())
        self.assertEqual(target.read_bytes(), b"target")

    def test_killed_between_its_two_names(self) -> None:
        """A run that died after the link finds its own file: no second copy is made."""
        os.link(self.path, self.final)
        self.assertEqual(publish(self.path, self.final, OnConflict.RENAME), self.final)
        self.assertEqual(self.names(), ["file.iso"])

    def test_file_system_without_links(self) -> None:
        """Where there are no hard links it is renamed, and still overwrites nothing."""

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        self.patch(os, "link", refuse)
        self.final.write_bytes(b"old")
        renamed = publish(self.path, self.final, OnConflict.RENAME)
        self.assertEqual(renamed.name, "file (1).iso")
        self.assertEqual(self.final.read_bytes(), b"old")

    def test_no_links_and_the_policy_to_fail(self) -> None:
        """Without hard links, too, a taken name is refused where the policy says so."""

        def refuse(*_: object, **__: object) -> None:
            raise OSError(errno.EPERM, os.strerror(errno.EPERM))

        self.patch(os, "link", refuse)
        self.final.write_bytes(b"old")
        self.assertRaises(NameTaken, publish, self.path, self.final, OnConflict.FAIL)
        self.assertEqual(self.names(), ["file.iso", "file.iso.part"])

    def test_directory_is_synced(self) -> None:
        """The name is on the disk when it returns."""
        synced: list[bool] = []
        fsync = os.fsync

        def spy(descriptor: int) -> None:
            synced.append(self.final.exists())
            fsync(descriptor)

        self.patch(os, "fsync", spy)
        publish(self.path, self.final, OnConflict.RENAME)
        self.assertEqual(synced, [True])


class DiscardTests(PartFileCase):
    """Tests for `discard`."""

    def test_there_or_not(self) -> None:
        """What is there goes, what is not is no error."""
        self.left()
        discard(self.path, self.directory / "never")
        self.assertEqual(list(self.directory.iterdir()), [])

    def test_directory_is_a_fault(self) -> None:
        """Something that is no file is not removed."""
        self.path.mkdir()
        self.assertRaises(StorageFault, discard, self.path)
        self.assertTrue(self.path.is_dir())
