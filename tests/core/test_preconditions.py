"""Tests for `rangedaemon.core.preconditions`."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.dates import format_http_date
from rangedaemon.core.etags import EntityTag
from rangedaemon.core.preconditions import (
    NO_VALIDATORS,
    Conditions,
    Validators,
    Verdict,
    evaluate,
    range_counts,
)

MODIFIED = 784111777
NOW = MODIFIED + 3600.0
SAME, BEFORE, AFTER = (format_http_date(MODIFIED + d) for d in (0, -1, 1))
CURRENT = Validators(EntityTag("a,b"), MODIFIED)
GO_ON, NOT_MODIFIED, FAILED = Verdict.GO_ON, Verdict.NOT_MODIFIED, Verdict.FAILED


def verdict(current: Validators = CURRENT, method: str = "GET", **asked: str) -> Verdict:
    """The verdict on a request with these conditions."""
    return evaluate(method, Conditions(**asked), current, now=NOW)


class EvaluateTests(SynchronousTestCase):
    """Tests for `evaluate`: RFC 9110, 13.2.2, steps 1 to 4."""

    def check(self, table: dict[str, Verdict], field: str, method: str = "GET") -> None:
        for value, wanted in table.items():
            with self.subTest(value=value, method=method):
                self.assertEqual(verdict(method=method, **{field: value}), wanted)

    def test_if_match(self) -> None:
        """Strong comparison, lists, the star; what cannot be read matches nothing."""
        table = {
            '"a,b"': GO_ON,
            '"x", "a,b"': GO_ON,
            "*": GO_ON,
            '"x"': FAILED,
            'W/"a,b"': FAILED,
            '"a", "b"': FAILED,
            "a,b": FAILED,
            '*, "a,b"': FAILED,
            "": FAILED,
        }
        for method in ["GET", "HEAD", "PUT"]:
            self.check(table, "if_match", method)

    def test_if_match_of_a_weak_or_absent_tag(self) -> None:
        """Without a strong tag only the star matches."""
        weak = Validators(EntityTag("a", weak=True), MODIFIED)
        self.assertEqual(verdict(weak, if_match='W/"a"'), FAILED)
        self.assertEqual(verdict(weak, if_match='"a"'), FAILED)
        self.assertEqual(verdict(NO_VALIDATORS, if_match="*"), GO_ON)

    def test_if_unmodified_since(self) -> None:
        """Later changes fail it; no date and two dates are ignored."""
        table = {
            SAME: GO_ON,
            AFTER: GO_ON,
            BEFORE: FAILED,
            "x": GO_ON,
            f"{BEFORE}, {BEFORE}": GO_ON,
        }
        self.check(table, "if_unmodified_since")

    def test_if_none_match(self) -> None:
        """Weak comparison, lists, the star; 304 to reads and 412 to writes."""
        table = {
            '"a,b"': NOT_MODIFIED,
            'W/"a,b"': NOT_MODIFIED,
            'W/"x","a,b"': NOT_MODIFIED,
            "*": NOT_MODIFIED,
            '"x"': GO_ON,
            '"a", "b"': GO_ON,
            "a,b": GO_ON,
            '*, "a,b"': GO_ON,
        }
        self.check(table, "if_none_match")
        self.check(table, "if_none_match", "HEAD")
        self.check({'"a,b"': FAILED, "*": FAILED, '"x"': GO_ON}, "if_none_match", "PUT")

    def test_if_modified_since(self) -> None:
        """304 where nothing changed after the date, whichever of the three forms it has."""
        table = {
            SAME: NOT_MODIFIED,
            AFTER: NOT_MODIFIED,
            BEFORE: GO_ON,
            "x": GO_ON,
            "Sunday, 06-Nov-94 08:49:37 GMT": NOT_MODIFIED,
            "Sun Nov  6 08:49:37 1994": NOT_MODIFIED,
            "Sun Nov  6 08:49:36 1994": GO_ON,
            f"{SAME}, {SAME}": GO_ON,
        }
        self.check(table, "if_modified_since")
        self.check({SAME: GO_ON}, "if_modified_since", "PUT")

    def test_dates_of_an_undated_representation(self) -> None:
        """Without a modification date both date conditions are ignored."""
        undated = Validators(EntityTag("a"))
        self.assertEqual(verdict(undated, if_modified_since=AFTER), GO_ON)
        self.assertEqual(verdict(undated, if_unmodified_since=BEFORE), GO_ON)

    def test_order(self) -> None:
        """Every combination of the four fields comes out as the steps of the RFC say."""
        tags = [None, '"a,b"', '"x"']
        dates = [None, SAME, BEFORE]
        for im, ius, inm, ims in product(tags, dates, tags, dates):
            if im == '"x"' or (im is None and ius == BEFORE):
                wanted = FAILED
            elif inm == '"a,b"' or (inm is None and ims == SAME):
                wanted = NOT_MODIFIED
            else:
                wanted = GO_ON
            with self.subTest(im=im, ius=ius, inm=inm, ims=ims):
                asked = Conditions(im, ius, inm, ims)
                self.assertEqual(evaluate("GET", asked, CURRENT, now=NOW), wanted)


class RangeCountsTests(SynchronousTestCase):
    """Tests for `range_counts`: If-Range (RFC 9110, 13.1.5)."""

    def test_values(self) -> None:
        """The same strong tag or the very same date; everything else drops the Range."""
        for value, wanted in {
            '"a,b"': True,
            '"x"': False,
            'W/"a,b"': False,
            '"a,b", "x"': False,
            "a,b": False,
            "*": False,
            "": False,
            SAME: True,
            BEFORE: False,
            AFTER: False,
            "Sunday, 06-Nov-94 08:49:37 GMT": True,
            f"{SAME}, {SAME}": False,
        }.items():
            with self.subTest(value=value):
                self.assertEqual(range_counts(value, CURRENT, now=NOW), wanted)

    def test_absent(self) -> None:
        """Without If-Range the Range counts, whatever the validators."""
        self.assertTrue(range_counts(None, NO_VALIDATORS, now=NOW))

    def test_weak_tag_of_ours(self) -> None:
        """A weak tag never joins parts, not even with itself."""
        weak = Validators(EntityTag("a", weak=True))
        self.assertFalse(range_counts('W/"a"', weak, now=NOW))
        self.assertFalse(range_counts('"a"', weak, now=NOW))
        self.assertFalse(range_counts('"a"', NO_VALIDATORS, now=NOW))

    def test_young_date(self) -> None:
        """A date under a minute old is no strong validator (8.8.2.2)."""
        self.assertFalse(range_counts(SAME, CURRENT, now=MODIFIED + 59.9))
        self.assertTrue(range_counts(SAME, CURRENT, now=MODIFIED + 60))
        self.assertTrue(range_counts('"a,b"', CURRENT, now=MODIFIED))
