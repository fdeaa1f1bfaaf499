"""Tests for `rangedaemon.core.dates`."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import formatdate

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.dates import format_http_date, parse_http_date

NOW = datetime(2026, 6, 1, tzinfo=UTC).timestamp()
EXAMPLE = 784111777


class ParseTests(SynchronousTestCase):
    """Tests for `parse_http_date`."""

    def test_three_forms(self) -> None:
        """The RFC's own example in all three forms (5.6.7)."""
        for text in [
            "Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-94 08:49:37 GMT",
            "Sun Nov  6 08:49:37 1994",
        ]:
            with self.subTest(text=text):
                self.assertEqual(parse_http_date(text, now=NOW), EXAMPLE)

    def test_not_dates(self) -> None:
        """Another case, another zone, days and hours that no calendar has."""
        for text in [
            "",
            "x",
            "0",
            "784111777",
            "sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 UTC",
            "Sun, 06 Nov 1994 08:49:37",
            "Sun, 6 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 25:49:37 GMT",
            "Sun, 06 Nov 1994 08:60:37 GMT",
            "Sun, 06 Nov 1994 08:49:61 GMT",
            "Sun, 31 Feb 1994 08:49:37 GMT",
            "Sun, 00 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 0000 08:49:37 GMT",
            " Sun, 06 Nov 1994 08:49:37 GMT",
            "Sun, 06 Nov 1994 08:49:37 GMT ",
            "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT",
            "Sunday, 06-Nov-1994 08:49:37 GMT",
            "Sun, 06-Nov-94 08:49:37 GMT",
            "Sun Nov 06 08:49:37 1994 GMT",
            "Sun, \xb26 Nov 1994 08:49:37 GMT",
        ]:
            with self.subTest(text=text):
                self.assertIsNone(parse_http_date(text, now=NOW))

    def test_leap_second(self) -> None:
        """Second 60 is written in leap seconds, and is the next minute's first."""
        self.assertEqual(
            parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT", now=NOW),
            parse_http_date("Sun, 01 Jan 2017 00:00:00 GMT", now=NOW),
        )

    def test_two_digit_years(self) -> None:
        """A year more than 50 years ahead is the latest one in the past (5.6.7)."""
        for year, wanted in {"76": 2076, "77": 1977, "00": 2000, "99": 1999, "26": 2026}.items():
            with self.subTest(year=year):
                moment = parse_http_date(f"Monday, 01-Jan-{year} 00:00:00 GMT", now=NOW)
                self.assertEqual(moment, datetime(wanted, 1, 1, tzinfo=UTC).timestamp())


class FormatTests(SynchronousTestCase):
    """Tests for `format_http_date`."""

    @given(st.integers(0, 2**36))
    def test_like_the_standard_library(self, seconds: int) -> None:
        """An IMF-fixdate, and one that is read back."""
        text = format_http_date(seconds)
        self.assertEqual(text, formatdate(seconds, usegmt=True))
        self.assertEqual(parse_http_date(text, now=NOW), seconds)

    def test_cuts_off(self) -> None:
        """A fraction never makes the date later than the moment."""
        self.assertEqual(format_http_date(EXAMPLE + 0.999), format_http_date(EXAMPLE))
        self.assertEqual(format_http_date(-0.5), "Wed, 31 Dec 1969 23:59:59 GMT")
