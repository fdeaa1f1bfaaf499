"""Tests for `rangedaemon.core.ranges`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.ranges import (
    ContentRange,
    format_content_range,
    format_range,
    format_unsatisfied_range,
    parse_content_range,
    select_ranges,
)
from tests.range_table import ROWS

numbers = st.integers(min_value=0, max_value=60)
specs = st.one_of(
    st.tuples(numbers, numbers).map(lambda p: f"{min(p)}-{max(p)}"),
    numbers.map(lambda n: f"{n}-"),
    numbers.map(lambda n: f"-{n}"),
)


def positions_of(spec: str, length: int) -> set[int]:
    """The obvious model: every position, asked one by one."""
    first, last = spec.split("-")
    if not first:
        return {p for p in range(length) if p >= length - int(last)}
    return {p for p in range(length) if int(first) <= p <= (int(last) if last else length)}


class SelectRangesTests(SynchronousTestCase):
    """Tests for `select_ranges`."""

    def test_table(self) -> None:
        """Every row of the table selects what it says."""
        for row in ROWS:
            with self.subTest(row=row):
                wanted = row.parts and tuple(ByteRange(a, b + 1) for a, b in row.parts)
                self.assertEqual(select_ranges(row.field, row.size), wanted)

    @given(st.lists(specs, min_size=1, max_size=6), st.integers(min_value=1, max_value=50))
    def test_selects_what_was_asked_for(self, asked: list[str], length: int) -> None:
        """The selection holds exactly the octets asked for, each once, no two ranges touching."""
        selected = select_ranges("bytes=" + ",".join(asked), length)
        model = [positions_of(spec, length) for spec in asked]
        overlaps = sum(bool(a & b) for i, a in enumerate(model) for b in model[:i])
        if selected is None:
            self.assertGreater(overlaps, 2)
            return
        octets = [p for piece in selected for p in range(piece.start, piece.stop)]
        self.assertEqual(len(octets), len(set(octets)))
        self.assertEqual(set(octets), set().union(*model))
        starts, stops = {r.start for r in selected}, {r.stop for r in selected}
        self.assertFalse(starts & stops)

    @given(st.text(alphabet=st.characters(max_codepoint=255)), st.integers(0, 100))
    def test_never_fails(self, tail: str, length: int) -> None:
        """Whatever octets come, the answer is a selection within the representation or None."""
        for piece in select_ranges("bytes=" + tail, length) or ():
            self.assertTrue(0 <= piece.start < piece.stop <= length)

    @given(st.lists(specs, min_size=1, max_size=6), st.integers(min_value=1, max_value=50))
    def test_keeps_the_order(self, asked: list[str], length: int) -> None:
        """Ranges stand in the order in which their first members were asked for."""
        selected = select_ranges("bytes=" + ",".join(asked), length) or ()
        first_seen = []
        for spec in asked:
            wanted = positions_of(spec, length)
            first_seen += [
                r
                for r in selected
                if r.start in wanted or min(wanted, default=-1) in range(r.start, r.stop)
            ]
        self.assertEqual(list(dict.fromkeys(first_seen)), list(selected))


class ContentRangeTests(SynchronousTestCase):
    """Tests for reading and writing ``Content-Range``."""

    def test_valid(self) -> None:
        """The three forms of the field mean what RFC 9110, 14.4 says."""
        for text, wanted in {
            "bytes 0-499/1234": ContentRange(ByteRange(0, 500), 1234),
            "BYTES 0-0/1": ContentRange(ByteRange(0, 1), 1),
            "bytes 42-1233/*": ContentRange(ByteRange(42, 1234), None),
            " bytes */1234 ": ContentRange(None, 1234),
            "bytes */0": ContentRange(None, 0),
        }.items():
            with self.subTest(text=text):
                self.assertEqual(parse_content_range(text), wanted)

    def test_invalid(self) -> None:
        """What contradicts itself or the grammar is no Content-Range at all."""
        for text in [
            "",
            "bytes",
            "bytes 0-499",
            "bytes */*",
            "bytes 5-4/10",
            "bytes 0-10/10",
            "bytes 10-9/10",
            "bytes -1-5/10",
            "bytes=0-4/10",
            "items 0-4/10",
            "bytes 0-4/1_0",
            "bytes 0--1/0",
            "0-4/10",
            "bytes  0-4/10",
            "bytes 0-4/10 x",
            "bytes 0 - 4/10",
            "bytes \xb2-\xb3/9",
            "bytes 0-4/" + "9" * 5000,
        ]:
            with self.subTest(text=text):
                self.assertIsNone(parse_content_range(text))

    @given(st.integers(0, 2**70), st.integers(1, 2**70), st.none() | st.integers(0, 2**70))
    def test_round_trip(self, start: int, size: int, beyond: int | None) -> None:
        """What is written is read back."""
        piece = ByteRange(start, start + size) if size < 2**63 else ByteRange(start, start + 1)
        total = None if beyond is None else piece.stop + beyond
        text = format_content_range(piece, total)
        self.assertEqual(parse_content_range(text), ContentRange(piece, total))

    def test_unsatisfied(self) -> None:
        """The form of a 416 tells the length."""
        self.assertEqual(format_unsatisfied_range(403), "bytes */403")


class RequestFormsTests(SynchronousTestCase):
    """Tests for what a client sends."""

    def test_forms(self) -> None:
        """Half-open intervals become inclusive positions."""
        self.assertEqual(format_range(ByteRange(0, 1)), "bytes=0-0")

    @given(st.integers(0, 99), st.integers(1, 100))
    def test_read_back(self, start: int, size: int) -> None:
        """A range that we ask for is the range that we would serve."""
        piece = ByteRange(start, min(start + size, 100))
        self.assertEqual(select_ranges(format_range(piece), 100), (piece,))
