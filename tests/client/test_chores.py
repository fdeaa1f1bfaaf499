"""Chores beside a story: regular, one turn at a time, ended with it."""

from __future__ import annotations

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.chores import Chore, beside


class ChoresTests(SynchronousTestCase):
    """A story that ends when the test says so."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.story: Deferred[None] = Deferred()
        self.turns: list[float] = []
        self.faults: list[Failure] = []

    def begin(self, *chores: tuple[float, Chore]) -> Deferred[None]:
        """The story with *chores* beside it."""

        async def told() -> None:
            await self.story

        return ensureDeferred(beside(self.clock, chores, self.on_fault, told()))

    def on_fault(self, failure: Failure) -> None:
        """As a job does: the fault of a chore ends the story at once."""
        self.faults.append(failure)
        self.story.errback(failure.value)

    async def chore(self) -> None:
        """Note when it was done."""
        self.turns.append(self.clock.seconds())

    def test_regular(self) -> None:
        """First after one interval, then again and again, never after the end."""
        ended = self.begin((2.0, self.chore))
        for _ in range(5):
            self.clock.advance(1)
        self.story.callback(None)
        self.successResultOf(ended)
        self.clock.advance(10)
        self.assertEqual(self.turns, [2.0, 4.0])
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_never_twice_at_a_time(self) -> None:
        """A turn that takes long delays the next, and the story's end waits for it."""
        slow: list[Deferred[None]] = []

        async def chore() -> None:
            slow.append(Deferred())
            await slow[-1]

        ended = self.begin((1.0, chore))
        for _ in range(4):
            self.clock.advance(1)
        self.assertEqual(len(slow), 1)
        self.story.callback(None)
        self.assertNoResult(ended)
        slow[0].callback(None)
        self.successResultOf(ended)

    def test_fault_that_ends_the_story(self) -> None:
        """The story fails with the chore's own fault, and with no other."""

        async def chore() -> None:
            raise OSError("disk")

        ended = self.begin((1.0, chore), (1.0, self.chore))
        self.clock.advance(1)
        failure = self.failureResultOf(ended, OSError)
        self.assertEqual(str(failure.value), "disk")
        self.assertEqual(len(self.faults), 1)
        self.clock.advance(10)
        self.assertLess(len(self.turns), 2)

    def test_story_that_fails(self) -> None:
        """Its fault comes through, the chores end."""
        ended = self.begin((1.0, self.chore))
        self.story.errback(OSError("net"))
        self.failureResultOf(ended, OSError)
        self.assertEqual(self.clock.getDelayedCalls(), [])
