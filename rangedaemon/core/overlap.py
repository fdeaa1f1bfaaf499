"""
Which octets to fetch again to prove that a part file still belongs to its origin.

Where validators cannot tell, the octets must, in two ways.  Samples look for other octets
anywhere: at the end of each received interval (an earlier transfer stopped there, so
what went wrong shows there first), at the very beginning, and at some places drawn at
random; the random source is an argument.  But the nodes of one origin may have different
files, and then samples prove nothing of the body that comes next.  So that body begins
(or, before the first octet that is there, ends) with octets that are on the disk: a tie.
"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from rangedaemon.core.intervals import ByteRange, IntervalSet

END_OCTETS = 16 * 1024
BLOCK_OCTETS = 4 * 1024
RANDOM_BLOCKS = 8
MOST_ENDS = 16
TIE_OCTETS = 64 * 1024
"""Octets that one body and the disk have in common."""
MOST_BEFORE = 4 * 1024 * 1024
"""Octets that wait in memory for the tie behind them."""


@dataclass(frozen=True, slots=True)
class Tie:
    """A range to ask for, of which a part is there already."""

    asked: ByteRange
    common: ByteRange
    """Octets at one end of it that are on the disk."""
    missing: ByteRange
    """The others."""


def tie(covered: IntervalSet, end: int) -> Tie | None:
    """The range that brings the first octets that are missing, tied to those that are there.

    :param end: the complete length.
    :returns: None where the first octet is missing and so many behind it that it is
        better to begin again.
    """
    hole = next(iter(covered.gaps(ByteRange(0, end))))
    if hole.start > 0:
        before = next(piece for piece in covered if piece.stop == hole.start)
        common = ByteRange(max(before.start, hole.start - TIE_OCTETS), hole.start)
        return Tie(ByteRange(common.start, hole.stop), common, hole)
    if len(hole) > max(MOST_BEFORE, covered.total):
        return None
    behind = next(piece for piece in covered if piece.start == hole.stop)
    common = ByteRange(hole.stop, min(behind.stop, hole.stop + TIE_OCTETS))
    missing = ByteRange(max(0, hole.stop - MOST_BEFORE), hole.stop)
    return Tie(ByteRange(missing.start, common.stop), common, missing)


def sample_ranges(covered: IntervalSet, random: Random) -> list[ByteRange]:
    """The octets to compare: disjoint, ascending, all of them in *covered*."""
    pieces = list(covered)
    if not pieces:
        return []
    ends = (
        pieces if len(pieces) <= MOST_ENDS else [*random.sample(pieces, MOST_ENDS - 1), pieces[-1]]
    )
    wanted = [ByteRange(max(p.start, p.stop - END_OCTETS), p.stop) for p in ends]
    wanted.append(ByteRange(pieces[0].start, min(pieces[0].stop, pieces[0].start + BLOCK_OCTETS)))
    weights = [len(piece) for piece in pieces]
    for piece in random.choices(pieces, weights, k=RANDOM_BLOCKS):
        start = random.randrange(piece.start, piece.stop)
        wanted.append(ByteRange(start, min(piece.stop, start + BLOCK_OCTETS)))
    return list(IntervalSet(wanted))
