"""Which octets are compared before a part file is gone on with."""

from __future__ import annotations

import itertools
from random import Random

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.overlap import (
    BLOCK_OCTETS,
    END_OCTETS,
    MOST_BEFORE,
    MOST_ENDS,
    RANDOM_BLOCKS,
    TIE_OCTETS,
    sample_ranges,
    tie,
)

MIB = 1024 * 1024
COVERED = st.lists(
    st.tuples(st.integers(0, 1 << 40), st.integers(1, 1 << 24)), min_size=1, max_size=60
).map(lambda pairs: IntervalSet(ByteRange(start, start + length) for start, length in pairs))


class SampleRangesTests(SynchronousTestCase):
    """Ends, the beginning, and blocks by chance."""

    def test_nothing_there(self) -> None:
        """Nothing to compare."""
        self.assertEqual(sample_ranges(EMPTY, Random(1)), [])

    def test_ends_and_beginning(self) -> None:
        """The end of each interval and the very first octets are among them."""
        covered = IntervalSet.from_pairs([(MIB, 9 * MIB), (20 * MIB, 21 * MIB)])
        samples = IntervalSet(sample_ranges(covered, Random(1)))
        for start, stop in (
            (9 * MIB - END_OCTETS, 9 * MIB),
            (21 * MIB - END_OCTETS, 21 * MIB),
            (MIB, MIB + BLOCK_OCTETS),
        ):
            self.assertTrue(samples.covers(ByteRange(start, stop)))

    def test_small(self) -> None:
        """What is smaller than a sample is compared as a whole."""
        covered = IntervalSet.from_pairs([(5, 6), (10, 1000)])
        self.assertEqual(IntervalSet(sample_ranges(covered, Random(1))), covered)

    def test_drawn_at_random(self) -> None:
        """Other draws, other blocks; the same draw, the same blocks."""
        covered = IntervalSet.from_pairs([(0, 1000 * MIB)])
        first, again, other = (sample_ranges(covered, Random(n)) for n in (1, 1, 2))
        self.assertEqual(first, again)
        self.assertNotEqual(first, other)

    @given(COVERED, st.integers(0, 1000))
    def test_in_bounds(self, covered: IntervalSet, chance: int) -> None:
        """Disjoint, ascending, only what is there, and never much."""
        samples = sample_ranges(covered, Random(chance))
        self.assertTrue(all(covered.covers(piece) for piece in samples))
        self.assertTrue(all(a.stop < b.start for a, b in itertools.pairwise(samples)))
        most = MOST_ENDS * END_OCTETS + (RANDOM_BLOCKS + 1) * BLOCK_OCTETS
        self.assertTrue(0 < sum(map(len, samples)) <= most)


class TieTests(SynchronousTestCase):
    """Which octets a body and the disk have in common."""

    def test_table(self) -> None:
        """Covered octets, and what is asked for, compared, new."""
        k64 = TIE_OCTETS
        for covered, asked, common, missing in (
            ([(0, MIB)], (MIB - k64, 9 * MIB), (MIB - k64, MIB), (MIB, 9 * MIB)),
            ([(0, 5)], (0, 9 * MIB), (0, 5), (5, 9 * MIB)),
            (
                [(0, MIB), (MIB + 1, 9 * MIB)],
                (MIB - k64, MIB + 1),
                (MIB - k64, MIB),
                (MIB, MIB + 1),
            ),
            ([(MIB, 3 * MIB)], (0, MIB + k64), (MIB, MIB + k64), (0, MIB)),
            ([(MIB, MIB + 7)], (0, MIB + 7), (MIB, MIB + 7), (0, MIB)),
        ):
            with self.subTest(covered=covered):
                bond = tie(IntervalSet.from_pairs(covered), 9 * MIB)
                assert bond is not None
                pieces = (bond.asked, bond.common, bond.missing)
                expected = [ByteRange(*pair) for pair in (asked, common, missing)]
                self.assertEqual([*pieces], expected)

    def test_large_hole_at_the_beginning(self) -> None:
        """From its end on where much is behind it; not at all where little is."""
        bond = tie(IntervalSet.from_pairs([(9 * MIB, 30 * MIB)]), 30 * MIB)
        assert bond is not None
        self.assertEqual(bond.missing, ByteRange(9 * MIB - MOST_BEFORE, 9 * MIB))
        self.assertIsNone(tie(IntervalSet.from_pairs([(9 * MIB, 10 * MIB)]), 30 * MIB))

    @given(COVERED)
    def test_always_tied(self, covered: IntervalSet) -> None:
        """What is new touches what is compared, and nothing of it is there yet."""
        bond = tie(covered, max(piece.stop for piece in covered) + 1)
        if bond is None:
            self.assertFalse(covered.covers(ByteRange(0, 1)))
            return
        self.assertTrue(bond.common and bond.missing)
        self.assertTrue(covered.covers(bond.common))
        self.assertFalse(covered & IntervalSet([bond.missing]))
        self.assertEqual(IntervalSet([bond.common, bond.missing]), IntervalSet([bond.asked]))
