"""Tests for `rangedaemon.core.validators`: one table of every case."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.conditions import condition, ladder
from rangedaemon.core.dates import format_http_date
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.validators import (
    STRONG_DATE_AGE,
    Verdict,
    compare,
    is_strong,
    strong_date,
    strong_etag,
)

NOON = 1_700_000_000
"""When the remembered representation was last modified."""

MODIFIED = format_http_date(NOON)
LATER = format_http_date(NOON + 3600)
MINUTE_ON = format_http_date(NOON + 60)
TOO_SOON = format_http_date(NOON + 59)

SAME, CHANGED, CANNOT_TELL = Verdict.SAME, Verdict.CHANGED, Verdict.CANNOT_TELL


def said(
    etag: str | None = None,
    modified: str | None = None,
    date: str | None = None,
    length: int | None = None,
    digest: str | None = None,
) -> Remembered:
    """What an answer says of its representation."""
    return Remembered(etag=etag, last_modified=modified, date=date, length=length, digest=digest)


DATED = said(None, MODIFIED, LATER, 9)
YOUNG = said(None, MODIFIED, TOO_SOON, 9)

HASH = "sha-256=" + "a" * 64
OTHER_HASH = "sha-256=" + "b" * 64
WEAK_HASH = "md5=" + "a" * 32

CASES: list[tuple[str, Remembered, Remembered, Verdict]] = [
    ("promised digest stays, all else moves", said('"a"', MODIFIED, digest=HASH),
     said('"b"', LATER, digest=HASH), SAME),
    ("promised digest moves, all else stays", said('"a"', MODIFIED, digest=HASH),
     said('"a"', MODIFIED, digest=OTHER_HASH), CHANGED),
    ("promised digest stays, length moves", said(length=9, digest=HASH),
     said(length=8, digest=HASH), CHANGED),
    ("digests of two algorithms", said('"a"', digest=HASH),
     said('"b"', digest="sha-512=" + "a" * 128), CANNOT_TELL),
    ("digest left out, tag stays", said('"a"', digest=HASH), said('"a"'), SAME),
    ("digest left out, nothing else", said(digest=HASH), said(), CANNOT_TELL),
    ("digest of a broken algorithm stays", said(digest=WEAK_HASH), said(digest=WEAK_HASH),
     CANNOT_TELL),
    ("strong tag stays", said('"a"', length=9), said('"a"', length=9), SAME),
    ("strong tag stays, length not told", said('"a"', length=9), said('"a"'), SAME),
    ("strong tag stays, date left out", said('"a"', MODIFIED), said('"a"'), SAME),
    ("strong tag stays, date stays", said('"a"', MODIFIED), said('"a"', MODIFIED), SAME),
    ("strong tag stays, length moves", said('"a"', length=9), said('"a"', length=8), CHANGED),
    ("strong tag stays, date moves", said('"a"', MODIFIED), said('"a"', LATER), CANNOT_TELL),
    ("tag moves and date moves", said('"a"', MODIFIED), said('"b"', LATER), CHANGED),
    ("tag moves, date stays", said('"a"', MODIFIED), said('"b"', MODIFIED), CANNOT_TELL),
    ("tag of another node, no date", said('"n1-a"'), said('"n2-a"'), CANNOT_TELL),
    ("tag by signed token, date stays", said('"a?s=1"', MODIFIED), said('"a?s=2"', MODIFIED),
     CANNOT_TELL),
    ("tag moves, length moves", said('"a"', length=9), said('"b"', length=10), CHANGED),
    ("weak tag stays", said('W/"a"', length=9), said('W/"a"', length=9), CANNOT_TELL),
    ("weak tag and young date stay", said('W/"a"', MODIFIED, TOO_SOON),
     said('W/"a"', MODIFIED), CANNOT_TELL),
    ("weak tag and strong date stay", said('W/"a"', MODIFIED, LATER),
     said('W/"a"', MODIFIED), SAME),
    ("weak tag stays, strong date moves", said('W/"a"', MODIFIED, LATER),
     said('W/"a"', LATER), CANNOT_TELL),
    ("weak tag moves, date moves", said('W/"a"', MODIFIED), said('W/"b"', LATER), CHANGED),
    ("weak tag stays, length moves", said('W/"a"', length=9), said('W/"a"', length=8), CHANGED),
    ("strong tag became weak", said('"a"'), said('W/"a"'), CANNOT_TELL),
    ("weak tag became strong", said('W/"a"'), said('"a"'), CANNOT_TELL),
    ("strong tag is gone", said('"a"', length=9), said(length=9), CANNOT_TELL),
    ("strong tag is gone, date stays", said('"a"', MODIFIED, LATER), said(None, MODIFIED),
     CANNOT_TELL),
    ("a tag that is none stays", said("a", length=9), said("a", length=9), CANNOT_TELL),
    ("strong date stays", DATED, said(None, MODIFIED, LATER, 9), SAME),
    ("strong date stays, a tag is new", DATED, said('"a"', MODIFIED, LATER, 9), SAME),
    ("strong date moves", DATED, said(None, LATER, LATER, 9), CHANGED),
    ("strong date stays, length moves", DATED, said(None, MODIFIED, LATER, 8), CHANGED),
    ("strong date left out", DATED, said(length=9), CANNOT_TELL),
    ("young date stays", YOUNG, said(None, MODIFIED, LATER, 9), CANNOT_TELL),
    ("young date moves", YOUNG, said(None, LATER, LATER, 9), CHANGED),
    ("date without Date stays", said(None, MODIFIED), said(None, MODIFIED), CANNOT_TELL),
    ("same moment in another form", DATED, said(None, MODIFIED.replace("GMT", "gmt"), LATER, 9),
     CHANGED),
    ("length only, stays", said(length=9), said(length=9), CANNOT_TELL),
    ("length only, moves", said(length=9), said(length=8), CHANGED),
    ("length only, a tag is new", said(length=9), said('"a"', length=9), CANNOT_TELL),
    ("nothing at all", said(), said(), CANNOT_TELL),
    ("nothing known, everything told", said(), said('"a"', MODIFIED, LATER, 9), CANNOT_TELL),
]  # fmt: skip

STRENGTHS: list[tuple[str, Remembered, bool]] = [
    ("strong tag", said('"a"'), True),
    ("strong tag and strong date", said('"a"', MODIFIED, LATER), True),
    ("weak tag", said('W/"a"'), False),
    ("weak tag and young date", said('W/"a"', MODIFIED, TOO_SOON), False),
    ("no tag by its form", said("a"), False),
    ("strong date", said(None, MODIFIED, LATER), True),
    ("date of exactly a minute", said(None, MODIFIED, MINUTE_ON), True),
    ("date a second too young", said(None, MODIFIED, TOO_SOON), False),
    ("date from the future", said(None, LATER, MODIFIED), False),
    ("date without Date", said(None, MODIFIED), False),
    ("Date alone", said(None, None, LATER), False),
    ("date that is none", said(None, "yesterday", LATER), False),
    ("Date that is none", said(None, MODIFIED, "now"), False),
    ("length only", said(length=9), False),
    ("nothing", said(), False),
]

fields = st.builds(
    said,
    st.sampled_from([None, '"a"', '"b"', 'W/"a"', "x"]),
    st.sampled_from([None, MODIFIED, LATER]),
    st.sampled_from([None, LATER, TOO_SOON]),
    st.sampled_from([None, 8, 9]),
)


class CompareTests(SynchronousTestCase):
    """Tests for `compare`."""

    def test_table(self) -> None:
        """Each case has its verdict."""
        for name, remembered, seen, verdict in CASES:
            with self.subTest(name):
                self.assertEqual(compare(remembered, seen).verdict, verdict)

    def test_every_verdict_has_its_reason(self) -> None:
        """Whoever reads the job learns in words why."""
        for name, remembered, seen, _ in CASES:
            with self.subTest(name):
                self.assertGreater(len(compare(remembered, seen).reason.split()), 3)

    def test_reason_of_a_length_names_both(self) -> None:
        """The sentence about a length says what it was and what it is."""
        reason = compare(said(length=9), said(length=8)).reason
        self.assertIn("9", reason)
        self.assertIn("8", reason)

    @given(fields, fields)
    def test_same_only_by_a_strong_validator(self, ours: Remembered, theirs: Remembered) -> None:
        """No combination of fields is *same* unless a strong validator is in both."""
        if compare(ours, theirs).verdict is SAME:
            self.assertTrue(is_strong(ours))
            by_tag = ours.etag == theirs.etag == '"a"' or ours.etag == theirs.etag == '"b"'
            by_date = strong_date(ours) and ours.last_modified == theirs.last_modified
            self.assertTrue(by_tag or by_date)

    @given(fields, fields)
    def test_other_length_is_never_the_same(self, ours: Remembered, theirs: Remembered) -> None:
        """Two known lengths that differ are a change, whatever the validators say."""
        if ours.length and theirs.length and ours.length != theirs.length:
            self.assertEqual(compare(ours, theirs).verdict, CHANGED)


class StrengthTests(SynchronousTestCase):
    """Tests for `is_strong`."""

    def test_table(self) -> None:
        """Each set of fields is strong or not."""
        for name, remembered, strong in STRENGTHS:
            with self.subTest(name):
                self.assertEqual(is_strong(remembered), strong)

    @given(st.integers(0, 4_000_000_000), st.integers(-200, 200))
    def test_strong_date_is_a_matter_of_a_minute(self, modified: int, age: int) -> None:
        """By the origin's own clock, at any time."""
        date = format_http_date(modified + 300 + age)
        told = said(None, format_http_date(modified + 300), date)
        self.assertEqual(strong_date(told), age >= STRONG_DATE_AGE)


class ConditionTests(SynchronousTestCase):
    """Tests for `rangedaemon.core.conditions`."""

    def test_ladder(self) -> None:
        """The strong tag, then the strong date, then none; a weak one is no rung."""
        cases: list[tuple[str, Remembered, list[str | None]]] = [
            ("both", said('"a"', MODIFIED, LATER), ['"a"', MODIFIED, None]),
            ("tag", said('"a"'), ['"a"', None]),
            ("tag, young date", said('"a"', MODIFIED, TOO_SOON), ['"a"', None]),
            ("date", said(None, MODIFIED, LATER), [MODIFIED, None]),
            ("weak tag", said('W/"a"'), [None]),
            ("young date", said(None, MODIFIED, TOO_SOON), [None]),
            ("nothing", said(), [None]),
        ]
        for name, remembered, rungs in cases:
            with self.subTest(name):
                self.assertEqual(ladder(remembered), rungs)

    @given(fields, st.integers(0, 9))
    def test_below_the_last_rung_there_is_no_condition(self, told: Remembered, n: int) -> None:
        """However many rungs were fruitless, there is an answer; at last it is none."""
        rungs = ladder(told)
        self.assertEqual(condition(told, n), rungs[n] if n < len(rungs) else None)

    @given(fields)
    def test_conditions_are_strong(self, told: Remembered) -> None:
        """A condition is there exactly where RFC 9110 13.1.5 allows one: no weak tag, and
        no date where there is a tag but the strong one that was tried before.
        """
        tagged, strong = told.etag is not None, strong_etag(told) is not None
        expected = strong or (strong_date(told) and not tagged)
        self.assertEqual(ladder(told) != [None], expected)
        self.assertFalse([rung for rung in ladder(told) if rung and rung.startswith("W/")])
