"""
Which octets to fetch again to prove that a part file still belongs to its origin.

Where validators cannot tell, the octets must: the end of each received interval (an
earlier transfer stopped there, so what went wrong shows there first), the very
beginning, and some blocks drawn at random.  The random source is an argument.
"""

from __future__ import annotations

from random import Random

from rangedaemon.core.intervals import ByteRange, IntervalSet

END_OCTETS = 16 * 1024
BLOCK_OCTETS = 4 * 1024
RANDOM_BLOCKS = 8
MOST_ENDS = 16


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
