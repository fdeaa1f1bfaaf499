"""Tests for the limits that jobs share: slots, rates, hosts, by the hour, changed meanwhile."""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.pacing import MOST_HOSTS, Pacer
from rangedaemon.client.throttle import Throttle
from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.core.slowness import Floor
from rangedaemon.core.throttle import Bucket
from rangedaemon.core.timetable import Hour, timetable
from tests.client.scripted import Exchange, File
from tests.client.test_runner import CONTENT, RunnerCase
from tests.client.world import World

S = JobState
HERE, THERE = "http://here.test/a", "https://there.test:8443/b"


def in_blocks(exchange: Exchange) -> None:
    """The whole answer at once, in blocks of 1,000 octets."""
    piece = File(CONTENT).begin(exchange)
    for at in range(piece.start, piece.stop, 1000):
        exchange.send(CONTENT[at : min(at + 1000, piece.stop)])
    exchange.finish()


class SheddingTests(RunnerCase):
    """Tests for a `max_active` that is lowered."""

    def lower(self, max_active: int) -> None:
        """Change the limit, and nothing else."""
        self.runner.set_limits(replace(self.runner.limits, max_active=max_active))
        self.world.pass_time(0)

    def test_lowest_and_newest_give_way(self) -> None:
        """The lowest priority goes first, the newest among equals; what came is kept."""
        self.lower(4)
        low, old = self.add("low", priority=-1)[0], self.add("old")[0]
        high, new = self.add("high", priority=5)[0], self.add("new")[0]
        for exchange in self.world.origin.open_exchanges():
            exchange.send(CONTENT[:5000])
        self.lower(2)
        states = [self.state(job) for job in (low, old, high, new)]
        self.assertEqual(states, [S.QUEUED, S.ACTIVE, S.ACTIVE, S.QUEUED])
        self.assertEqual(self.world.store.records[new].covered.total, 5000)
        self.lower(1)
        self.assertEqual((self.state(old), self.state(high)), (S.QUEUED, S.ACTIVE))
        self.lower(4)
        self.assertEqual({self.state(job) for job in (low, old, high, new)}, {S.ACTIVE})

    def test_who_is_paused_stays_paused(self) -> None:
        """A job that is being paused at that moment gives way as one, and is not queued again."""
        one, two = self.add("a", "b")
        for exchange in self.world.origin.open_exchanges():
            exchange.send(CONTENT[:5000])

        def on_checkpoint(_record: JobRecord) -> None:
            self.world.store.before_save = lambda _: None
            self.runner.set_limits(replace(self.runner.limits, max_active=1))

        self.world.store.before_save = on_checkpoint
        self.world.result(self.runner.pause(two))
        self.assertEqual((self.state(one), self.state(two)), (S.ACTIVE, S.PAUSED))
        self.assertEqual(self.runner.limits.max_active, 1)


class PacerTests(SynchronousTestCase):
    """Tests for `Pacer` and `Throttle`."""

    def setUp(self) -> None:
        self.clock, self.minute = Clock(), 0

    def pacer(self, *rates: object) -> Pacer:
        """A pacer by our clock."""
        return Pacer(self.clock, lambda: Hour(0, self.minute), *rates)  # type: ignore[arg-type]

    def test_strictest(self) -> None:
        """Of the job's own limit, the one over all and the host's, the strictest decides."""
        throttle = Throttle(self.clock, 1000, self.pacer(500, 100))
        self.assertEqual(throttle.take(1000, HERE), 10.0)
        self.assertEqual(throttle.take(0, THERE), 2.0)
        self.assertEqual(Throttle(self.clock, None, self.pacer()).take(10**9, HERE), 0.0)

    def test_each_host_alone(self) -> None:
        """Hosts do not share; the ports and schemes of one do."""
        pacer = self.pacer(None, 100)
        throttle, other = Throttle(self.clock, None, pacer), Throttle(self.clock, None, pacer)
        self.assertEqual(throttle.take(200, HERE), 2.0)
        self.assertEqual(other.take(100, "https://HERE.test:1/x"), 3.0)
        self.assertEqual(other.take(100, THERE), 1.0)

    def test_by_the_hour(self) -> None:
        """The limit changes with the hour, for what waits too; debts are paid at the new rate."""
        pacer = self.pacer(timetable({"00:10-00:20": None, "default": 100}), None)
        throttle = Throttle(self.clock, None, pacer)
        self.assertEqual((throttle.take(1000, HERE), pacer.rate), (10.0, 100))
        self.minute = 10
        self.assertEqual(pacer.rate, None)
        self.clock.advance(1.0)
        self.assertEqual(throttle.take(10**9, HERE), 0.0)
        self.minute = 20
        self.clock.advance(1.0)
        self.assertEqual(throttle.take(100, HERE), 1.0)

    def test_host_rate_comes_and_goes(self) -> None:
        """A limit for hosts that is set meanwhile holds at once; taken away it holds nobody."""
        pacer = self.pacer()
        throttle = Throttle(self.clock, None, pacer)
        throttle.take(10**6, HERE)
        pacer.set_rates(None, 100)
        self.assertEqual(throttle.take(100, HERE), 1.0)
        pacer.set_rates(None, None)
        self.assertEqual(throttle.take(10**6, HERE), 0.0)

    def test_limits_of_their_own(self) -> None:
        """A host's own limit, by the hour or not, is in place of that of all hosts."""
        by_hour = timetable({"00:10-00:20": 50, "default": 10})
        own = {HERE: 20, THERE: by_hour}
        pacer = self.pacer(None, 100, own.get)
        throttle = Throttle(self.clock, None, pacer)
        waits = [throttle.take(100, url) for url in (HERE, THERE, "http://else.test/")]
        self.assertEqual(waits, [5.0, 10.0, 1.0])
        self.clock.advance(100.0)
        self.minute = 10
        saved = 10 * Bucket.BURST_SECONDS  # at the rate of before
        self.assertAlmostEqual(throttle.take(100, THERE), (100 - saved) / 50)
        pacer.set_own_rates(lambda _url: None)
        self.assertEqual(throttle.take(100, HERE), 1.0)

    def test_bounded(self) -> None:
        """Hosts without end cost no memory without end."""
        pacer = self.pacer(None, 100)
        for number in range(MOST_HOSTS + 50):
            pacer.buckets(f"http://h{number}/")
        self.assertEqual(len(pacer._hosts), MOST_HOSTS)


class ChangedMeanwhileTests(SynchronousTestCase):
    """Limits that change while octets come."""

    def run_at(self, world: World, segments: int = 1) -> float:
        """Fetch the file; how many seconds it took."""
        world.origin.script = in_blocks
        _, ended = world.start(segments=segments)
        seconds = 0.0
        while not ended.called and seconds < 1000:
            world.pass_time(0.5)
            seconds += 0.5
        self.assertEqual(world.octets(), CONTENT)
        return seconds

    def test_paced(self) -> None:
        """The limit over all and the one of the host are kept to."""
        for rates in ({"rate_limit": 1000}, {"rate_limit_per_host": 1000}):
            took = self.run_at(World(self, **rates))
            self.assertTrue(60 <= took <= 70, took)

    def test_nothing_twice(self) -> None:
        """Several connections under one limit are no slower: none fetches what another one has."""
        took = self.run_at(World(self, rate_limit=1000), segments=8)
        self.assertTrue(60 <= took <= 70, took)

    def test_window_opens(self) -> None:
        """Who is held back by the limit of an hour goes on soon after it has ended."""
        table = timetable({"00:00-00:01": 10, "default": None})
        took = self.run_at(World(self, rate_limit=table))
        self.assertTrue(60 <= took <= 62, took)


class LowestSpeedTests(SynchronousTestCase):
    """Tests for jobs that are too slow."""

    def setUp(self) -> None:
        self.world = World(self)
        self.world.origin.script = File(CONTENT).begin

    def drip(self, seconds: int, rate: int, **wishes: object) -> JobState:
        """What state a job is in that got so many octets in each second."""
        job, _ = self.world.start(**wishes)
        for at in range(seconds):
            for exchange in self.world.origin.open_exchanges():
                exchange.send(CONTENT[at * rate : (at + 1) * rate])
            self.world.pass_time(1.0)
        self.record = job.record
        return job.record.state

    def with_floor(self, rate: int) -> None:
        """Expect so many octets per second over 8 seconds."""
        self.world.habits = replace(self.world.habits, floor=Floor(rate, 8.0))

    def test_gives_way(self) -> None:
        """Slower than asked for it waits for a better time, and keeps what came."""
        self.with_floor(200)
        self.assertIs(self.drip(20, 100, segments=1), S.WAITING)
        error = self.record.error
        self.assertEqual(error.code if error else None, "too-slow")
        self.assertGreaterEqual(self.record.covered.total, 800)

    def test_fast_enough(self) -> None:
        """What is as fast as asked for goes on."""
        self.with_floor(50)
        self.assertIs(self.drip(40, 100, segments=1), S.ACTIVE)

    def test_own_floor(self) -> None:
        """A job may name its own, or that it never is too slow."""
        self.with_floor(200)
        self.assertIs(self.drip(40, 100, segments=1, lowest_speed=50), S.ACTIVE)
        self.assertIs(self.drip(40, 100, segments=1, lowest_speed=0), S.ACTIVE)
        self.with_floor(50)
        self.assertIs(self.drip(20, 100, segments=1, lowest_speed=200), S.WAITING)

    def test_own_limit(self) -> None:
        """What a limit of ours holds back is not slow."""
        self.with_floor(2000)
        self.assertIs(self.drip(40, 1000, segments=1, rate_limit=100), S.ACTIVE)
