"""Tests for `rangedaemon.core.push.plan`: which octets of a file go next."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.push.plan import (
    FIRST_PIECE,
    LARGEST_PIECE,
    SMALLEST_PART,
    SMALLEST_PIECE,
    PushPlan,
    parted,
    piece_size,
)

SIZE = 100


def ranges(*pairs: tuple[int, int]) -> IntervalSet:
    return IntervalSet.from_pairs(pairs)


class PieceTests(SynchronousTestCase):
    """How large a request becomes."""

    def test_by_rate(self) -> None:
        """A second's worth, within bounds and within what the server takes."""
        for rate, limit, size in (
            (None, None, FIRST_PIECE),
            (5_000_000.0, None, 5_000_000),
            (1.0, None, SMALLEST_PIECE),
            (1e12, None, LARGEST_PIECE),
            (5_000_000.0, 1000, 1000),
            (None, 0, 1),
        ):
            self.assertEqual(piece_size(rate, limit), size)

    @given(st.integers(0, 1 << 40), st.integers(1, 64))
    def test_parts_are_the_file(self, size: int, most: int) -> None:
        """Parts touch, none is small where there are several, together they are the file."""
        parts = parted(size, most)
        self.assertEqual(sum(map(len, parts)), size)
        self.assertEqual((parts[0].start, parts[-1].stop), (0, size))
        self.assertLessEqual(len(parts), most)
        for one, next_one in pairwise(parts):
            self.assertEqual(one.stop, next_one.start)
            self.assertGreaterEqual(len(one), SMALLEST_PART)


class PlanTests(SynchronousTestCase):
    """What a free connection is given."""

    def test_ordered_parts_have_one_piece_each(self) -> None:
        """A part's next octets wait for those before them."""
        plan = PushPlan([ByteRange(0, 50), ByteRange(50, SIZE)], EMPTY, ordered=True)
        self.assertEqual(plan.take(20), (0, ByteRange(0, 20)))
        self.assertEqual(plan.take(20), (1, ByteRange(50, 70)))
        self.assertIsNone(plan.take(20))
        plan.back(ByteRange(0, 20))
        plan.has(0, ranges((0, 20)))
        self.assertEqual(plan.take(20), (0, ByteRange(20, 40)))

    def test_others_go_side_by_side(self) -> None:
        """Without order every hole is somebody's."""
        plan = PushPlan([ByteRange(0, SIZE)], ranges((20, 90)), ordered=False)
        taken = [plan.take(15) for _ in range(4)]
        self.assertEqual(
            taken, [(0, ByteRange(0, 15)), (0, ByteRange(15, 20)), (0, ByteRange(90, SIZE)), None]
        )
        self.assertFalse(plan.done)

    def test_server_that_lost_octets(self) -> None:
        """What it has no more is counted, and goes again."""
        plan = PushPlan([ByteRange(0, 50), ByteRange(50, SIZE)], ranges((0, 80)), ordered=True)
        self.assertEqual(plan.has(0, ranges((0, 10))), 40)
        self.assertEqual(plan.there, ranges((0, 10), (50, 80)))
        self.assertEqual(plan.take(100), (0, ByteRange(10, 50)))

    def test_empty_file_is_done(self) -> None:
        """There is nothing to send of it."""
        plan = PushPlan([ByteRange(0, 0)], EMPTY, ordered=True)
        self.assertTrue(plan.done)
        self.assertIsNone(plan.take(1))

    @given(st.booleans(), st.data())
    def test_every_octet_goes_once(self, ordered: bool, data: st.DataObject) -> None:
        """Whatever fails meanwhile, each octet is acknowledged once and none twice at a time."""
        plan = PushPlan([ByteRange(0, 37), ByteRange(37, SIZE)], EMPTY, ordered=ordered)
        away: list[tuple[int, ByteRange]] = []
        acknowledged = 0
        while not plan.done:
            taken = plan.take(40 - data.draw(st.integers(0, 39))) if len(away) < 3 else None
            if taken is not None:
                self.assertFalse(any(piece.clamp(taken[1]) for _, piece in away))
                away.append(taken)
                continue
            number, piece = away.pop(data.draw(st.integers(0, len(away) - 1)))
            plan.back(piece)
            if not data.draw(st.booleans()):
                acknowledged += len(piece)
                plan.has(number, plan.there.add(piece))
        self.assertEqual(acknowledged, SIZE)
