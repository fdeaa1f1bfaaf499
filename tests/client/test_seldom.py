"""Tests for `rangedaemon.client.seldom`."""

from __future__ import annotations

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.seldom import QUIET_SECONDS, Seldom


class SeldomTests(SynchronousTestCase):
    """What is written of many."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.lines: list[tuple[int, object]] = []
        self.news: Seldom[object] = Seldom(
            self.clock, lambda count, what: self.lines.append((count, what))
        )

    def test_hundreds(self) -> None:
        """The first is told at once, the others together, with the last of them."""
        for number in range(800):
            self.news.happened(number)
        self.assertEqual(self.lines, [(1, 0)])
        self.clock.advance(QUIET_SECONDS)
        self.news.happened("late")
        self.assertEqual(self.lines, [(1, 0), (800, "late")])

    def test_sum(self) -> None:
        """At the end all are told of, each once."""
        self.news.happened("a")
        self.news.sum_up()
        self.news.happened("b")
        self.news.happened("c")
        self.news.sum_up()
        self.news.sum_up()
        self.assertEqual(self.lines, [(1, "a"), (2, "c")])
