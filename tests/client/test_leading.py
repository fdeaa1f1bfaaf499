"""The first octets of a body that are looked at before the rest, and how long they may take."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.leading import lead
from rangedaemon.client.origin import Request
from rangedaemon.client.patience import LONGEST
from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.errors import TimedOut, Unreachable
from tests.client.scripted import Exchange, File
from tests.client.world import URL, World

MIB = 1024 * 1024
OURS = os.urandom(3 * MIB)
HALF = MIB
STALL = 10.0
"""Seconds of silence that the world bears."""


class _Taker(Protocol):
    """Keeps what it gets; may pause at the first octet."""

    def __init__(self, *, pauses: bool = False) -> None:
        self.octets = b""
        self.ended: Failure | None = None
        self.paused = False
        self._pauses = pauses

    def dataReceived(self, data: bytes) -> None:
        self.octets += data
        if self._pauses:
            self.paused = True
            self.transport.pauseProducing()  # type: ignore[union-attr]

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.ended = reason


class LeadTests(SynchronousTestCase):
    """The first octets of a body, and what becomes of the rest."""

    def setUp(self) -> None:
        self.world = World(self)
        self.world.origin.script = lambda x: x.answer(200, {"Content-Digest": "x"}, 10)
        around = self.world.habits.around
        self.reply = self.successResultOf(ensureDeferred(around.origin.get(Request(URL, {}))))
        self.exchange = self.world.origin.last

    def lead(self, count: int = 4, skip: int = 4) -> Deferred[object]:
        return ensureDeferred(
            lead(self.world.habits.around, self.reply, count, skip=skip)  # type: ignore[arg-type]
        )

    def led(self, then: Callable[[], object]) -> tuple[bytes, _Taker]:
        """The first octets, and who took the rest after *then*."""
        leading = self.lead()
        self.exchange.send(b"01").send(b"23456")
        first, reply = self.successResultOf(leading)  # type: ignore[misc]
        self.assertTrue(self.exchange.paused)
        then()
        taker = _Taker()
        reply.deliver(taker)
        return first, taker

    def test_rest(self) -> None:
        """What came with the first octets, and what comes after them."""
        first, taker = self.led(lambda: None)
        self.assertEqual((first, taker.octets, self.exchange.paused), (b"0123", b"456", False))
        self.exchange.send(b"789").finish()
        self.assertEqual(taker.octets, b"456789")
        self.assertIsNotNone(taker.ended)

    def test_ended_meanwhile(self) -> None:
        """A body that was whole already ends for whoever takes the rest."""
        _, taker = self.led(self.exchange.finish)
        self.assertEqual(taker.octets, b"456")
        self.assertIsNotNone(taker.ended)

    def test_taker_that_pauses(self) -> None:
        """It is not overruled."""
        leading = self.lead(skip=0)
        self.exchange.send(b"01234")
        _, reply = self.successResultOf(leading)  # type: ignore[misc]
        taker = _Taker(pauses=True)
        reply.deliver(taker)
        self.assertEqual((taker.octets, self.exchange.paused), (b"01234", True))

    def test_digest_of_the_whole_body(self) -> None:
        """It can be checked by who knows the octets before; not where some behind are not kept."""
        for skip, before, digest in ((4, b"0123", "x"), (0, b"", None)):
            with self.subTest(skip=skip):
                self.setUp()
                leading = self.lead(skip=skip)
                self.exchange.send(b"01234")
                _, reply = self.successResultOf(leading)  # type: ignore[misc]
                self.assertEqual((reply.before, reply.answer.content_digest), (before, digest))

    def test_dropped(self) -> None:
        """The connection is closed, once."""
        leading = self.lead()
        self.exchange.send(b"0123")
        _, reply = self.successResultOf(leading)  # type: ignore[misc]
        reply.drop()
        reply.drop()
        self.assertTrue(self.exchange.closed)

    def test_too_short(self) -> None:
        """A body that ends before is no proof of anything."""
        leading = self.lead()
        self.exchange.send(b"012").break_off()
        self.failureResultOf(leading, Unreachable)

    def test_silence(self) -> None:
        """Nobody waits for the first octets for ever."""
        leading = self.lead()
        self.exchange.send(b"0")
        self.world.pass_time(11)
        self.failureResultOf(leading, TimedOut)
        self.assertTrue(self.exchange.closed)


class SlowLineTests(SynchronousTestCase):
    """Samples and ties over a line that brings little at a time."""

    def story(self, step: float) -> tuple[World, JobRecord]:
        """Resume where only octets can tell; every body comes in four parts."""
        world = World(self)
        record = world.run_cut(File(OURS, etag=None), HALF)

        def script(exchange: Exchange) -> None:
            piece = File(OURS, etag=None).begin(exchange)
            octets = OURS[piece.start : piece.stop]
            quarter = -(-len(octets) // 4)
            for part in range(4):
                block = octets[part * quarter : (part + 1) * quarter]
                world.clock.callLater((part + 1) * step, send, exchange, block, part == 3)

        def send(exchange: Exchange, block: bytes, last: bool) -> None:
            if not (exchange.closed or exchange.ended):
                exchange.send(block)
                if last:
                    exchange.finish()

        world.origin.script = script
        job, ended = world.start(world.again(record))
        for _ in range(40):
            if ended.called:
                break
            world.pass_time(40)
        self.successResultOf(ended)
        return world, job.record

    def test_slow(self) -> None:
        """Silence ends a wait, not the time that all of it takes."""
        world, record = self.story(STALL - 1)
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 0))
        self.assertEqual(world.octets(), OURS)

    def test_silent(self) -> None:
        """What is too late is given up, and nothing that was there is lost."""
        _, record = self.story(STALL + 1)
        self.assertEqual(record.error.code if record.error else None, "timed-out")
        self.assertEqual(record.covered.to_pairs(), [(0, HALF)])

    def test_drop_by_drop(self) -> None:
        """A sample that comes for ever is given up too."""
        world = World(self)
        record = world.run_cut(File(OURS, etag=None), HALF)

        def drip(exchange: Exchange) -> None:
            if not (exchange.closed or exchange.ended):
                exchange.send(b"x")
                world.clock.callLater(1, drip, exchange)

        def script(exchange: Exchange) -> None:
            File(OURS, etag=None).begin(exchange)
            drip(exchange)

        world.origin.script = script
        job, ended = world.start(world.again(record))
        world.pass_time(LONGEST - 5)
        self.assertNoResult(ended)
        world.pass_time(10)
        self.successResultOf(ended)
        self.assertEqual(job.record.state, JobState.WAITING)
