"""Tests for `rangedaemon.core.slowness`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.slowness import USUAL_PERIOD, Floor, Patience, floor_of

FLOOR = Floor(rate=100, period=10.0)


def verdicts(seconds: int, rate: int, held: range = range(0)) -> list[int]:
    """The seconds in which a transfer of *rate* is called too slow."""
    patience = Patience(FLOOR)
    return [
        now
        for now in range(seconds)
        if patience.exhausted(float(now), now * rate, held_back=now in held)
    ]


class PatienceTests(SynchronousTestCase):
    """Tests for `Patience`."""

    def test_table(self) -> None:
        """Only what is slower, and for a whole period."""
        self.assertEqual(verdicts(11, 99), [10])
        self.assertEqual(verdicts(10, 0), [])
        self.assertEqual(verdicts(100, 100), [])
        self.assertEqual(verdicts(31, 0), [10, 20, 30])

    def test_held_back(self) -> None:
        """The time begins anew behind what we did ourselves."""
        self.assertEqual(verdicts(40, 0, held=range(5, 25)), [34])
        self.assertEqual(verdicts(100, 0, held=range(100)), [])

    def test_shrank(self) -> None:
        """Octets that were thrown away begin a new count."""
        patience = Patience(FLOOR)
        self.assertFalse(patience.exhausted(0.0, 5000, held_back=False))
        self.assertFalse(patience.exhausted(9.0, 0, held_back=False))
        self.assertFalse(patience.exhausted(12.0, 0, held_back=False))
        self.assertTrue(patience.exhausted(19.0, 0, held_back=False))

    @given(st.lists(st.tuples(st.integers(1, 5), st.integers(100, 500)), max_size=50))
    def test_never_for_the_fast(self, steps: list[tuple[int, int]]) -> None:
        """Who brings what is asked for in each step is never too slow."""
        patience, now, total = Patience(FLOOR), 0.0, 0
        for seconds, rate in steps:
            now, total = now + seconds, total + seconds * rate
            self.assertFalse(patience.exhausted(now, total, held_back=False))


class FloorTests(SynchronousTestCase):
    """What is expected of a job."""

    def test_table(self) -> None:
        """What it says itself goes before what holds for all."""
        of_all = Floor(100, 5.0)
        for own, common, floor in (
            (None, None, None),
            (None, of_all, of_all),
            (0, of_all, None),
            (7, of_all, Floor(7, 5.0)),
            (7, None, Floor(7, USUAL_PERIOD)),
        ):
            self.assertEqual(floor_of(own, common), floor)
