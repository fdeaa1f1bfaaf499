"""Hosts that redirects lead to: their slots, and the peace that they ask for."""

from __future__ import annotations

import os

from twisted.internet.defer import ensureDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.hosts import Hosts
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import JobState, OnConflict
from rangedaemon.errors import Throttled
from tests.client.scripted import Exchange, File
from tests.client.world import World

MIB = 1024 * 1024
FRONT = "http://front.test/file.bin"
OTHER_FRONT = "http://other.test/file.bin"
STORE = "http://store.test/file.bin"


class SlotTests(SynchronousTestCase):
    """A slot that goes along with a redirect."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.hosts = Hosts(self.clock, 1)

    def test_moves(self) -> None:
        """The place at the first host is free again, the one at the second is taken."""
        slot = self.successResultOf(ensureDeferred(self.hosts.take(FRONT)))
        self.successResultOf(ensureDeferred(slot.move_to(STORE)))
        self.assertEqual((self.hosts.free(FRONT), self.hosts.free(STORE)), (True, False))
        slot.release()
        slot.release()
        self.assertEqual((self.hosts.free(FRONT), self.hosts.free(STORE)), (True, True))

    def test_stays_at_its_host(self) -> None:
        """A redirect within one host needs no second place, so it cannot wait for itself."""
        slot = self.successResultOf(ensureDeferred(self.hosts.take(FRONT)))
        self.successResultOf(ensureDeferred(slot.move_to(FRONT + "?again")))
        self.assertFalse(self.hosts.free(FRONT))

    def test_waits_without_a_place(self) -> None:
        """Who waits for the second host holds nothing; two that cross do not block each other."""
        first = self.successResultOf(ensureDeferred(self.hosts.take(FRONT)))
        second = self.successResultOf(ensureDeferred(self.hosts.take(STORE)))
        moving = ensureDeferred(first.move_to(STORE))
        self.assertNoResult(moving)
        self.successResultOf(ensureDeferred(second.move_to(FRONT)))
        self.successResultOf(moving)

    def test_given_up_while_waiting(self) -> None:
        """Nothing is held afterwards."""
        first = self.successResultOf(ensureDeferred(self.hosts.take(FRONT)))
        second = self.successResultOf(ensureDeferred(self.hosts.take(STORE)))
        moving = ensureDeferred(first.move_to(STORE))
        moving.cancel()
        self.failureResultOf(moving)
        first.release()
        second.release()
        self.assertEqual((self.hosts.free(FRONT), self.hosts.free(STORE)), (True, True))

    def test_host_that_wants_peace(self) -> None:
        """It is not asked, whoever leads to it."""
        self.hosts.overloaded(STORE, 60.0)
        slot = self.successResultOf(ensureDeferred(self.hosts.take(FRONT)))
        fault = self.failureResultOf(ensureDeferred(slot.move_to(STORE)), Throttled).value
        self.assertEqual((fault.url, fault.retry_after), (STORE, 60.0))  # type: ignore[attr-defined]


class RedirectedTests(SynchronousTestCase):
    """Jobs whose addresses lead to one store."""

    def setUp(self) -> None:
        self.served = File(os.urandom(24 * MIB))
        self.bodies: list[tuple[Exchange, ByteRange]] = []

    def serve(self, exchange: Exchange) -> None:
        """Redirect to the store, which begins its answers and waits."""
        if exchange.url != STORE:
            exchange.answer(302, {"Location": STORE}, 0).finish()
        else:
            self.bodies.append((exchange, self.served.begin(exchange)))

    def busy(self, exchange: Exchange) -> None:
        """Redirect to the store, which wants to be left alone."""
        if exchange.url != STORE:
            exchange.answer(302, {"Location": STORE}, 0).finish()
        else:
            exchange.answer(429, {"Retry-After": "60"}, 0).finish()

    def asked_of(self, world: World, url: str) -> int:
        """How often *url* was asked."""
        return sum(x.url == url for x in world.origin.exchanges)

    def test_refusal_quiets_the_host_that_refused(self) -> None:
        """Another job that is led there does not ask it either; the way there may be asked."""
        world = World(self)
        world.origin.script = self.busy
        first = world.run(urls=(FRONT,))
        second = world.run(urls=(OTHER_FRONT,))
        for record in (first, second):
            self.assertEqual(record.state, JobState.WAITING)
            self.assertEqual(record.error.code if record.error else None, "throttled")
        self.assertEqual(self.asked_of(world, STORE), 1)
        self.assertEqual(self.asked_of(world, OTHER_FRONT), 1)
        world.clock.advance(61)
        world.origin.script = self.served
        self.assertEqual(world.run(world.again(second)).state, JobState.COMPLETE)

    def test_refusal_of_the_first_request(self) -> None:
        """The very first answer counts too: other jobs leave that host alone."""
        world = World(self)
        world.origin.script = lambda x: x.answer(503, {"Retry-After": "60"}, 0).finish()
        for _ in range(2):
            self.assertEqual(world.run(urls=(STORE,)).state, JobState.WAITING)
        self.assertEqual(self.asked_of(world, STORE), 1)

    def test_limit_of_the_host_that_sends(self) -> None:
        """Two ways to one store: never more bodies of it than one host may send."""
        world = World(self, connections_per_host=3)
        world.origin.script = self.serve
        running = [world.start(urls=(url,), segments=4)[1] for url in (FRONT, OTHER_FRONT)]
        self.assertEqual(self._deliver(world, running), 3)
        self.assertEqual([self.successResultOf(ended) for ended in running], [None, None])
        self.assertEqual({r.state for r in world.store.records.values()}, {JobState.COMPLETE})

    def test_limit_from_the_first_answer_on(self) -> None:
        """The first body keeps its place until its end; the next job waits for it."""
        world = World(self, connections_per_host=1)
        world.origin.script = self.serve
        running = [world.start(urls=(STORE,), segments=4)[1] for _ in range(3)]
        self.assertEqual(self._deliver(world, running), 1)
        self.assertEqual([self.successResultOf(ended) for ended in running], [None] * 3)
        self.assertTrue(world.hosts.free(STORE))
        self.assertFalse(world.hosts.crowded(STORE))

    def _deliver(self, world: World, running: list[object]) -> int:
        """Send block by block until all have ended; the most bodies at a time."""
        most = 0
        for _ in range(1000):
            live = [b for b in self.bodies if not (b[0].closed or b[0].ended)]
            most = max(most, len(live))
            self.bodies = []
            for exchange, piece in live:
                stop = min(piece.stop, piece.start + MIB // 2)
                exchange.send(self.served.content[piece.start : stop])
                if stop == piece.stop:
                    exchange.finish()
                else:
                    self.bodies.append((exchange, ByteRange(stop, piece.stop)))
            world.pass_time(0.5)
            if all(ended.called for ended in running):  # type: ignore[attr-defined]
                return most
        raise AssertionError("the jobs do not end")

    def test_nothing_is_held_after_a_stop(self) -> None:
        """A first answer that nobody takes any more gives its place back."""
        world = World(self, connections_per_host=1)
        world.origin.script = self.serve
        (world.directory / "file.bin.part").mkdir()
        (world.directory / "file.bin").write_bytes(b"mine")
        record = world.run(urls=(STORE,), on_conflict=OnConflict.FAIL)
        self.assertEqual(record.state, JobState.FAILED)
        self.assertTrue(world.hosts.free(STORE))
        self.assertTrue(self.bodies[0][0].closed)
