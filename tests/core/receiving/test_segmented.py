"""Tests for `rangedaemon.core.receiving.segmented` and `rangedaemon.core.receiving.put`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.receiving.asks import Ask
from rangedaemon.core.receiving.put import Placement, read_put
from rangedaemon.core.receiving.segmented import Segment, format_ranges, is_spoken, read_segment
from tests.core.receiving.test_tus import RefusalCase, ask

NUMBERS = st.integers(0, 10**6)


def segment(length: int | None = 51201, **fields: str) -> Segment:
    fields = {
        "content_type": "application/octet-stream",
        "content_disposition": 'attachment; filename="a.b"',
        "x_content_range": "bytes 0-51200/511920",
        "x_session_id": "1111215056",
    } | fields
    return read_segment(ask("POST", length, **{k: v for k, v in fields.items() if v != "-"}))


class SegmentTests(RefusalCase):
    """What a POST asks for."""

    def test_example(self) -> None:
        """The protocol's own example, with both spellings of the fields."""
        expected = Segment("a.b", ByteRange(0, 51201), 511920, "1111215056")
        self.assertEqual(segment(), expected)
        other = segment(
            x_content_range="-", content_range="bytes 0-51200/511920",
            x_session_id="-", session_id="1111215056",
        )  # fmt: skip
        self.assertEqual(other, expected)
        self.assertEqual(segment(x_content_range="BYTES 0-51200/511920"), expected)

    def test_names(self) -> None:
        """Both kinds of disposition, with a name or without."""
        for text, name in {
            "attachment": None,
            "attachment; filename=a": "a",
            'form-data; name="f"; filename="x y"': "x y",
            "Attachment ; filename*=UTF-8''%c3%a4": "ä",
        }.items():
            with self.subTest(text=text):
                self.assertEqual(segment(content_disposition=text).filename, name)

    def test_whole(self) -> None:
        """Without a range it is the whole file at once."""
        self.assertEqual(segment(5, x_content_range="-"), Segment("a.b", None, 5, None))
        self.assertEqual(segment(None, x_content_range="-"), Segment("a.b", None, None, None))

    def test_refused(self) -> None:
        """Missing fields, forms, ranges and ids that are none, lengths that differ."""
        for status, fields in [
            (400, {"content_type": "-"}),
            (415, {"content_type": "Multipart/Form-Data; boundary=x"}),
            (415, {"content_type": "nonsense"}),
            (415, {"content_disposition": "-"}),
            (415, {"content_disposition": "inline; filename=a"}),
            (415, {"content_disposition": "attachments"}),
            (400, {"x_content_range": "bytes 0-51200/*"}),
            (400, {"x_content_range": "bytes */511920"}),
            (400, {"x_content_range": "bytes=0-51200/511920"}),
            (400, {"x_content_range": "bytes 5-4/10"}),
            (400, {"x_content_range": "bytes 0-51200/51200"}),
            (413, {"x_content_range": f"bytes 0-51200/{1 << 63}"}),
            (400, {"x_session_id": "-"}),
            (400, {"x_session_id": ""}),
            (400, {"x_session_id": "a b"}),
            (400, {"x_session_id": "../x"}),
            (400, {"x_session_id": "x" * 201}),
        ]:
            with self.subTest(fields=fields):
                self.refused(status, segment, **fields)
        for length in (None, 0, 51200, 51202):
            self.refused(416, segment, length)

    def test_is_spoken(self) -> None:
        """By what makes it different from other POSTs."""
        self.assertTrue(is_spoken(ask("POST", 1, content_disposition="attachment")))
        self.assertFalse(is_spoken(Ask("POST")))


class RangesTests(RefusalCase):
    """`format_ranges`."""

    def test_examples(self) -> None:
        """Inclusive, merged, in order, without blanks."""
        there = IntervalSet.from_pairs([(102402, 153603), (0, 51201)])
        self.assertEqual(format_ranges(there, 511920), "0-51200/511920,102402-153602/511920")
        self.assertEqual(format_ranges(IntervalSet(), 5), "")

    @given(st.sets(NUMBERS, max_size=60), st.integers(1, 300))
    def test_cut(self, starts: set[int], most: int) -> None:
        """A list that is too long is cut after a whole item."""
        there = IntervalSet.from_pairs([(2 * start, 2 * start + 1) for start in starts])
        whole, cut = format_ranges(there, 10**7), format_ranges(there, 10**7, most)
        self.assertTrue(whole == cut or whole.startswith(cut + ",") or cut == "")
        self.assertLessEqual(len(cut), most)
        if len(whole) <= most:
            self.assertEqual(cut, whole)


class PutTests(RefusalCase):
    """`read_put`."""

    def test_examples(self) -> None:
        """A whole file, a part of one, and a question."""
        for length, field, expected in [
            (5, None, Placement(0, 5)),
            (None, None, Placement(0, None)),
            (30, "bytes 70-99/100", Placement(70, 100)),
            (None, "bytes 70-99/100", Placement(70, 100)),
            (100, "bytes 0-99/100", Placement(0, 100)),
            (0, "bytes */100", Placement(0, 100, question=True)),
        ]:
            with self.subTest(field=field):
                fields = {} if field is None else {"content_range": field}
                placement = read_put(ask("PUT", length, **fields))
                self.assertEqual(placement, expected)
                self.assertEqual(placement.anew, placement.start == 0 and not placement.question)

    def test_refused(self) -> None:
        """Ranges that are none, or not that of the body."""
        for status, length, field in [
            (400, 30, "bytes 70-99/*"), (400, 30, "70-99/100"), (400, 29, "bytes 70-99/100"),
            (400, 30, "bytes */100"), (400, 30, "bytes 99-70/100"), (400, 5, "items 0-4/5"),
            (413, 5, f"bytes 0-4/{1 << 64}"),
        ]:  # fmt: skip
            with self.subTest(field=field):
                self.refused(status, read_put, ask("PUT", length, content_range=field))
