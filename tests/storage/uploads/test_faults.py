"""Tests for disks that are full or break while octets come."""

from __future__ import annotations

import errno
import os
from typing import Any

from twisted.internet.defer import Deferred

from rangedaemon.core.uploads import Upload
from rangedaemon.errors import Fault, NoSpace, StateForbids, StorageFault
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.uploads.ports import Ears
from rangedaemon.storage.uploads.writing import BATCH, MOST_PENDING
from tests.client.world import HandFired
from tests.storage.uploads.case import Heard, UploadsCase, octets


class FullDiskTests(UploadsCase):
    """Tests for what a full disk leaves."""

    def fail(self, name: str, error: int) -> Any:
        """Let a call of the system fail until ``restore`` is called."""

        def failing(*_: object) -> int:
            raise OSError(error, os.strerror(error))

        return self.patch(os, name, failing)

    def test_while_octets_come(self) -> None:
        """The sender is told 507; what was acknowledged is there, and it goes on from it."""
        content = octets(BATCH * 3)
        upload = self.send(self.create(len(content)), content[:BATCH])
        heard = Heard()
        writer = self.write(upload, BATCH, heard.ears)
        writer.push(content[BATCH : BATCH * 2])
        full = self.fail("pwritev", errno.ENOSPC)
        writer.push(content[BATCH * 2 :])
        full.restore()
        self.assertEqual([type(fault) for fault in heard.faults], [NoSpace])
        self.assertEqual(self.failing(NoSpace, writer.commit()).status, 507)
        found = self.find(upload)
        self.assertEqual(found.offset, BATCH * 2)
        self.now(self.store.finish(self.send(found, content[BATCH * 2 :], BATCH * 2)))
        self.assertEqual(self.files(), {"file.iso": content})

    def test_at_the_end_of_a_run(self) -> None:
        """Small pieces are written with the commit; it fails, and nothing of them counts."""
        upload = self.send(self.create(), b"012")
        writer = self.write(upload, 3)
        writer.push(b"345")
        full = self.fail("pwritev", errno.EDQUOT)
        self.failing(NoSpace, writer.commit())
        full.restore()
        self.assertEqual(self.find(upload).offset, 3)

    def test_given_up_when_told(self) -> None:
        """A sender that leaves as soon as it is told, at a write that time has begun."""
        upload = self.send(self.create(), b"012")
        told: list[Deferred[Upload]] = []

        def leave(_fault: Fault) -> None:
            told.append(Deferred.fromCoroutine(writer.abandon()))

        writer = self.write(upload, 3, Ears(on_end=leave))
        writer.push(b"345")
        full = self.fail("pwritev", errno.ENOSPC)
        self.clock.advance(1)
        full.restore()
        self.assertEqual([self.successResultOf(answer).offset for answer in told], [3])
        self.assertEqual(self.clock.getDelayedCalls(), [])
        self.assertTrue(self.send(self.find(upload), b"3456789", 3).whole)

    def test_sync_fails(self) -> None:
        """What a failed sync may have dropped has to come again."""
        upload = self.send(self.create(), b"012")
        heard = Heard()
        writer = self.write(upload, 3, heard.ears)
        writer.push(b"345")
        broken = self.fail("fdatasync", errno.EIO)
        self.clock.advance(1)
        broken.restore()
        self.assertEqual(len(heard.faults), 1)
        self.failing(StorageFault, writer.commit())
        self.assertEqual(self.find(upload).offset, 3)
        self.assertTrue(self.send(self.find(upload), b"3456789", 3).whole)

    def test_journal_fails(self) -> None:
        """Octets that could not be claimed have to come again."""
        upload = self.send(self.create(), b"012")
        journal = Failing(self.journal)
        store = self.opened(journal=journal)
        writer = self.now(store.write(upload, 3))
        writer.push(b"345")
        journal.fault = NoSpace("the journal is full")
        self.failing(NoSpace, writer.commit())
        journal.fault = None
        found = self.now(store.find(upload.scope, upload.id))
        self.assertEqual(found.offset, 3)
        writer = self.now(store.write(found, 3))
        writer.push(b"3456789")
        self.assertTrue(self.now(writer.commit()).whole)


class Failing(Transactions):
    """A journal that fails when it is told to."""

    def __init__(self, journal: Transactions) -> None:
        self.fault: StorageFault | None = None
        self._journal = journal

    async def transact(self, work: Any) -> Any:
        """As `Transactions.transact`."""
        if self.fault is not None:
            raise self.fault
        return await self._journal.transact(work)


class PressureTests(UploadsCase):
    """Tests for memory and the order of things, with threads that wait for the test."""

    def setUp(self) -> None:
        """A store whose threads do nothing before they are told."""
        super().setUp()
        self.upload = self.create(1 << 30)
        self.threads = HandFired()
        self.store = self.opened(self.threads)
        self.heard = Heard()
        opening = Deferred.fromCoroutine(self.store.write(self.upload, 0, self.heard.ears))
        self.threads.fire()
        self.writer = self.successResultOf(opening)

    def test_full_and_drained(self) -> None:
        """It is full at the limit, and says so when there is room again, once."""
        block = bytes(BATCH)
        while not self.writer.full:
            self.writer.push(block)
        self.assertEqual(self.writer.offset, MOST_PENDING)
        self.assertEqual(len(self.threads.waiting), 1)
        self.threads.fire()
        self.assertEqual((self.heard.drained, self.writer.full), (0, True))
        self.threads.fire()
        self.assertEqual((self.heard.drained, self.writer.full), (1, False))

    def test_large_writes(self) -> None:
        """Small blocks are written together, and not before there is a good deal of them."""
        sizes: list[int] = []
        real = os.pwritev

        def counted(descriptor: int, blocks: Any, offset: int) -> int:
            sizes.append(sum(map(len, blocks)))
            return real(descriptor, blocks, offset)

        self.patch(os, "pwritev", counted)
        for _ in range(1000):
            self.writer.push(bytes(1000))
            if len(self.threads.waiting) and self.writer.offset % 300_000 == 0:
                self.threads.fire()
        while self.threads.waiting:
            self.threads.fire()
        self.assertGreaterEqual(min(sizes), BATCH)
        self.assertLess(sum(sizes), 1_000_000)

    def test_sync_in_the_background(self) -> None:
        """While a sync is under way octets are taken and written."""
        self.writer.push(bytes(BATCH))
        self.threads.fire()
        self.clock.advance(1)
        [sync] = self.threads.waiting
        self.writer.push(bytes(BATCH))
        self.assertEqual(len(self.threads.waiting), 2)
        self.threads.waiting.pop()()
        self.assertEqual(self.heard.committed, [])
        self.threads.fire()
        self.assertEqual(self.heard.committed, [BATCH])
        self.assertIsNotNone(sync)

    def test_nothing_claimed_before_its_sync(self) -> None:
        """What is written while a sync runs waits for the next one."""
        self.writer.push(bytes(BATCH))
        self.threads.fire()
        self.clock.advance(1)
        self.writer.push(bytes(BATCH))
        self.threads.waiting.pop()()
        committing = Deferred.fromCoroutine(self.writer.commit())
        self.threads.fire()
        self.assertEqual(self.now(self.store.find(self.upload.scope, self.upload.id)).offset, BATCH)
        self.assertNoResult(committing)
        self.threads.release()
        self.assertEqual(self.successResultOf(committing).offset, BATCH * 2)

    def test_closing(self) -> None:
        """The end of the daemon keeps what came, and takes nothing more."""
        self.writer.push(b"0123")
        closing = Deferred.fromCoroutine(self.store.close())
        self.threads.release()
        self.successResultOf(closing)
        self.assertEqual([type(fault) for fault in self.heard.faults], [StateForbids])
        self.failing(StateForbids, self.store.find(self.upload.scope, self.upload.id))
        self.failing(StateForbids, self.store.write(self.upload, 4))
        self.reopen()
        self.assertEqual(self.find(self.upload).offset, 4)

    def test_asking_waits_for_the_claim(self) -> None:
        """The offset that is told when a writer was ended is one that stays."""
        ended = Ears(on_end=lambda _fault: self.abandoned.append(self.now_or_later()))
        self.abandoned: list[Deferred[Upload]] = []
        opening = Deferred.fromCoroutine(self.store.write(self.upload, 0, ended))
        self.threads.release()
        self.writer = self.successResultOf(opening)
        self.threads.held = True
        self.writer.push(bytes(BATCH))
        self.threads.fire()
        find = self.store.find(self.upload.scope, self.upload.id, preempt=True)
        asking = Deferred.fromCoroutine(find)
        self.assertNoResult(asking)
        self.threads.release()
        self.assertEqual(self.successResultOf(asking).offset, BATCH)
        [abandoned] = self.abandoned
        self.assertEqual(self.successResultOf(abandoned).offset, BATCH)

    def now_or_later(self) -> Deferred[Upload]:
        """What an adapter does when it is told that its writer has ended."""
        return Deferred.fromCoroutine(self.writer.abandon())

    def test_writing_waits_for_the_claim(self) -> None:
        """A newer writer begins behind all that an older one brought, also if that is ending."""
        self.writer.push(bytes(BATCH))
        self.threads.fire()
        committing = Deferred.fromCoroutine(self.writer.commit())
        beginning = Deferred.fromCoroutine(self.store.write(self.upload, BATCH))
        self.assertNoResult(committing)
        self.assertNoResult(beginning)
        self.threads.release()
        self.assertEqual(self.successResultOf(committing).offset, BATCH)
        self.assertEqual(self.successResultOf(beginning).offset, BATCH)
