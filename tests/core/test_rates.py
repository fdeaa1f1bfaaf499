"""Tests for `rangedaemon.core.rates`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.rates import WINDOW_SECONDS, RateMeter


class RateMeterTests(SynchronousTestCase):
    """Tests for `RateMeter`."""

    def setUp(self) -> None:
        """A meter without any mark."""
        self.meter = RateMeter()

    def test_nothing_noted(self) -> None:
        """Without two marks there is no rate."""
        self.assertEqual(self.meter.rate(0.0), 0.0)
        self.meter.note(0.0, 100)
        self.assertEqual(self.meter.rate(0.0), 0.0)

    def test_steady_rate(self) -> None:
        """Octets per second between the marks."""
        for second in range(20):
            self.meter.note(second, 100 * second)
        self.assertEqual(self.meter.rate(19.0), 100.0)

    def test_old_times_are_forgotten(self) -> None:
        """What was fast long ago does not count."""
        for second in range(10):
            self.meter.note(second, 1000 * second)
        for second in range(10, 20):
            self.meter.note(second, 9000 + second)
        self.assertEqual(self.meter.rate(19.0), 1.0)

    def test_silence_is_no_rate(self) -> None:
        """Nothing noted for longer than the window: 0."""
        self.meter.note(0.0, 0)
        self.meter.note(1.0, 100)
        self.assertEqual(self.meter.rate(1.0 + WINDOW_SECONDS), 100.0)
        self.assertEqual(self.meter.rate(1.5 + WINDOW_SECONDS), 0.0)

    def test_total_that_shrinks_begins_anew(self) -> None:
        """A transfer that starts again never has a negative rate."""
        self.meter.note(0.0, 1000)
        self.meter.note(1.0, 10)
        self.assertEqual(self.meter.rate(1.0), 0.0)
        self.meter.note(2.0, 30)
        self.assertEqual(self.meter.rate(2.0), 20.0)

    def test_two_marks_at_one_moment(self) -> None:
        """No time between the marks is no rate, not an error."""
        self.meter.note(3.0, 1)
        self.meter.note(3.0, 9)
        self.assertEqual(self.meter.rate(3.0), 0.0)

    @given(st.lists(st.tuples(st.floats(0, 3), st.integers(0, 1000)), max_size=60))
    def test_between_the_slowest_and_the_fastest(self, steps: list[tuple[float, int]]) -> None:
        """Never negative, and memory stays bounded by the window."""
        now, total = 0.0, 0
        for wait, count in steps:
            now, total = now + wait, total + count
            self.meter.note(now, total)
            self.assertGreaterEqual(self.meter.rate(now), 0.0)
