"""Tests for `rangedaemon.core.segments`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import SegmentSnapshot
from rangedaemon.core.plan import OPEN_END, Claim, Plan
from rangedaemon.core.segments import segments_of

URL = "http://origin.test/file"


def claim(start: int, stop: int, position: int | None = None) -> Claim:
    """A claim of which the octets before *position* have come."""
    made = Claim(start, stop)
    made.position = start if position is None else position
    return made


def covered(*pairs: tuple[int, int]) -> IntervalSet:
    """A set of octets."""
    return IntervalSet.from_pairs(pairs)


class SegmentsOfTests(SynchronousTestCase):
    """Tests for `segments_of`."""

    def test_nothing_known(self) -> None:
        """A job that never got an answer has no segments."""
        self.assertEqual(segments_of(None, EMPTY), [])

    def test_empty_file(self) -> None:
        """A representation without octets has no segments."""
        self.assertEqual(segments_of(0, EMPTY), [])

    def test_resting_job(self) -> None:
        """What is there is done, what is not is missing."""
        self.assertEqual(
            segments_of(100, covered((0, 30), (50, 60))),
            [
                SegmentSnapshot(0, 30, 30, "done"),
                SegmentSnapshot(30, 50, 0, "missing"),
                SegmentSnapshot(50, 60, 10, "done"),
                SegmentSnapshot(60, 100, 0, "missing"),
            ],
        )

    def test_running_job(self) -> None:
        """What a connection fetches is one active segment with what came of it."""
        self.assertEqual(
            segments_of(100, covered((0, 45)), [(claim(40, 80, 45), URL)]),
            [
                SegmentSnapshot(0, 40, 40, "done"),
                SegmentSnapshot(40, 80, 5, "active", URL),
                SegmentSnapshot(80, 100, 0, "missing"),
            ],
        )

    def test_unknown_length(self) -> None:
        """Without a length, a segment ends where its octets end by now."""
        self.assertEqual(
            segments_of(None, EMPTY, [(claim(0, OPEN_END, 70), URL)]),
            [SegmentSnapshot(0, 70, 70, "active", URL)],
        )

    def test_race_is_shown_once(self) -> None:
        """Two connections at the same octets are no two segments over them."""
        rows = segments_of(100, covered((0, 60)), [(claim(0, 100, 60), "a"), (claim(50, 100), "b")])
        self.assertEqual(rows, [SegmentSnapshot(0, 100, 60, "active", "a")])

    @given(
        st.integers(1, 200),
        st.lists(st.integers(0, 200), max_size=8),
        st.lists(st.integers(0, 150), max_size=6),
    )
    def test_a_row_without_gaps(self, length: int, marks: list[int], came: list[int]) -> None:
        """With a known length the segments are ascending and tile the representation."""
        pairs = zip(marks[::2], marks[1::2], strict=False)
        there = IntervalSet(
            ByteRange(min(a, b), max(a, b)).clamp(ByteRange(0, length)) for a, b in pairs
        )
        plan = Plan(length, there, smallest=10)
        held = []
        for count in came:
            taken = plan.take(3)
            if taken is not None:
                start = taken.position
                kept = plan.advance(taken, count)
                there = there.add(ByteRange(start, start + kept))
                held.append((taken, URL))
        rows = segments_of(length, there, held)
        self.assertEqual([r.start for r in rows], [0, *(r.end for r in rows[:-1])])
        self.assertEqual(rows[-1].end, length)
        self.assertTrue(all(r.start < r.end for r in rows))
        self.assertTrue(all(0 <= r.received <= r.end - r.start for r in rows))
