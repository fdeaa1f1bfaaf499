"""Tests for `rangedaemon.storage.threads.OwnThreads`."""

from __future__ import annotations

import threading

from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults
from twisted.trial.unittest import TestCase

from rangedaemon.storage.threads import OwnThreads


class OwnThreadTests(TestCase):
    """One thread, one thing after the other."""

    def setUp(self) -> None:
        """It runs."""
        self.thread = OwnThreads(reactor, "of the test")  # type: ignore[arg-type]
        self.thread.start()
        self.addCleanup(self.thread.stop)

    async def test_answers(self) -> None:
        """The answer comes in the reactor's thread, the work was done in another, by its name."""
        name = await self.thread(lambda: threading.current_thread().name)
        self.assertEqual(name, "of the test")
        self.assertIs(threading.current_thread(), threading.main_thread())

    async def test_order(self) -> None:
        """What is asked for first is done first."""
        done: list[int] = []
        await gatherResults([self.thread(done.append, n) for n in range(100)])
        self.assertEqual(done, [*range(100)])

    async def test_failure(self) -> None:
        """A failure is the caller's answer; the next one is served."""
        with self.assertRaises(ZeroDivisionError):
            await self.thread(lambda: 1 // 0)
        self.assertEqual(await self.thread(int, "7"), 7)

    async def test_cancelled(self) -> None:
        """Who does not want the answer any more gets none; the work is done all the same."""
        done: list[int] = []
        unwanted: Deferred[None] = self.thread(done.append, 1)
        unwanted.addErrback(lambda _: None)
        unwanted.cancel()
        await self.thread(done.append, 2)
        self.assertEqual(done, [1, 2])

    def test_stop(self) -> None:
        """What was asked for before the end is done; stopping twice, or before a start, is fine."""
        done: list[int] = []
        self.thread(done.append, 1)
        self.thread.stop()
        self.thread.stop()
        self.assertEqual(done, [1])
        OwnThreads(reactor, "never begun").stop()  # type: ignore[arg-type]
