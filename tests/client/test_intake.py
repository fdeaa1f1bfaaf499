"""Tests for `rangedaemon.client.intake`: bodies whose octets a lane puts into the file."""

from __future__ import annotations

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.intake import Intake
from rangedaemon.client.pacing import Pacer
from rangedaemon.client.sink import Sink
from rangedaemon.client.throttle import Throttle
from rangedaemon.core.intervals import EMPTY
from rangedaemon.core.plan import Plan
from rangedaemon.core.timetable import Hour
from rangedaemon.errors import Fault, NoSpace, Unreachable
from rangedaemon.storage.lanes import MOST, Hauled, Store
from tests.client.world import HandFired

SIZE = 8 * MOST


class Shelf:
    """A store that never stores: what matters is when it is asked."""

    def write(self, _offset: int, blocks: list[bytes]) -> int:
        """As `Store.write`."""
        return sum(map(len, blocks))


class Wire:
    """The transport of a body."""

    def __init__(self) -> None:
        self.stopped = False

    def pauseProducing(self) -> None:
        """As `IPushProducer`."""

    def resumeProducing(self) -> None:
        """As `IPushProducer`."""

    def stopProducing(self) -> None:
        """As `IPushProducer`."""
        self.stopped = True


class HaulTests(SynchronousTestCase):
    """One body, and a lane that works when the test says so."""

    def setUp(self) -> None:
        """The claim is the whole file, and nothing has come."""
        self.lane = HandFired()
        self.faults: list[Fault] = []
        self.sink = Sink(Shelf(), self.lane, EMPTY, self.faults.append)  # type: ignore[arg-type]
        self.plan = Plan(SIZE, EMPTY, smallest=1)
        self.claim = self.plan.take_all()
        clock = Clock()
        self.intake = Intake(
            self.claim,
            self.plan,
            self.sink,
            Throttle(clock, None, Pacer(clock, lambda: Hour(0, 0))),  # type: ignore[arg-type]
            clock,  # type: ignore[arg-type]
            url="http://origin.test/",
            promised=SIZE,
            framed=True,
        )
        self.intake.makeConnection(Wire())  # type: ignore[arg-type]
        self.places: list[int] = []
        self.delivered: list[int] = []

    def deliver(self, octets: Hauled) -> None:
        """Through the parser, and back."""
        self.delivered.append(len(octets))
        self.intake.dataReceived(octets)

    def haul(self, count: int = MOST) -> None:
        """Begin one."""

        def move(_store: Store, offset: int) -> int:
            self.places.append(offset)
            return count

        ensureDeferred(self.intake.haul(move, self.deliver))

    def ended(self) -> Deferred[bool]:
        """Fires when the body is over."""
        return Deferred.fromCoroutine(self.intake.kept())

    def test_in_order(self) -> None:
        """Each haul puts its octets behind those before, also behind octets that only wait."""
        self.intake.dataReceived(b"abc")
        self.haul()
        self.lane.release()
        self.haul(5)
        self.assertEqual(self.places, [3, 3 + MOST])
        self.assertEqual(self.sink.written.to_pairs(), [(0, 3 + MOST + 5)])
        self.assertEqual(self.claim.position, 3 + MOST + 5)

    def test_octets_after_a_haul(self) -> None:
        """Octets that come the usual way again go behind what was hauled."""
        self.intake.dataReceived(b"abc")
        self.haul(10)
        self.lane.fire()
        self.lane.fire()
        self.intake.dataReceived(b"de")
        self.lane.release()
        self.assertEqual(self.sink.written.to_pairs(), [(0, 15)])

    def test_given_up_meanwhile(self) -> None:
        """A body is over when its haul is: nobody else fetches what it may still bring."""
        self.haul(100)
        ended = self.ended()
        self.intake.give_up(Unreachable("too slow"))
        self.assertNoResult(ended)
        self.lane.release()
        self.failureResultOf(ended, Unreachable)
        self.assertEqual((self.claim.position, self.delivered), (100, []))
        self.assertEqual(self.sink.written.to_pairs(), [(0, 100)])

    def test_lost_meanwhile(self) -> None:
        """Octets that were taken from the socket before the connection broke count."""
        self.haul(100)
        ended = self.ended()
        self.intake.connectionLost(Failure(ConnectionLost()))
        self.lane.release()
        self.failureResultOf(ended, Unreachable)
        self.assertEqual(self.claim.position, 100)

    def test_drained(self) -> None:
        """A checkpoint waits for hauls like for other writes, and sees what they brought."""
        self.haul(100)
        drained = Deferred.fromCoroutine(self.sink.drain())
        self.assertNoResult(drained)
        self.lane.release()
        self.successResultOf(drained)
        self.assertEqual(self.sink.written.total, 100)

    def test_full_disk(self) -> None:
        """The fault of the disk is the attempt's, and nothing is counted."""

        def move(_store: Store, _offset: int) -> int:
            raise NoSpace("full")

        ensureDeferred(self.intake.haul(move, self.deliver))
        self.lane.release()
        self.assertEqual([type(fault) for fault in self.faults], [NoSpace])
        self.assertEqual((self.claim.position, self.delivered), (0, []))

    def test_under_way(self) -> None:
        """What a haul may bring is not given to somebody else."""
        self.claim.stop = MOST + 1000
        self.haul()
        self.assertEqual(self.claim.free, 1000)
        self.lane.release()
        self.assertEqual(self.claim.free, 1000)
