"""Tests for `rangedaemon.storage.uploads.sweeping`: what expires, and what stays."""

from __future__ import annotations

from rangedaemon.core.uploadfaults import AlreadyFinished, UnknownUpload, UploadGone
from rangedaemon.core.uploads import UploadState, Wish
from rangedaemon.storage.uploads.sweeping import LOOKED_AFTER, REMEMBERED, SLICE
from tests.storage.uploads.case import SEGMENTED, TUS, UploadsCase


class ExpiryTests(UploadsCase):
    """Tests for the time of uploads."""

    def setUp(self) -> None:
        """A mount whose uploads live for 100 seconds."""
        super().setUp()
        self.reopen(expire=100.0)

    def test_unfinished(self) -> None:
        """Gone when its time is over, its octets with the sweep, its name after a while."""
        upload = self.send(self.create(), b"0123")
        self.clock.advance(101)
        self.failing(UploadGone, self.store.find(TUS, upload.id))
        self.failing(UploadGone, self.store.write(upload, 4))
        self.assertEqual(len(self.parts()), 1)
        self.sweep()
        self.assertEqual(self.parts(), [])
        self.failing(UploadGone, self.store.find(TUS, upload.id))
        self.clock.advance(REMEMBERED + 1)
        self.sweep()
        self.failing(UnknownUpload, self.store.find(TUS, upload.id))

    def test_octets_give_time(self) -> None:
        """Each run that is committed moves the end."""
        upload = self.create()
        self.clock.advance(90)
        told = self.send(upload, b"0123")
        self.assertEqual(told.expires, upload.expires + 90)
        self.clock.advance(90)
        self.sweep()
        self.assertEqual(self.find(upload).offset, 4)

    def test_busy(self) -> None:
        """While somebody writes, however slowly, it does not expire."""
        upload = self.create()
        writer = self.write(upload, 0)
        self.clock.advance(150)
        self.sweep()
        writer.push(b"0123456789")
        self.assertTrue(self.now(writer.commit()).whole)

    def test_finished(self) -> None:
        """It is told of for as long, then counts while its file is there; the file stays."""
        upload = self.now(self.store.finish(self.send(self.create(1), b"x")))
        self.clock.advance(90)
        self.sweep()
        self.assertTrue(self.find(upload).finished)
        self.clock.advance(20)
        self.sweep()
        self.failing(UploadGone, self.store.find(TUS, upload.id))
        self.clock.advance(LOOKED_AFTER + 1)
        self.sweep()
        self.failing(UploadGone, self.store.find(TUS, upload.id))
        self.assertEqual(self.files(), {"file.iso": b"x"})
        (self.root / "file.iso").unlink()
        self.clock.advance(LOOKED_AFTER + 1)
        self.sweep()
        self.failing(UnknownUpload, self.store.find(TUS, upload.id))

    def test_slices(self) -> None:
        """Many are swept a few at a time, and all at last."""
        uploads = [self.send(self.create(1), b"x") for _ in range(SLICE * 2 + 1)]
        self.clock.advance(101)
        self.assertTrue(self.now(self.store.sweep()))
        self.assertEqual(len(self.parts()), SLICE + 1)
        self.sweep()
        self.assertEqual(self.parts(), [])
        self.assertEqual(len({upload.id for upload in uploads}), SLICE * 2 + 1)

    def test_mount_is_gone(self) -> None:
        """Uploads of a mount that the configuration has no more expire like others."""
        upload = self.send(self.create(2), b"a")
        whole = self.send(self.create(1), b"b")
        self.clock.advance(101)
        self.reopen(path="/elsewhere")
        self.sweep()
        self.assertEqual(self.parts(), [])
        for gone in (upload, whole):
            self.failing(UploadGone, self.store.find(TUS, gone.id))


class ReuseTests(UploadsCase):
    """Tests for ids by clients that come again."""

    def finished(self) -> None:
        """A finished upload with the id 1."""
        upload = self.create(3, SEGMENTED, id="1")
        self.now(self.store.finish(self.send(upload, b"old")))

    def test_refused_while_remembered(self) -> None:
        """An id that is finished or gone is not silently another upload."""
        self.finished()
        wish = Wish("new", id="1", length=3)
        self.failing(AlreadyFinished, self.store.create(SEGMENTED, wish))
        self.now(self.store.terminate(self.create(3, SEGMENTED, id="2")))
        self.failing(UploadGone, self.store.create(SEGMENTED, Wish("new", id="2", length=3)))

    def test_replaced(self) -> None:
        """With that wish it begins anew; what was published stays."""
        self.finished()
        upload = self.create(3, SEGMENTED, id="1", replace=True)
        self.assertEqual((upload.offset, self.find(upload).state), (0, UploadState.OPEN))
        self.now(self.store.finish(self.send(upload, b"new")))
        self.assertEqual(self.files(), {"file.iso": b"old", "file (1).iso": b"new"})

    def test_forgotten(self) -> None:
        """Long after the end the id is free."""
        self.finished()
        self.clock.advance(self.mount.expire + 1)
        self.sweep()
        self.create(3, SEGMENTED, id="1")

    def test_expired(self) -> None:
        """One that has expired makes way; its octets go with the sweep."""
        old = self.send(self.create(3, SEGMENTED, id="1"), b"o")
        self.clock.advance(self.mount.expire + 1)
        new = self.send(self.create(3, SEGMENTED, id="1"), b"n")
        self.sweep()
        self.assertEqual(self.parts(), [new.file])
        self.assertNotEqual(old.file, new.file)
        self.assertEqual(self.find(new).offset, 1)
