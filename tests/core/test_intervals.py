"""Tests for `rangedaemon.core.intervals`, against sets of integers."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet

END = 24
"""Positions in these tests lie below this, so that neighbours and overlaps are common."""

positions = st.integers(0, END)
ranges = st.tuples(positions, positions).map(lambda pair: ByteRange(min(pair), max(pair)))
range_lists = st.lists(ranges, max_size=6)


def octets(piece: ByteRange) -> set[int]:
    """The positions in *piece*, one by one."""
    return set(range(piece.start, piece.stop))


def members(intervals: IntervalSet) -> set[int]:
    """The positions in *intervals*, one by one."""
    return set().union(*map(octets, intervals))


class ByteRangeTests(SynchronousTestCase):
    """Tests for `ByteRange`."""

    def test_refuses_what_is_no_range(self) -> None:
        """A negative start and an end before the start are errors."""
        for start, stop in ((-1, 5), (5, 4), (-2, -1)):
            with self.subTest(start=start, stop=stop):
                self.assertRaises(ValueError, ByteRange, start, stop)

    def test_length_and_truth(self) -> None:
        """An empty range is false, any other has its length."""
        self.assertFalse(ByteRange(7, 7))
        self.assertTrue(ByteRange(7, 8))
        self.assertEqual(len(ByteRange(2, 10)), 8)

    @given(ranges, ranges)
    def test_clamp_is_the_common_part(self, piece: ByteRange, within: ByteRange) -> None:
        """Clamping keeps exactly the octets that both have, and never leaves *within*."""
        clamped = piece.clamp(within)
        self.assertEqual(octets(clamped), octets(piece) & octets(within))
        self.assertTrue(within.start <= clamped.start <= clamped.stop <= within.stop)


class IntervalSetModelTests(SynchronousTestCase):
    """`IntervalSet` does what a set of integers does."""

    @given(range_lists)
    def test_made_of_its_ranges(self, pieces: list[ByteRange]) -> None:
        """It holds the octets of its ranges, as sorted ranges that do not touch."""
        made = IntervalSet(pieces)
        self.assertEqual(members(made), set().union(*map(octets, pieces)))
        pairs = made.to_pairs()
        self.assertTrue(all(a < b for a, b in pairs))
        self.assertTrue(all(x[1] < y[0] for x, y in pairwise(pairs)))

    @given(range_lists, ranges)
    def test_add_and_remove(self, pieces: list[ByteRange], piece: ByteRange) -> None:
        """Adding is a union, removing a difference; the set itself does not change."""
        made = IntervalSet(pieces)
        before = made.to_pairs()
        self.assertEqual(members(made.add(piece)), members(made) | octets(piece))
        self.assertEqual(members(made.remove(piece)), members(made) - octets(piece))
        self.assertEqual(made.to_pairs(), before)

    @given(range_lists, ranges)
    def test_one_form_for_each_set(self, pieces: list[ByteRange], piece: ByteRange) -> None:
        """However a set came about, equal octets are equal sets with equal hashes."""
        grown = IntervalSet(pieces).add(piece)
        at_once = IntervalSet([*pieces, piece])
        self.assertEqual(grown, at_once)
        self.assertEqual(hash(grown), hash(at_once))

    @given(range_lists, range_lists)
    def test_set_operations(self, left: list[ByteRange], right: list[ByteRange]) -> None:
        """Union, difference and intersection are those of the octets."""
        a, b = IntervalSet(left), IntervalSet(right)
        self.assertEqual(members(a | b), members(a) | members(b))
        self.assertEqual(members(a - b), members(a) - members(b))
        self.assertEqual(members(a & b), members(a) & members(b))

    @given(range_lists, ranges)
    def test_questions(self, pieces: list[ByteRange], piece: ByteRange) -> None:
        """Totals, gaps and coverage are counted octet by octet."""
        made = IntervalSet(pieces)
        self.assertEqual(made.total, len(members(made)))
        self.assertEqual(bool(made), bool(members(made)))
        self.assertEqual(members(made.gaps(piece)), octets(piece) - members(made))
        self.assertEqual(made.covers(piece), octets(piece) <= members(made))

    @given(range_lists, positions)
    def test_reach(self, pieces: list[ByteRange], offset: int) -> None:
        """From an offset on, the set reaches to the first octet that it does not hold."""
        made = IntervalSet(pieces)
        expected = next(n for n in range(offset, END + 2) if n not in members(made))
        self.assertEqual(made.reach(offset), expected)

    @given(range_lists)
    def test_pairs_go_to_the_journal_and_back(self, pieces: list[ByteRange]) -> None:
        """What `to_pairs` writes, `from_pairs` reads."""
        made = IntervalSet(pieces)
        self.assertEqual(IntervalSet.from_pairs(made.to_pairs()), made)


class IntervalSetTests(SynchronousTestCase):
    """What a model does not say about `IntervalSet`."""

    def test_pairs_of_a_damaged_journal_are_refused(self) -> None:
        """A pair that runs backwards is an error, not an empty range."""
        self.assertRaises(ValueError, IntervalSet.from_pairs, [(0, 5), (9, 7)])

    def test_empty(self) -> None:
        """The empty set holds nothing and says so."""
        self.assertEqual((EMPTY.total, EMPTY.to_pairs(), bool(EMPTY)), (0, [], False))
        self.assertEqual(repr(EMPTY), "<IntervalSet empty>")

    def test_repr_names_the_ranges(self) -> None:
        """For people: half-open, in order."""
        made = IntervalSet([ByteRange(5, 6), ByteRange(0, 2)])
        self.assertEqual(repr(made), "<IntervalSet [0, 2), [5, 6)>")

    def test_no_set_equals_something_else(self) -> None:
        """A comparison with another kind of thing is false."""
        self.assertNotEqual(IntervalSet([ByteRange(0, 1)]), [(0, 1)])
