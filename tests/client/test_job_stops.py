"""Stories of jobs that are stopped, fail in the middle, or meet a bad disk."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Sequence
from typing import Any

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.intake import MOST_PENDING
from rangedaemon.core.jobs import JobState
from rangedaemon.core.transfer import Trigger
from tests.client.scripted import File
from tests.client.world import HandFired, World

KIB = 1024
MIB = 1024 * KIB
CONTENT = b"".join(n.to_bytes(4, "big") for n in range(64 * KIB))
WRITE = os.pwritev

S = JobState


class StopTests(SynchronousTestCase):
    """Pause and interrupt, at every moment of a job's life."""

    def test_in_the_middle_of_a_body(self) -> None:
        """What came is synced and claimed, the connection is closed."""
        for by, state in ((Trigger.PAUSE, S.PAUSED), (Trigger.INTERRUPT, S.QUEUED)):
            with self.subTest(by):
                world = World(self)
                world.origin.script = File(CONTENT).begin
                job, ended = world.start()
                world.origin.last.send(CONTENT[:5000])
                job.stop(by)
                self.successResultOf(ended)
                self.assertEqual(job.record.state, state)
                self.assertEqual(job.record.covered.to_pairs(), [(0, 5000)])
                self.assertTrue(world.origin.last.closed)
                self.assertEqual(world.octets("file.bin.part")[:5000], CONTENT[:5000])

    def test_before_the_first_answer(self) -> None:
        """A real agent answers a cancelled request with a failure: it is a stop all the same."""
        world = World(self)
        job, ended = world.start()
        job.stop(Trigger.PAUSE)
        self.successResultOf(ended)
        self.assertEqual((job.record.state, job.record.error), (S.PAUSED, None))

    def test_while_a_segment_waits_for_its_answer(self) -> None:
        """No connection outlives the job, and nothing is asked for afterwards."""
        world = World(self)
        content = os.urandom(20 * MIB)
        served = File(content)
        world.origin.script = lambda x: None if len(world.origin.exchanges) > 2 else served.begin(x)
        job, ended = world.start(segments=4)
        for exchange in world.origin.exchanges[:1]:
            exchange.send(content[:5000])
        world.pass_time(1)
        for exchange in world.origin.exchanges[1:2]:
            asked = exchange.range
            assert asked is not None
            exchange.send(content[asked.start : asked.start + 1000])
        world.pass_time(1)
        self.assertGreater(len(world.origin.exchanges), 2)
        job.stop(Trigger.PAUSE)
        self.successResultOf(ended)
        asked_by_now = len(world.origin.exchanges)
        world.pass_time(100)
        self.assertEqual(job.record.state, S.PAUSED)
        self.assertEqual(job.record.covered.total, 6000)
        self.assertEqual(len(world.origin.exchanges), asked_by_now)
        self.assertEqual(list(world.origin.open_exchanges()), [])
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_while_the_part_file_is_made(self) -> None:
        """The answer that is in hand is let go of, not forgotten."""
        threads = HandFired()
        world = World(self, in_thread=threads)
        world.origin.script = File(CONTENT).begin
        job, ended = world.start()
        self.assertEqual(len(threads.waiting), 1)
        job.stop(Trigger.PAUSE)
        threads.release()
        self.successResultOf(ended)
        self.assertEqual(job.record.state, S.PAUSED)
        self.assertTrue(world.origin.last.closed)

    def test_while_it_is_verified(self) -> None:
        """Hashing stops; the next run only verifies."""
        threads = HandFired()
        threads.held = False
        world = World(self, in_thread=threads)
        world.origin.script = File(CONTENT)
        checksum = f"sha-256={hashlib.sha256(CONTENT).hexdigest()}"
        record = world.record(checksum=checksum)

        def hold(saved: Any) -> None:
            threads.held = saved.state is S.VERIFYING

        world.store.before_save = hold
        job, ended = world.start(record)
        world.pass_time(0)
        self.assertEqual(job.record.state, S.VERIFYING)
        job.stop(Trigger.INTERRUPT)
        threads.release()
        world.store.before_save = lambda _record: None
        self.successResultOf(ended)
        first = job.record
        if first.state is not S.COMPLETE:
            self.assertEqual(first.state, S.QUEUED)
            self.assertEqual(first.covered.total, len(CONTENT))
            first = world.run(world.again(first))
        self.assertEqual(first.state, S.COMPLETE)
        self.assertEqual(len(world.origin.exchanges), 1)
        self.assertEqual(world.octets(), CONTENT)

    def test_with_writes_under_way(self) -> None:
        """A stop waits for the disk: what came before it is claimed."""
        threads = HandFired()
        threads.held = False
        world = World(self, in_thread=threads)
        world.origin.script = File(CONTENT).begin
        job, ended = world.start()
        threads.held = True
        world.origin.last.send(CONTENT[:1000]).send(CONTENT[1000:3000])
        job.stop(Trigger.PAUSE)
        self.assertNoResult(ended)
        threads.release()
        self.successResultOf(ended)
        self.assertEqual(job.record.covered.to_pairs(), [(0, 3000)])
        self.assertEqual(world.octets("file.bin.part")[:3000], CONTENT[:3000])


class CheckpointTests(SynchronousTestCase):
    """What the journal claims."""

    def test_synced_before_claimed(self) -> None:
        """Between two claims there is always a sync, and it began after the octets were written."""
        world = World(self)
        order: list[tuple[str, int]] = []
        sync, write = os.fdatasync, os.pwritev
        written = 0

        def spy_sync(descriptor: int) -> None:
            order.append(("sync", written))
            sync(descriptor)

        def spy_write(descriptor: int, blocks: Sequence[bytes], offset: int) -> int:
            nonlocal written
            written += (count := write(descriptor, blocks, offset))
            return count

        self.patch(os, "fdatasync", spy_sync)
        self.patch(os, "pwritev", spy_write)
        world.store.before_save = lambda r: order.append(("claim", r.covered.total))
        world.origin.script = File(CONTENT).begin
        _, ended = world.start()
        for at in range(0, len(CONTENT), 32 * KIB):
            world.origin.last.send(CONTENT[at : at + 32 * KIB])
            world.pass_time(1)
        world.origin.last.finish()
        self.successResultOf(ended)
        synced = 0
        for what, octets in order:
            if what == "sync":
                synced = octets
            else:
                self.assertLessEqual(octets, synced)
        claims = sorted({octets for what, octets in order if what == "claim"})
        self.assertGreaterEqual(len(claims), 8)

    def test_octets_written_during_a_sync_are_not_claimed(self) -> None:
        """They may have come too late for it; the next checkpoint takes them."""
        threads = HandFired()
        threads.held = False
        world = World(self, in_thread=threads)
        world.origin.script = File(CONTENT).begin
        job, ended = world.start()
        exchange = world.origin.last
        exchange.send(CONTENT[:1000])
        threads.held = True
        world.clock.advance(1)
        self.assertEqual(len(threads.waiting), 1)
        exchange.send(CONTENT[1000:2000])
        self.assertEqual(len(threads.waiting), 2)
        threads.waiting.reverse()
        threads.fire()
        threads.fire()
        self.assertEqual(job.snapshot().live.received, 2000)
        self.assertEqual(job.record.covered.to_pairs(), [(0, 1000)])
        threads.release()
        world.pass_time(1)
        self.assertEqual(job.record.covered.to_pairs(), [(0, 2000)])
        job.stop(Trigger.PAUSE)
        self.successResultOf(ended)


class DiskTests(SynchronousTestCase):
    """A disk that does not take it."""

    def full_after(self, octets: int) -> None:
        """Let the disk be full after so many octets."""
        write, left = WRITE, octets

        def limited(descriptor: int, blocks: Sequence[bytes], offset: int) -> int:
            nonlocal left
            count = sum(map(len, blocks))
            if count > left:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            left -= count
            return write(descriptor, blocks, offset)

        self.patch(os, "pwritev", limited)

    def test_full_in_the_middle(self) -> None:
        """The job waits for room; what came before is claimed and stays."""
        self.full_after(5000)
        world = World(self)
        world.origin.script = File(CONTENT).begin
        job, ended = world.start()
        world.origin.last.send(CONTENT[:4000]).send(CONTENT[4000:9000])
        self.successResultOf(ended)
        assert job.record.error is not None
        self.assertEqual((job.record.state, job.record.error.code), (S.WAITING, "no-space"))
        self.assertEqual(job.record.covered.to_pairs(), [(0, 4000)])
        self.assertTrue(world.origin.last.closed)
        self.assertEqual(world.names(), ["file.bin.part"])
        world.pass_time(1)
        self.assertEqual(world.clock.getDelayedCalls(), [])

    def test_full_and_retried(self) -> None:
        """With room again the job goes on where it stood."""
        self.full_after(5000)
        world = World(self)
        world.origin.script = File(CONTENT).begin
        job, ended = world.start()
        world.origin.last.send(CONTENT[:4000]).send(CONTENT[4000:9000])
        self.successResultOf(ended)
        self.full_after(10**9)
        world.origin.script = File(CONTENT)
        record = world.run(world.again(job.record))
        self.assertEqual((record.state, world.octets() == CONTENT), (S.COMPLETE, True))
        self.assertEqual(world.origin.ranges[-1], (4000, len(CONTENT)))

    def test_no_room_from_the_start(self) -> None:
        """A file larger than the disk is refused before it is fetched."""
        world = World(self)
        told = {"Content-Range": f"bytes 0-9/{1 << 60}", "ETag": '"v"'}
        world.origin.script = lambda x: x.answer(206, told, 10)
        record = world.run()
        assert record.error is not None
        self.assertEqual((record.state, record.error.code), (S.FAILED, "no-space"))
        self.assertTrue(world.origin.last.closed)

    def test_directory_that_is_a_file(self) -> None:
        """A directory that cannot be is an error of storage, and no crash."""
        world = World(self)
        world.origin.script = File(CONTENT)
        (world.directory / "taken").write_bytes(b"")
        record = world.record()
        wrong = world.store.put(
            record.__class__(
                id=record.id,
                spec=record.spec.__class__(
                    urls=record.spec.urls, directory=str(world.directory / "taken")
                ),
                state=S.QUEUED,
                created=0.0,
            )
        )
        ended = world.run(wrong)
        assert ended.error is not None
        self.assertEqual((ended.state, ended.error.code), (S.FAILED, "not-writable"))
        self.assertTrue(world.origin.last.closed or world.origin.last.ended)

    def test_slow_disk_holds_the_network_back(self) -> None:
        """Memory is bounded: with too much unwritten the connection is paused."""
        threads = HandFired()
        threads.held = False
        world = World(self, in_thread=threads)
        content = os.urandom(8 * MIB)
        world.origin.script = File(content).begin
        job, ended = world.start(segments=1)
        exchange = world.origin.last
        threads.held = True
        for at in range(0, 8 * MIB, 64 * KIB):
            exchange.send(content[at : at + 64 * KIB])
        self.assertTrue(exchange.paused)
        taken = 8 * MIB - sum(map(len, exchange._blocks))
        self.assertLessEqual(taken, MOST_PENDING + MIB)
        world.pass_time(60)
        self.assertFalse(exchange.closed)
        threads.release()
        self.assertFalse(exchange.paused)
        job.stop(Trigger.PAUSE)
        self.successResultOf(ended)


class ChangeTests(SynchronousTestCase):
    """Wishes that change while the job runs."""

    def test_rate_limit(self) -> None:
        """A lower limit takes hold with the next octets, and is journaled."""
        world = World(self)
        world.origin.script = File(CONTENT).begin
        job, ended = world.start()
        spec = world.spec(rate_limit=1000)
        self.successResultOf(ensureDeferred(job.change(spec)))
        world.origin.last.send(CONTENT[:5000])
        self.assertTrue(world.origin.last.paused)
        world.pass_time(4.5)
        self.assertTrue(world.origin.last.paused)
        world.pass_time(1)
        self.assertFalse(world.origin.last.paused)
        self.assertEqual(world.store.records[job.record.id].spec.rate_limit, 1000)
        job.stop(Trigger.PAUSE)
        self.successResultOf(ended)
