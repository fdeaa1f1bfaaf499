"""Tests for `rangedaemon.core.acceptance`: one table of answers and what becomes of them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.acceptance import (
    Acceptance,
    Answer,
    Partial,
    Unsatisfiable,
    Whole,
    judge,
)
from rangedaemon.core.dates import format_http_date
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.ranges import format_content_range
from rangedaemon.errors import (
    BadResponse,
    Changed,
    Missing,
    NoRanges,
    OriginFault,
    Refused,
    ServerError,
    Throttled,
    TimedOut,
    Unauthorized,
)

URL = "http://origin.test/file"
NOW = 1_700_000_000.0
ASKED = ByteRange(100, 200)
"""What the table's requests ask for, of 1000 octets."""


def answer(status: int, content_range: str | None = None, **fields: object) -> Answer:
    """The head of an answer."""
    return Answer(status=status, url=URL, content_range=content_range, **fields)  # type: ignore[arg-type]


def piece(start: int, stop: int, length: int | None = 1000) -> Partial:
    """What a good 206 is taken for."""
    return Partial(ByteRange(start, stop), length)


GOOD: list[tuple[str, Answer, Acceptance]] = [
    ("exactly what was asked for", answer(206, "bytes 100-199/1000", content_length=100),
     piece(100, 200)),
    ("the same without a length of its own", answer(206, "bytes 100-199/1000"), piece(100, 200)),
    ("fewer octets from the same start", answer(206, "bytes 100-149/1000", content_length=50),
     piece(100, 150)),
    ("a single octet", answer(206, "bytes 100-100/1000"), piece(100, 101)),
    ("complete length not told", answer(206, "bytes 100-199/*"), piece(100, 200, None)),
    ("the unit in capitals", answer(206, "BYTES 100-199/1000"), piece(100, 200)),
    ("blanks around", answer(206, " bytes 100-199/1000\t"), piece(100, 200)),
    ("identity named as coding",
     answer(206, "bytes 100-199/1000", content_encoding=" Identity "), piece(100, 200)),
    ("another type than multipart",
     answer(206, "bytes 100-199/1000", content_type="text/plain"), piece(100, 200)),
    ("200 with a length", answer(200, content_length=1000), Whole(1000)),
    ("200 with another length", answer(200, content_length=7), Whole(7)),
    ("200 of nothing", answer(200, content_length=0), Whole(0)),
    ("200 without a length", answer(200), Whole(None)),
    ("200 with a Content-Range, which means nothing there",
     answer(200, "bytes 100-199/1000", content_length=1000), Whole(1000)),
    ("416 with the length", answer(416, "bytes */1000"), Unsatisfiable(1000)),
    ("416 of an empty file", answer(416, "bytes */0"), Unsatisfiable(0)),
    ("416 without Content-Range", answer(416), Unsatisfiable(None)),
    ("416 with a Content-Range of a 206", answer(416, "bytes 0-1/2"), Unsatisfiable(None)),
    ("416 with nonsense", answer(416, "bytes */*"), Unsatisfiable(None)),
]  # fmt: skip

BAD: list[tuple[str, Answer, type[OriginFault]]] = [
    ("206 without Content-Range", answer(206, content_length=100), BadResponse),
    ("206 with an empty Content-Range", answer(206, ""), BadResponse),
    ("206 in the form of a 416", answer(206, "bytes */1000"), BadResponse),
    ("last before first", answer(206, "bytes 199-100/1000"), BadResponse),
    ("what Go sends for the last no octets", answer(206, "bytes 1000-999/1000"), BadResponse),
    ("negative", answer(206, "bytes -5-10/1000"), BadResponse),
    ("behind the end", answer(206, "bytes 100-199/150"), BadResponse),
    ("another unit", answer(206, "items 100-199/1000"), BadResponse),
    ("no unit", answer(206, "100-199/1000"), BadResponse),
    ("as in a request", answer(206, "bytes=100-199/1000"), BadResponse),
    ("two fields", answer(206, "bytes 100-199/1000, bytes 100-199/1000"), BadResponse),
    ("digits of another script", answer(206, "bytes 100-19\u0669/1000"), BadResponse),
    ("digits without end", answer(206, f"bytes {'1' * 5000}-{'2' * 5000}/*"), BadResponse),
    ("begins too early", answer(206, "bytes 99-198/1000"), NoRanges),
    ("begins too late", answer(206, "bytes 101-199/1000"), NoRanges),
    ("ends too late", answer(206, "bytes 100-200/1000"), NoRanges),
    ("the whole as 206", answer(206, "bytes 0-999/1000"), NoRanges),
    ("several parts", answer(206, content_type="multipart/byteranges; boundary=B"), NoRanges),
    ("several parts in capitals", answer(206, content_type="Multipart/ByteRanges"), NoRanges),
    ("another complete length", answer(206, "bytes 100-199/1001"), Changed),
    ("frame shorter than its range", answer(206, "bytes 100-199/1000", content_length=99),
     BadResponse),
    ("frame longer than its range", answer(206, "bytes 100-199/1000", content_length=1000),
     BadResponse),
    ("coded 206", answer(206, "bytes 100-199/1000", content_encoding="gzip"), BadResponse),
    ("coded 200", answer(200, content_length=10, content_encoding="br"), BadResponse),
    ("coded twice", answer(200, content_encoding="identity, gzip"), BadResponse),
    ("204", answer(204), Refused),
    ("202", answer(202), Refused),
    ("304 without a question", answer(304), Refused),
    ("300", answer(300), Refused),
    ("400", answer(400), Refused),
    ("401", answer(401), Unauthorized),
    ("403", answer(403), Unauthorized),
    ("407", answer(407), Unauthorized),
    ("404", answer(404), Missing),
    ("410", answer(410), Missing),
    ("405", answer(405), Refused),
    ("408", answer(408), TimedOut),
    ("412", answer(412), Changed),
    ("418", answer(418), Refused),
    ("429", answer(429), Throttled),
    ("500", answer(500), ServerError),
    ("501", answer(501), Refused),
    ("502", answer(502), ServerError),
    ("503", answer(503), Throttled),
    ("504", answer(504), ServerError),
    ("505", answer(505), Refused),
]  # fmt: skip

RETRYABLE = {408, 425, 429, 500, 502, 503, 504}


class JudgeTests(SynchronousTestCase):
    """Tests for `judge`."""

    def test_what_may_be_kept(self) -> None:
        """Each good answer is taken for what it is."""
        for name, head, taken in GOOD:
            with self.subTest(name):
                self.assertEqual(judge(head, ASKED, 1000, now=NOW), taken)

    def test_what_must_not_be_kept(self) -> None:
        """Each other answer is the fault that says why, with its address."""
        for name, head, fault in BAD:
            with self.subTest(name):
                raised = self.assertRaises(OriginFault, judge, head, ASKED, 1000, now=NOW)
                self.assertIs(type(raised), fault)
                self.assertEqual(raised.url, URL)

    def test_which_statuses_may_get_better(self) -> None:
        """A status is asked again where repeating it may help, and no other is."""
        for status in [*range(400, 416), *range(417, 520)]:
            with self.subTest(status):
                raised = self.assertRaises(OriginFault, judge, answer(status), ASKED, 1000, now=NOW)
                hopeful = status in RETRYABLE or (status > 505)
                self.assertEqual((raised.retryable, raised.answered), (hopeful, status))

    def test_unknown_length_takes_any(self) -> None:
        """Before the length is known, the first 206 tells it."""
        head = answer(206, "bytes 100-199/5000")
        self.assertEqual(judge(head, ASKED, None, now=NOW), piece(100, 200, 5000))

    def test_range_to_a_request_without_one(self) -> None:
        """A 206 or a 416 that nobody asked for is no answer."""
        partial = answer(206, "bytes 0-9/10")
        self.assertRaises(BadResponse, judge, partial, None, None, now=NOW)
        self.assertRaises(Refused, judge, answer(416, "bytes */10"), None, None, now=NOW)

    def test_retry_after_comes_along(self) -> None:
        """Seconds and dates are understood, nonsense and the past are no time at all."""
        hour = format_http_date(NOW + 600)
        for status in (429, 503):
            for text, seconds in (("7", 7.0), (hour, 600.0), ("soon", None), (None, None)):
                with self.subTest(status=status, text=text):
                    head = answer(status, retry_after=text)
                    raised = self.assertRaises(Throttled, judge, head, ASKED, 1000, now=NOW)
                    self.assertEqual(raised.retry_after, seconds)

    @given(st.integers(0, 50), st.integers(1, 50), st.integers(0, 60), st.integers(1, 60))
    def test_never_an_octet_outside_what_was_asked(
        self, start: int, count: int, given_start: int, given_count: int
    ) -> None:
        """Whatever range is offered: what is kept begins where we asked and ends no later."""
        asked = ByteRange(start, start + count)
        offered = ByteRange(given_start, given_start + given_count)
        head = answer(206, format_content_range(offered, 1000))
        try:
            taken = judge(head, asked, 1000, now=NOW)
        except NoRanges:
            self.assertTrue(offered.start != asked.start or offered.stop > asked.stop)
            return
        self.assertEqual(taken, Partial(offered, 1000))
        self.assertEqual(offered.start, asked.start)
        self.assertLessEqual(offered.stop, asked.stop)

    @given(st.text(max_size=40))
    def test_no_content_range_breaks_it(self, text: str) -> None:
        """Any text at all as Content-Range is judged, never a crash."""
        try:
            taken = judge(answer(206, text), ASKED, 1000, now=NOW)
        except OriginFault:
            return
        self.assertIsInstance(taken, Partial)
