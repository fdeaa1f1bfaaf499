"""How many connections a host gets after it refused some."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.congestion import GROWTH_SECONDS, ROUND_SECONDS, Pace


class PaceTests(SynchronousTestCase):
    """Half at once, then one by one."""

    def test_nothing_happened(self) -> None:
        """All that are configured, at any time."""
        self.assertEqual([Pace(8).allowed(now) for now in (0.0, 1e9)], [8, 8])

    def test_half_of_those_in_use(self) -> None:
        """The number that was too many counts, not the number that was allowed."""
        for used, allowed in ((8, 4), (5, 2), (3, 1), (1, 1), (0, 1), (20, 4)):
            with self.subTest(used):
                self.assertEqual(Pace(8).overloaded(100.0, used).allowed(100.0), allowed)

    def test_once_a_round(self) -> None:
        """Eight refusals at a time are one overload; the next round halves again."""
        pace = Pace(8)
        for at in range(8):
            pace = pace.overloaded(100.0 + at * 0.1, 8)
        self.assertEqual(pace.allowed(101.0), 4)
        pace = pace.overloaded(100.0 + ROUND_SECONDS, 4)
        self.assertEqual(pace.allowed(102.0), 2)

    def test_grows_back(self) -> None:
        """One more after each quiet time, up to what is configured."""
        pace = Pace(4).overloaded(0.0, 4)
        allowed = [pace.allowed(n * GROWTH_SECONDS) for n in range(5)]
        self.assertEqual(allowed, [2, 3, 4, 4, 4])
        self.assertEqual(pace.allowed(GROWTH_SECONDS - 0.01), 2)

    @given(
        st.integers(1, 64),
        st.lists(st.tuples(st.floats(0, 30), st.integers(0, 80)), max_size=40),
    )
    def test_within_its_bounds(self, limit: int, refusals: list[tuple[float, int]]) -> None:
        """Never below one, never above the limit, never more by a refusal."""
        pace, now = Pace(limit), 0.0
        for wait, used in refusals:
            now += wait
            before = pace.allowed(now)
            pace = pace.overloaded(now, used)
            self.assertTrue(1 <= pace.allowed(now) <= max(1, before) <= limit)
        self.assertEqual(pace.allowed(now + limit * GROWTH_SECONDS), limit)
