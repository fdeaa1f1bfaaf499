"""Tests for `rangedaemon.core.retry`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon import errors
from rangedaemon.core.dates import format_http_date
from rangedaemon.core.retry import (
    LONGEST_PATIENCE,
    LONGEST_RETRY_AFTER,
    RetryClass,
    RetryPolicy,
    RetryRules,
    class_of_status,
    parse_retry_after,
)

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


class ClassTests(SynchronousTestCase):
    """Tests for `class_of_status` and `RetryRules.class_of`."""

    def test_statuses(self) -> None:
        """The table, status by status: no status is in two classes, none is left out."""
        throttled, transient = {429, 503, 509}, {408, 425, *range(500, 600)} - {501, 505}
        for status in range(300, 600):
            expected = RetryClass.PERMANENT
            if status in throttled:
                expected = RetryClass.THROTTLED
            elif status in transient:
                expected = RetryClass.TRANSIENT
            self.assertIs(class_of_status(status), expected, status)

    def test_exceptions(self) -> None:
        """Each fault that can end a job, by the class that it is of."""
        rules = RetryRules()
        for kind, expected in {
            errors.Unreachable: "transient", errors.TimedOut: "transient",
            errors.TooSlow: "transient", errors.ServerError: "transient",
            errors.BadResponse: "transient", errors.NoRanges: "transient",
            errors.Unjoinable: "transient", errors.PartFileLost: "transient",
            errors.Throttled: "throttled", errors.NoSpace: "patient",
            errors.Missing: "permanent", errors.Unauthorized: "permanent",
            errors.Refused: "permanent", errors.Changed: "permanent",
            errors.ChecksumMismatch: "permanent", errors.TooManyRedirects: "permanent",
            errors.BadRedirect: "permanent", errors.UnusableDocument: "permanent",
            errors.NeverFits: "permanent", errors.NotWritable: "permanent",
            errors.NameTaken: "permanent", errors.StorageFault: "permanent",
        }.items():  # fmt: skip
            fault = kind("why")
            self.assertEqual(rules.class_of(fault), expected, kind.__name__)
            self.assertEqual(rules.hopeful(fault), expected != "permanent")

    def test_configured(self) -> None:
        """A status is put into another class before its code is; others stay what they are."""
        rules = RetryRules(
            others={
                "404": RetryClass.TRANSIENT,
                "not-found": RetryClass.THROTTLED,
                "unreachable": RetryClass.PERMANENT,
                "no-space": RetryClass.PERMANENT,
            }
        )
        found, gone = errors.Missing("404"), errors.Missing("410")
        found.answered, gone.answered = 404, 410
        for fault, expected in (
            (found, RetryClass.TRANSIENT),
            (gone, RetryClass.THROTTLED),
            (errors.Unreachable("x"), RetryClass.PERMANENT),
            (errors.NoSpace("x"), RetryClass.PERMANENT),
            (errors.TimedOut("x"), RetryClass.TRANSIENT),
        ):
            self.assertIs(rules.class_of(fault), expected)


class NextTryTests(SynchronousTestCase):
    """Tests for `RetryRules.next_try`."""

    rules = RetryRules(RetryPolicy(3, 1.0, 100.0), RetryPolicy(5, 10.0, 1000.0))

    def test_table(self) -> None:
        """Each class by its own policy; the last try of a class is its last."""
        self.assertIsNone(self.rules.next_try(errors.Missing("x"), 1, 0.0))
        self.assertEqual(self.rules.next_try(errors.TimedOut("x"), 2, 0.0), 1.0)
        self.assertIsNone(self.rules.next_try(errors.TimedOut("x"), 3, 0.0))
        self.assertEqual(self.rules.next_try(errors.Throttled("x"), 3, 0.0), 20.0)
        self.assertEqual(self.rules.next_try(errors.Throttled("x", retry_after=99.0), 1, 0.0), 99.0)
        self.assertIsNone(self.rules.next_try(errors.Throttled("x", retry_after=9.0), 5, 0.0))

    @given(st.integers(1, 10**6), jitters)
    def test_patient(self, attempt: int, jitter: float) -> None:
        """What lasts until somebody mends it is looked at without end, a minute apart at most."""
        delay = self.rules.next_try(errors.NoSpace("x"), attempt, jitter)
        self.assertTrue(delay is not None and 0.5 <= delay <= LONGEST_PATIENCE)

    @given(st.sampled_from([errors.TimedOut, errors.Throttled]), st.integers(5, 100), jitters)
    def test_nothing_else_without_end(
        self, kind: type[errors.OriginFault], attempt: int, jitter: float
    ) -> None:
        """Every other class has a last try."""
        self.assertIsNone(self.rules.next_try(kind("x"), attempt, jitter))


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
