"""Tests for octets that a lane puts into an upload's file, past the one who would push them."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

from twisted.internet.defer import Deferred

from rangedaemon.core.uploads import Upload
from rangedaemon.errors import NoSpace
from rangedaemon.storage.lanes import Store
from rangedaemon.storage.threads import inline
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.store import open_upload_store
from rangedaemon.storage.uploads.writing import RunWriter
from tests.client.world import HandFired
from tests.storage.uploads.case import SEGMENTED, START, Heard, UploadsCase

CONTENT = b"0123456789"


def moving(octets: bytes) -> Callable[[Store, int], int]:
    """What a lane does where the socket has these octets."""
    return lambda store, offset: store.write(offset, [octets])


class HaulTests(UploadsCase):
    """Tests for `RunWriter.haul`."""

    def setUp(self) -> None:
        """A store whose lane does its work when the test says so."""
        super().setUp()
        self.lane = HandFired()
        self.told: list[int] = []
        self.heard = Heard()
        self.store = open_upload_store(
            self.state,
            [UploadMount("/files", self.root)],
            journal=self.journal,
            in_thread=inline,
            in_lane=self.lane,
            clock=self.clock,
            wall=lambda: START + self.clock.seconds(),
            keep_free=0,
        )

    def begin(self, upload: Upload, offset: int = 0, **asked: str) -> RunWriter:
        """A writer that is ready for hauls."""
        writer = self.write(upload, offset, self.heard.ears, **asked)
        assert isinstance(writer, RunWriter)
        return writer

    def haul(self, writer: RunWriter, octets: bytes) -> Deferred[None]:
        """Have octets hauled, when the lane gets to it."""
        return Deferred.fromCoroutine(writer.haul(moving(octets), self.told.append))

    def test_counted(self) -> None:
        """They count like pushed ones, behind those that were pushed before."""
        upload = self.create(len(CONTENT))
        writer = self.begin(upload)
        writer.push(CONTENT[:2])
        self.assertEqual(writer.wanted(), 8)
        hauling = self.haul(writer, CONTENT[2:6])
        self.assertEqual(self.told, [])
        self.lane.fire()
        self.successResultOf(hauling)
        self.assertEqual((self.told, writer.offset, writer.wanted()), ([4], 6, 4))
        writer.push(CONTENT[6:])
        self.now(self.store.finish(self.now(writer.commit())))
        self.assertEqual(self.files(), {"file.iso": CONTENT})

    def test_commit_waits(self) -> None:
        """A run ends when its haul is over, not before."""
        writer = self.begin(self.create(len(CONTENT)))
        self.haul(writer, CONTENT)
        committing = Deferred.fromCoroutine(writer.commit())
        self.assertNoResult(committing)
        self.lane.fire()
        self.assertTrue(self.successResultOf(committing).whole)

    def test_taken_over(self) -> None:
        """What a haul brings that is under way counts for the newer request."""
        upload = self.create(len(CONTENT))
        older = self.begin(upload)
        self.haul(older, CONTENT[:4])
        asking = Deferred.fromCoroutine(self.store.find(upload.scope, upload.id, preempt=True))
        self.assertNoResult(asking)
        self.assertEqual(older.wanted(), 0)
        self.lane.fire()
        self.assertEqual(self.successResultOf(asking).offset, 4)
        self.send(upload, CONTENT[4:], 4)
        self.now(self.store.finish(upload))
        self.assertEqual(self.files(), {"file.iso": CONTENT})

    def test_claimed_meanwhile(self) -> None:
        """Checkpoints claim what was hauled, and nothing that is on its way."""
        upload = self.create(len(CONTENT))
        writer = self.begin(upload)
        self.haul(writer, CONTENT[:4])
        self.lane.fire()
        self.haul(writer, CONTENT[4:])
        self.clock.advance(1)
        self.assertEqual((self.heard.committed, self.find(upload).offset), ([4], 4))

    def test_full_disk(self) -> None:
        """The sender is told; what came before is there."""
        upload = self.create(len(CONTENT))
        writer = self.begin(upload)
        writer.push(CONTENT[:4])

        def full(_store: Store, _offset: int) -> int:
            raise NoSpace("full")

        hauling = Deferred.fromCoroutine(writer.haul(full, self.told.append))
        self.lane.fire()
        self.successResultOf(hauling)
        self.assertEqual(([type(f) for f in self.heard.faults], self.told), ([NoSpace], []))
        self.failing(NoSpace, writer.commit())
        self.assertEqual(self.find(upload).offset, 4)

    def test_not_wanted(self) -> None:
        """What must be looked at, or is there already, has to be pushed."""
        digest = "sha-1=" + hashlib.sha1(CONTENT).hexdigest()
        self.assertEqual(self.begin(self.create(10), digest=digest).wanted(), 0)
        upload = self.create(10, SEGMENTED, id="s")
        self.send(upload, b"34", 3)
        self.assertEqual(self.begin(upload).wanted(), 0)
        ended = self.begin(self.create(10))
        self.now(ended.abandon())
        self.assertEqual(ended.wanted(), 0)
        self.successResultOf(self.haul(ended, CONTENT))
        self.assertEqual((self.lane.waiting, self.told), ([], []))
