"""Ports that change while the daemon runs, in a reactor that listens in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.service.changes import Prepared, all_or_none
from rangedaemon.service.listeners import Listeners, place_of, replaced
from rangedaemon.service.ports import StartFailed

A, B = "tcp:1:interface=127.0.0.1", "tcp:2:interface=127.0.0.1"


class PlacesTests(SynchronousTestCase):
    """`place_of` and `replaced`."""

    def test_places(self) -> None:
        """Ports by their number, sockets by their path, anything else by itself."""
        for description, place in (
            ("tcp:8080", "8080"),
            ("tcp6:port=8080:interface=\\:\\:1", "8080"),
            ("ssl:8080:privateKey=x", "8080"),
            ("unix:/run/a.sock:mode=600", "/run/a.sock"),
            ("unix:address=/run/a.sock", "/run/a.sock"),
            ("systemd:domain=INET:index=0", "systemd:domain=INET:index=0"),
        ):
            self.assertEqual(place_of(description), place)

    def test_replaced(self) -> None:
        """What must go first: another endpoint at the same place, and nothing else."""
        everywhere = "tcp:1:interface=0.0.0.0"
        self.assertEqual(replaced([A, B], [everywhere, B]), [A])
        self.assertEqual(replaced([A, B], [A, "tcp:3"]), [])
        self.assertEqual(replaced([A], [A, everywhere]), [])


class CountingFactory(Factory):
    """Remembers whether it was stopped."""

    stopped = 0

    def stopFactory(self) -> None:
        """The last port was closed."""
        self.stopped += 1


class Reactor(MemoryReactorClock):
    """Its ports are closed for true, and some cannot be had."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[int] = []
        self.taken: set[int] = set()

    def listenTCP(self, port: int, factory: Any, *_: Any, **__: Any) -> Any:
        if port in self.taken or port in self.open:
            raise CannotListenError("", port, OSError(98, "Address already in use"))
        self.open.append(port)
        factory.doStart()
        return Port(self, port, factory)


class Port:
    """A port of `Reactor`."""

    def __init__(self, reactor: Reactor, number: int, factory: Any) -> None:
        self._reactor, self._number, self._factory = reactor, number, factory
        self.reading = True

    def stopListening(self) -> None:
        self._reactor.open.remove(self._number)
        self._factory.doStop()

    def stopReading(self) -> None:
        self.reading = False

    def startReading(self) -> None:
        self.reading = True


class ChangeTests(SynchronousTestCase):
    """`Listeners.change_to`."""

    def setUp(self) -> None:
        """Listening at A."""
        self.reactor = Reactor()
        self.factory = CountingFactory()
        self.listeners = Listeners(self.reactor, [A], self.factory)
        self.listeners.startService()

    def change(self, *descriptions: str, deaf: bool = False) -> Any:
        """Begin a change."""
        change = self.listeners.change_to(descriptions, deaf=deaf)
        self.successResultOf(Deferred.fromCoroutine(change.begin()))
        return change

    def finish(self, ending: Any) -> None:
        """Commit or undo."""
        self.successResultOf(Deferred.fromCoroutine(ending))

    def test_commit(self) -> None:
        """New ones open before old ones close, and the factory never stops."""
        change = self.change(B)
        self.assertEqual(self.reactor.open, [1, 2])
        self.finish(change.commit())
        self.assertEqual((self.reactor.open, self.factory.stopped), ([2], 0))
        self.assertEqual([each.description for each in self.listeners.endpoints], [B])

    def test_undo(self) -> None:
        """As if nothing had been."""
        change = self.change(B)
        self.finish(change.undo())
        self.assertEqual((self.reactor.open, self.factory.stopped), ([1], 0))
        self.assertEqual([each.description for each in self.listeners.endpoints], [A])

    def test_same_place(self) -> None:
        """One in the way is closed first, and opened again where that was in vain."""
        elsewhere = "tcp:1:interface=0.0.0.0"
        change = self.change(elsewhere)
        self.assertTrue(change.moved)
        self.assertEqual(self.reactor.open, [1])
        self.finish(change.undo())
        self.assertEqual((self.reactor.open, self.factory.stopped), ([1], 0))
        self.finish(self.change(elsewhere).commit())
        self.assertEqual([each.description for each in self.listeners.endpoints], [elsewhere])

    def test_taken(self) -> None:
        """One that cannot be had fails the change; undone, the old ones are there."""
        self.reactor.taken.add(2)
        change = self.listeners.change_to(["tcp:1:interface=0.0.0.0", B])
        failed = self.failureResultOf(Deferred.fromCoroutine(change.begin()))
        self.assertTrue(failed.check(CannotListenError))
        self.finish(change.undo())
        self.assertEqual((self.reactor.open, self.factory.stopped), ([1], 0))
        self.listeners.stopService()
        self.assertEqual((self.reactor.open, self.factory.stopped), ([], 1))

    def test_systemd(self) -> None:
        """A socket of systemd that was not there at the start needs a restart."""
        change = self.listeners.change_to(["systemd:domain=INET:index=0"])
        failed = self.failureResultOf(Deferred.fromCoroutine(change.begin()), StartFailed)
        self.assertIn("restart the daemon", str(failed.value))

    def test_deaf(self) -> None:
        """Ports that are left to other processes, and taken back."""
        for deaf in (True, False):
            self.finish(self.change(A, B, deaf=deaf).commit())
            reading = [each.port.reading for each in self.listeners.endpoints]  # type: ignore[union-attr]
            self.assertEqual(reading, [not deaf] * 2)


class AllOrNoneTests(SynchronousTestCase):
    """`all_or_none`."""

    def setUp(self) -> None:
        """What happens is written down."""
        self.seen: list[str] = []

    def preparation(self, name: str, *, fails: bool = False) -> Any:
        """A change of that name."""

        async def prepare() -> Prepared:
            self.seen.append(f"prepare {name}")
            if fails:
                raise ValueError(name)

            async def note(what: str) -> None:
                self.seen.append(f"{what} {name}")

            return Prepared(lambda: note("commit"), lambda: note("undo"))

        return prepare

    def test_all(self) -> None:
        """All are prepared before the first one is made."""
        done = Deferred.fromCoroutine(all_or_none([self.preparation(name) for name in "ab"]))
        self.successResultOf(done)
        self.assertEqual(self.seen, ["prepare a", "prepare b", "commit a", "commit b"])

    def test_none(self) -> None:
        """One that cannot be prepared takes back the others, the last first."""
        parts = [self.preparation("a"), self.preparation("b"), self.preparation("c", fails=True)]
        self.failureResultOf(Deferred.fromCoroutine(all_or_none(parts)), ValueError)
        self.assertEqual(self.seen[3:], ["undo b", "undo a"])
