"""Tests with real threads: what runs at the same time does not get in each other's way."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase

from rangedaemon.core.uploads import Upload, Wish
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.threads import OwnThreads, pooled
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.ports import Ears
from rangedaemon.storage.uploads.store import open_upload_store
from tests.storage.uploads.case import SEGMENTED, TUS, octets

BLOCK = 100_000


class ThreadsTests(TestCase):
    """A store over the reactor, a pool and a journal's own thread."""

    async def open(self) -> None:
        """Begin."""
        self.directory = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
        self.addCleanup(shutil.rmtree, self.directory)
        (self.directory / "srv").mkdir()
        pool = ThreadPool(4, 4)
        pool.start()
        self.addCleanup(pool.stop)
        thread = OwnThreads(reactor, "journal")  # type: ignore[arg-type]
        thread.start()
        self.addCleanup(thread.stop)
        path = self.directory / "state" / "journal.sqlite"
        journal = await Journal.open(path, in_thread=thread)
        self.addCleanup(lambda: Deferred.fromCoroutine(journal.close()))
        self.store = open_upload_store(
            path.parent,
            [UploadMount("/files", self.directory / "srv")],
            journal=journal,
            in_thread=pooled(reactor, pool),  # type: ignore[arg-type]
            clock=reactor,  # type: ignore[arg-type]
            checkpoint_interval=0.01,
            keep_free=0,
        )
        self.addCleanup(lambda: Deferred.fromCoroutine(self.store.close()))

    async def send(self, upload: Upload, content: bytes, start: int, stop: int) -> Upload:
        """A run of octets, as fast as the store takes them."""
        waiting: list[Deferred[None]] = []
        ears = Ears(on_drained=lambda: waiting.pop().callback(None) if waiting else None)
        writer = await self.store.write(upload, start, ears, count=stop - start)
        for at in range(start, stop, BLOCK):
            writer.push(content[at : min(at + BLOCK, stop)])
            if writer.full:
                waiting.append(Deferred())
                await waiting[0]
        return await writer.commit()

    async def test_segments(self) -> None:
        """Segments in parallel, checkpoints between them: the file is what was sent."""
        await self.open()
        content = octets(24_000_000)
        upload = await self.store.create(SEGMENTED, Wish("x", id="s", length=len(content)))
        step = len(content) // 6
        await gatherResults(
            [
                Deferred.fromCoroutine(self.send(upload, content, at, at + step))
                for at in range(0, len(content), step)
            ]
        )
        upload = await self.store.find(SEGMENTED, "s")
        self.assertTrue(upload.whole)
        done = await self.store.finish(upload)
        assert done.path is not None
        self.assertEqual(done.path.read_bytes(), content)

    async def test_many_at_once(self) -> None:
        """Uploads side by side, each created, sent, finished twice at the same time."""
        await self.open()
        content = octets(1_000_000)

        async def one(number: int) -> None:
            upload = await self.store.create(TUS, Wish(f"f{number}", length=len(content)))
            upload = await self.send(upload, content, 0, 600_000)
            upload = await self.send(upload, content, 600_000, len(content))
            both = [Deferred.fromCoroutine(self.store.finish(upload)) for _ in range(2)]
            first, second = await gatherResults(both)
            self.assertEqual(first, second)

        await gatherResults([Deferred.fromCoroutine(one(number)) for number in range(12)])
        files = sorted((self.directory / "srv").iterdir())
        self.assertEqual(len(files), 12)
        self.assertEqual({path.read_bytes() for path in files}, {content})
