"""Several connections, and what becomes of those that are silent, slow, late or refused."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.job import Job
from rangedaemon.core.congestion import GROWTH_SECONDS
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import JobState
from rangedaemon.core.plan import SMALLEST_THEFT
from tests.client.scripted import Exchange, File
from tests.client.world import URL, World

KIB = 1024
MIB = 1024 * KIB
CONTENT = os.urandom(24 * MIB)
STALL_SECONDS = 10.0


class Wire:
    """Bodies that come block by block, at a pace of their own."""

    def __init__(self, world: World, served: File) -> None:
        self.world = world
        self.served = served
        self.left: dict[Exchange, ByteRange] = {}
        self.silent: set[Exchange] = set()
        world.origin.script = self

    def __call__(self, exchange: Exchange) -> None:
        """Answer with the head; the body waits."""
        self.left[exchange] = self.served.begin(exchange)

    def open(self) -> list[Exchange]:
        """Those whose body is not whole and that nobody has closed."""
        return [x for x, piece in self.left.items() if piece and not (x.closed or x.ended)]

    def send(self, exchange: Exchange, count: int) -> None:
        """The next octets of a body; its end behind the last."""
        piece = self.left[exchange]
        block = ByteRange(piece.start, min(piece.stop, piece.start + count))
        self.left[exchange] = ByteRange(block.stop, piece.stop)
        exchange.send(self.served.content[block.start : block.stop])
        if block.stop == piece.stop and not exchange.closed:
            exchange.finish()

    def turn(self, count: int = 256 * KIB, slow: dict[Exchange, int] | None = None) -> None:
        """Half a second: *count* octets over each connection that speaks."""
        for exchange in self.open():
            if exchange not in self.silent and not exchange.closed:
                self.send(exchange, (slow or {}).get(exchange, count))
        self.world.pass_time(0.5)

    def run_out(self, ended: Deferred[None], most: int = 400) -> None:
        """Turn after turn until the job has ended."""
        for _ in range(most):
            if ended.called:
                return
            self.turn()
        raise AssertionError("the job does not end")


class SwarmCase(SynchronousTestCase):
    """One job of 24 MiB over four connections, all under way."""

    def begin(self, content: bytes = CONTENT, segments: int = 4) -> None:
        self.world = World(self)
        self.wire = Wire(self.world, File(content))
        self.job, self.ended = self.world.start(segments=segments)
        for _ in range(4):
            self.wire.turn(1)

    def assert_right(self, job: Job, content: bytes = CONTENT) -> None:
        """The file is complete and what the origin has."""
        self.successResultOf(self.ended)
        self.assertEqual((job.record.state, job.record.error), (JobState.COMPLETE, None))
        self.assertEqual(self.world.octets(), content)
        self.assertEqual(list(self.world.origin.open_exchanges()), [])
        self.assertEqual(self.world.clock.getDelayedCalls(), [])


class GivenUpTests(SwarmCase):
    """Connections that bring too little."""

    def test_silent(self) -> None:
        """It is closed, its remainder comes from others, nothing comes twice."""
        self.begin()
        silent = self.wire.open()[1]
        start = self.wire.left[silent].start
        self.wire.silent.add(silent)
        for _ in range(round(STALL_SECONDS / 0.5) + 2):
            self.wire.turn(1)
        self.assertTrue(silent.closed)
        self.wire.run_out(self.ended)
        self.assert_right(self.job)
        self.assertEqual(self.job.record.refetched, 0)
        asked = [x.range for x in self.world.origin.exchanges if x is not silent]
        self.assertEqual(len([r for r in asked if r is not None and r.start == start]), 1)

    def test_all_silent(self) -> None:
        """Nobody is given up before the stall time; then the attempt ends, and waits."""
        self.begin(segments=1)
        self.world.pass_time(STALL_SECONDS - 1)
        self.assertEqual([x for x in self.wire.left if x.closed], [])
        self.world.pass_time(2)
        self.assertEqual([x for x in self.wire.left if not x.closed], [])
        error = self.job.record.error
        assert error is not None
        self.assertEqual((self.job.record.state, error.code), (JobState.WAITING, "timed-out"))
        self.assertEqual(self.job.record.covered.total, 4)

    def test_slow(self) -> None:
        """Far below the mean for a while: closed, and what it brought is kept."""
        self.begin()
        slow = self.wire.open()[2]
        pace = {slow: 100}
        for _ in range(16):
            self.wire.turn(64 * KIB, pace)
        self.assertTrue(slow.closed)
        self.wire.run_out(self.ended)
        self.assert_right(self.job)
        self.assertEqual(self.job.record.refetched, 0)

    def test_our_own_limit_is_no_slowness(self) -> None:
        """Connections that we hold back ourselves are neither silent nor slow."""
        self.world = World(self)
        self.wire = Wire(self.world, File(CONTENT))
        self.job, self.ended = self.world.start(segments=4, rate_limit=100)
        for _ in range(4):
            self.wire.turn(1)
        opened = self.wire.open()
        for _ in range(100):
            self.wire.turn(2000)
        self.assertEqual([x for x in opened if x.closed], [])


class TailTests(SwarmCase):
    """The end of a file comes from all connections at once."""

    def test_stolen(self) -> None:
        """A free connection takes the back of the slowest claim; the answer is cut there."""
        self.begin(CONTENT[: 8 * MIB], segments=2)
        slow, fast = self.wire.open()[:2]
        for _ in range(100):
            if fast not in self.wire.open():
                break
            self.wire.turn(256 * KIB, {slow: 8 * KIB})
        self.wire.run_out(self.ended)
        self.assert_right(self.job, CONTENT[: 8 * MIB])
        self.assertEqual(self.job.record.refetched, 0)
        self.assertTrue(slow.closed)

    def test_raced(self) -> None:
        """The last octets come twice at the most; the loser is closed, the waste is counted."""
        content = CONTENT[: 2 * SMALLEST_THEFT - 1]
        self.begin(content, segments=2)
        first, second = self.wire.open()
        self.wire.silent.add(first)
        self.assertEqual(second.range, ByteRange(1, len(content)))
        self.wire.send(first, 10_000)
        self.wire.run_out(self.ended)
        self.assert_right(self.job, content)
        self.assertTrue(first.closed)
        self.assertEqual(self.job.record.refetched, 10_003)

    def test_raced_and_cut_short(self) -> None:
        """A racer whose answer ends early leaves the rest to the other: no hole, no wrong octet."""
        content = CONTENT[: 2 * SMALLEST_THEFT - 1]
        self.begin(content, segments=2)
        first, second = self.wire.open()
        self.wire.send(second, 100_000)
        second.break_off()
        self.wire.run_out(self.ended)
        self.assert_right(self.job, content)
        self.assertFalse(first.closed)


class RefusedTests(SynchronousTestCase):
    """Hosts that ask for fewer connections."""

    def test_over_two_jobs(self) -> None:
        """429 to one job halves the connections of both; after a quiet time they grow back."""
        world = World(self, connections_per_host=8)
        wire = Wire(world, File(CONTENT))
        jobs = [world.start(urls=(f"{URL}?{n}",), segments=4) for n in range(2)]
        for _ in range(6):
            wire.turn(1)
        self.assertEqual(len(wire.open()), 8)
        refused: list[Exchange] = []

        def script(exchange: Exchange) -> None:
            if not refused:
                refused.append(exchange)
                exchange.answer(429, {"Retry-After": "2"}, 0).finish()
            else:
                wire(exchange)

        world.origin.script = script
        wire.open()[0].break_off()
        world.pass_time(4)
        self.assertEqual(len(refused), 1)
        for job_url in (f"{URL}?0", f"{URL}?1"):
            for exchange in [x for x in wire.open() if x.url == job_url][:2]:
                exchange.break_off()
        most = 0
        for _ in range(10):
            world.pass_time(0.5)
            most = max(most, len(wire.open()))
        self.assertEqual(most, 4)
        for _ in range(round(5 * GROWTH_SECONDS / 0.5)):
            wire.turn(1)
        self.assertEqual(len(wire.open()), 8)
        for job, ended in jobs:
            wire.run_out(ended)
            self.assertEqual(job.record.state, JobState.COMPLETE)
