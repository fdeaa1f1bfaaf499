"""Tests for `rangedaemon.core.retry`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.dates import format_http_date
from rangedaemon.core.retry import LONGEST_RETRY_AFTER, RetryPolicy, parse_retry_after

NOW = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT."""

JUST_UNDER_ONE = 1 - 2**-53
jitters = st.floats(0, JUST_UNDER_ONE)


class DelayTests(SynchronousTestCase):
    """Tests for `RetryPolicy.delay`."""

    policy = RetryPolicy(attempts=10, initial_delay=1.0, max_delay=300.0)

    def test_doubles_up_to_the_ceiling(self) -> None:
        """1, 2, 4, … seconds and never more than the longest delay."""
        delays = [self.policy.delay(n, JUST_UNDER_ONE) for n in range(1, 12)]
        expected = [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300]
        self.assertEqual([round(d, 6) for d in delays], expected)

    def test_jitter_spreads_over_the_upper_half(self) -> None:
        """The least delay is half of the ceiling."""
        self.assertEqual(self.policy.delay(4, 0.0), 4.0)
        self.assertEqual(self.policy.delay(4, 0.5), 6.0)

    @given(st.integers(-5, 10_000), jitters)
    def test_within_bounds(self, attempt: int, jitter: float) -> None:
        """However many failures: between half of the first delay and the longest."""
        delay = self.policy.delay(attempt, jitter)
        self.assertTrue(0.5 <= delay <= 300.0)

    @given(st.integers(1, 60), jitters)
    def test_never_shorter_after_more_failures(self, attempt: int, jitter: float) -> None:
        """With the same jitter a later failure waits at least as long."""
        self.assertGreaterEqual(
            self.policy.delay(attempt + 1, jitter), self.policy.delay(attempt, jitter)
        )

    @given(st.integers(1, 20), jitters, st.floats(0, LONGEST_RETRY_AFTER))
    def test_retry_after_is_never_undercut(self, attempt: int, jitter: float, asked: float) -> None:
        """What the origin asked for is a floor, even above our own longest delay."""
        delay = self.policy.delay(attempt, jitter, asked)
        self.assertEqual(delay, max(asked, self.policy.delay(attempt, jitter)))

    def test_exhausted(self) -> None:
        """As many failures in a row as the policy allows are enough."""
        self.assertEqual([self.policy.exhausted(n) for n in (9, 10, 11)], [False, True, True])


class RetryAfterTests(SynchronousTestCase):
    """Tests for `parse_retry_after`."""

    def test_table(self) -> None:
        """Seconds and the three forms of dates; everything else is no time."""
        cases: list[tuple[str, float | None]] = [
            ("120", 120.0),
            (" 120 ", 120.0),
            ("0", 0.0),
            ("007", 7.0),
            ("3600", 3600.0),
            ("3601", 3600.0),
            ("9" * 9, 3600.0),
            ("9" * 5000, 3600.0),
            ("Sun, 06 Nov 1994 08:50:37 GMT", 60.0),
            ("Sunday, 06-Nov-94 08:50:37 GMT", 60.0),
            ("Sun Nov  6 08:50:37 1994", 60.0),
            ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0),
            ("Mon, 07 Nov 1994 08:49:37 GMT", 3600.0),
            ("Sun, 06 Nov 1994 08:49:36 GMT", None),
            ("-1", None),
            ("+5", None),
            ("1.5", None),
            ("1_0", None),
            ("\u0661\u0662", None),
            ("1e3", None),
            ("", None),
            ("soon", None),
            ("5, 6", None),
        ]
        for text, seconds in cases:
            with self.subTest(text[:40]):
                self.assertEqual(parse_retry_after(text, now=NOW), seconds)

    @given(st.integers(-10_000, 10_000))
    def test_dates_are_clamped(self, ahead: int) -> None:
        """A date in the past is no time; one far ahead is an hour."""
        seconds = parse_retry_after(format_http_date(NOW + ahead), now=NOW)
        self.assertEqual(seconds, None if ahead < 0 else min(ahead, LONGEST_RETRY_AFTER))

    @given(st.text(max_size=40))
    def test_any_text(self, text: str) -> None:
        """Whatever an origin writes there, the answer is a time we would wait, or none."""
        seconds = parse_retry_after(text, now=NOW)
        self.assertTrue(seconds is None or 0 <= seconds <= LONGEST_RETRY_AFTER)
