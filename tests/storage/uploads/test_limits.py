"""Tests for quotas, parallel requests and free space, in `rangedaemon.storage.uploads`."""

from __future__ import annotations

import os
from dataclasses import replace

from rangedaemon.core import uploadrules
from rangedaemon.core.uploadfaults import QuotaExceeded, TooManyPieces, TooManyUploads
from rangedaemon.core.uploads import Wish
from rangedaemon.errors import NoSpace
from rangedaemon.storage.threads import inline
from rangedaemon.storage.uploads import store
from tests.storage.uploads.case import SEGMENTED, TUS, Heard, UploadsCase


class QuotaTests(UploadsCase):
    """Tests for octets of a mount and of an owner."""

    def test_declared(self) -> None:
        """What is declared counts, before an octet has come."""
        self.reopen(quota=10)
        self.create(6)
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=5)))
        self.create(4)
        self.create(0)

    def test_of_owner(self) -> None:
        """Each owner has a share of its own; the anonymous ones are one."""
        self.reopen(quota_per_owner=10, quota=25)
        anna, berta = replace(TUS, owner="anna"), replace(TUS, owner="berta")
        for scope in (anna, berta):
            self.create(10, scope)
            self.failing(QuotaExceeded, self.store.create(scope, Wish("x", length=1)))
        self.create(5)
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=1)))

    def test_deferred(self) -> None:
        """Without a length counts what came; what is above is never acknowledged."""
        self.reopen(quota=10)
        upload = self.send(self.create(None), b"0123456")
        self.assertEqual(self.find(upload).reserved, 7)
        heard = Heard()
        writer = self.write(upload, 7, heard.ears)
        writer.push(b"789x")
        self.clock.advance(1)
        self.clock.advance(1)
        self.assertEqual([type(fault) for fault in heard.faults], [QuotaExceeded])
        self.failing(QuotaExceeded, writer.commit())
        self.assertEqual(self.find(upload).offset, 7)
        self.failing(QuotaExceeded, self.store.set_length(upload, 11))
        self.assertTrue(self.send(self.now(self.store.set_length(upload, 10)), b"789", 7).whole)

    def test_announced(self) -> None:
        """A run that tells its length is refused at once; what did not come is given back."""
        self.reopen(quota=10)
        upload = self.create(None)
        self.failing(QuotaExceeded, self.store.write(upload, 0, count=11))
        writer = self.write(upload, 0, count=8)
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=3)))
        writer.push(b"012")
        self.now(writer.abandon())
        self.create(7)
        self.assertEqual(self.find(upload).reserved, 3)

    def test_given_back(self) -> None:
        """What is terminated counts no more; what is finished does, while its file is there."""
        self.reopen(quota=10)
        self.now(self.store.terminate(self.create(10)))
        upload = self.now(self.store.finish(self.send(self.create(10), b"0123456789")))
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=1)))
        self.now(self.store.terminate(upload))
        self.sweep()
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=1)))
        assert upload.path is not None
        upload.path.unlink()
        self.clock.advance(7200)
        self.sweep()
        self.create(10)

    def test_removed_files(self) -> None:
        """Who has removed finished files has room again at once."""
        self.reopen(quota=10)
        for name in ("a", "b"):
            self.now(self.store.finish(self.send(self.create(5, name=name), b"01234")))
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=1)))
        (self.root / "a").unlink()
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=6)))
        self.create(5)
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=1)))

    def test_over_lives(self) -> None:
        """A kill changes nothing of what counts."""
        self.reopen(quota=10)
        self.create(6)
        self.reopen()
        self.failing(QuotaExceeded, self.store.create(TUS, Wish("x", length=5)))


class CountTests(UploadsCase):
    """Tests for unfinished uploads and requests at the same time."""

    def test_unfinished(self) -> None:
        """No more than the limit are unfinished; a finished one makes room."""
        self.reopen(max_unfinished=2)
        first = self.create(1)
        self.create(1)
        self.failing(TooManyUploads, self.store.create(TUS, Wish("x", length=1)))
        self.now(self.store.finish(self.send(first, b"x")))
        self.create(1)

    def test_parallel(self) -> None:
        """No more than the limit write; who takes over from himself is not one more."""
        self.reopen(max_parallel=2)
        first, second, third = (self.create(9) for _ in range(3))
        writer = self.write(first, 0)
        self.write(second, 0)
        self.failing(TooManyUploads, self.store.write(third, 0))
        self.write(second, 0)
        self.now(writer.commit())
        self.write(third, 0)

    def test_scattered(self) -> None:
        """Segments of one octet everywhere are taken up to a limit."""
        self.patch(uploadrules, "MOST_PIECES", 3)
        upload = self.create(100, SEGMENTED, id="s")
        for at in (0, 2, 4):
            upload = self.send(upload, b"x", at)
        self.failing(TooManyPieces, self.store.write(upload, 6, count=1))
        self.send(upload, b"x", 1)
        self.send(upload, b"x", 6)


class RoomTests(UploadsCase):
    """Tests for the free space of the disk."""

    def test_no_room(self) -> None:
        """A length that does not fit is refused at once, an upload stays as it is."""
        upload = self.create(None)
        huge = 1 << 49
        self.failing(NoSpace, self.store.create(TUS, Wish("x", length=huge)))
        self.failing(NoSpace, self.store.set_length(upload, huge))
        self.assertIsNone(self.find(upload).length)

    def test_kept_free(self) -> None:
        """Some of the disk is nobody's."""
        room = os.statvfs(self.directory)
        free = room.f_bavail * room.f_frsize
        self.store = store.open_upload_store(
            self.state,
            [self.mount],
            journal=self.journal,
            in_thread=inline,
            clock=self.clock,
            keep_free=free,
        )
        self.failing(NoSpace, self.store.create(TUS, Wish("x", length=1 << 30)))
