"""The order of a stop."""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.service.stopping import in_turn, story, together


class StepsTests(SynchronousTestCase):
    """`in_turn`, `together` and `story`."""

    def setUp(self) -> None:
        """Steps that end when the test says so."""
        self.begun: list[str] = []
        self.ends: dict[str, Deferred[None]] = {}

    def step(self, name: str) -> Deferred[None]:
        """Begin *name*."""
        self.begun.append(name)
        self.ends[name] = Deferred()
        return self.ends[name]

    async def told(self, name: str) -> None:
        """The same, as a coroutine."""
        await self.step(name)

    def test_in_turn(self) -> None:
        """Each waits for the one before; one that fails is noted, and the others are made."""
        over = Deferred.fromCoroutine(
            in_turn((story(self.told, "one"), lambda: self.step("two"), lambda: None))
        )
        self.assertEqual(self.begun, ["one"])
        self.ends["one"].errback(ValueError("no"))
        self.assertEqual(self.begun, ["one", "two"])
        self.assertNoResult(over)
        self.ends["two"].callback(None)
        self.successResultOf(over)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)

    def test_together(self) -> None:
        """All begin at once, and the last to end is the end, whatever became of the others."""
        over = Deferred.fromCoroutine(
            together(story(self.told, "one"), lambda: self.step("two"), lambda: 1 / 0)
        )
        self.assertEqual(self.begun, ["one", "two"])
        self.ends["two"].errback(ValueError("no"))
        self.assertNoResult(over)
        self.ends["one"].callback(None)
        self.successResultOf(over)
        self.assertEqual(len(self.flushLoggedErrors(ValueError)), 1)
        self.assertEqual(len(self.flushLoggedErrors(ZeroDivisionError)), 1)
