"""Tests for how an upload ends: finished, joined with others, given up."""

from __future__ import annotations

from rangedaemon.core.jobs import OnConflict
from rangedaemon.core.uploadfaults import (
    LengthMismatch,
    NotAPart,
    NotWhole,
    TooLong,
    UnknownUpload,
    UploadGone,
)
from rangedaemon.core.uploads import UploadState, Wish
from rangedaemon.errors import NameTaken
from tests.storage.uploads.case import TUS, Heard, UploadsCase


class LengthTests(UploadsCase):
    """Tests for `set_length`."""

    def test_once(self) -> None:
        """A deferred length is told once; the same again changes nothing."""
        upload = self.send(self.create(None), b"0123")
        self.assertIsNone(upload.length)
        self.assertEqual(self.now(self.store.set_length(upload, 6)).length, 6)
        self.assertEqual(self.now(self.store.set_length(upload, 6)).length, 6)
        self.failing(LengthMismatch, self.store.set_length(upload, 7))
        self.reopen()
        self.assertEqual((self.find(upload).length, self.find(upload).offset), (6, 4))

    def test_contradictions(self) -> None:
        """It is not below what came, nor negative, nor above what the mount takes."""
        self.reopen(max_size=100)
        upload = self.send(self.create(None), b"0123")
        self.failing(LengthMismatch, self.store.set_length(upload, 3))
        self.failing(LengthMismatch, self.store.set_length(upload, -1))
        self.failing(TooLong, self.store.set_length(upload, 101))


class FinishTests(UploadsCase):
    """Tests for `finish`."""

    def test_once(self) -> None:
        """It appears once, whoever asks how often, and its octets' file is gone."""
        upload = self.send(self.create(3), b"abc")
        done = self.now(self.store.finish(upload))
        self.assertEqual(done, self.now(self.store.finish(upload)))
        self.reopen()
        self.assertEqual(self.now(self.store.finish(upload)), done)
        self.assertEqual((self.files(), self.parts()), ({"file.iso": b"abc"}, []))
        found = self.find(upload)
        self.assertEqual((found.state, found.offset), (UploadState.FINISHED, 3))

    def test_empty(self) -> None:
        """An empty upload is whole at once."""
        upload = self.create(0)
        self.assertTrue(upload.whole)
        self.now(self.store.finish(upload))
        self.assertEqual(self.files(), {"file.iso": b""})

    def test_not_whole(self) -> None:
        """Neither with octets missing nor without a length."""
        self.failing(NotWhole, self.store.finish(self.send(self.create(3), b"ab")))
        self.failing(NotWhole, self.store.finish(self.send(self.create(None), b"ab")))
        self.assertEqual(self.files(), {})

    def test_partial(self) -> None:
        """One that is to be joined never gets a name."""
        upload = self.send(self.create(2, partial=True), b"ab")
        self.assertFalse(self.now(self.store.finish(upload)).finished)
        self.assertEqual(self.files(), {})

    def test_name_taken(self) -> None:
        """Each policy keeps its word."""
        for policy, files in (
            (OnConflict.RENAME, {"file.iso": b"old", "file (1).iso": b"new"}),
            (OnConflict.OVERWRITE, {"file.iso": b"new"}),
            (OnConflict.FAIL, {"file.iso": b"old"}),
        ):
            with self.subTest(policy):
                for path in self.root.iterdir():
                    path.unlink()
                (self.root / "file.iso").write_bytes(b"old")
                self.reopen(on_conflict=policy)
                upload = self.send(self.create(3), b"new")
                if policy is OnConflict.FAIL:
                    self.failing(NameTaken, self.store.finish(upload))
                    (self.root / "file.iso").rename(self.root / "old")
                    self.now(self.store.finish(upload))
                    files = {"old": b"old", "file.iso": b"new"}
                else:
                    self.now(self.store.finish(upload))
                self.assertEqual(self.files(), files)

    def test_directory_of_that_name(self) -> None:
        """A directory is never overwritten."""
        (self.root / "file.iso").mkdir()
        self.reopen(on_conflict=OnConflict.OVERWRITE)
        self.failing(NameTaken, self.store.finish(self.send(self.create(3), b"new")))
        self.assertEqual([p.name for p in self.root.iterdir()], ["file.iso"])


class ConcatenateTests(UploadsCase):
    """Tests for `concatenate`."""

    def test_joined(self) -> None:
        """The parts' octets in the order given; a part may be used twice."""
        one = self.send(self.create(3, partial=True), b"abc")
        two = self.send(self.create(2, partial=True), b"de")
        none = self.create(0, partial=True)
        ids = [two.id, one.id, none.id, two.id]
        joined = self.now(self.store.concatenate(TUS, Wish("joined"), ids))
        self.assertEqual((joined.length, joined.offset, joined.parts), (7, 7, tuple(ids)))
        self.now(self.store.finish(joined))
        self.assertEqual(self.files(), {"joined": b"deabcde"})
        self.assertEqual(self.find(one).offset, 3)

    def test_parts_expire(self) -> None:
        """An hour after the whole is published they are gone, and count no more."""
        self.reopen(quota=15)
        parts = [self.send(self.create(3, partial=True), b"abc") for _ in range(2)]
        ids = [part.id for part in parts]
        joined = self.now(self.store.concatenate(TUS, Wish("joined"), ids))
        self.clock.advance(4000)
        self.assertEqual(self.find(parts[0]).offset, 3)
        self.now(self.store.finish(joined))
        self.clock.advance(3601)
        for part in parts:
            self.failing(UploadGone, self.store.find(TUS, part.id))
        self.sweep()
        self.create(9)

    def test_refused(self) -> None:
        """Parts that are not whole, not partial, or not there."""
        whole = self.send(self.create(2), b"ab")
        short = self.send(self.create(2, partial=True), b"a")
        for part, fault in ((whole.id, NotAPart), (short.id, NotWhole), ("0" * 32, UnknownUpload)):
            with self.subTest(fault):
                self.failing(fault, self.store.concatenate(TUS, Wish("x"), [part]))


class TerminateTests(UploadsCase):
    """Tests for `terminate`."""

    def test_unfinished(self) -> None:
        """Its octets go, who writes is told, and it is remembered as gone."""
        heard = Heard()
        upload = self.create()
        writer = self.write(upload, 0, heard.ears)
        writer.push(b"0123")
        self.now(self.store.terminate(upload))
        self.assertEqual([type(f) for f in heard.faults], [UploadGone])
        self.failing(UploadGone, writer.commit())
        self.assertEqual(self.parts(), [])
        self.failing(UploadGone, self.store.find(TUS, upload.id))
        self.failing(UploadGone, self.store.terminate(upload))
        self.failing(UploadGone, self.store.write(upload, 0))

    def test_finished(self) -> None:
        """The file stays, the upload is gone."""
        upload = self.now(self.store.finish(self.send(self.create(1), b"x")))
        self.now(self.store.terminate(upload))
        self.assertEqual(self.files(), {"file.iso": b"x"})
        self.failing(UploadGone, self.store.find(TUS, upload.id))
