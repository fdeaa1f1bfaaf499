"""
A second look at octets that an earlier run has left, where the validator says: the same.

What is compared is `core.caution`'s choice.  A hole's first answer begins with octets that
are on the disk, so that those are compared which the very body to be kept belongs to;
blocks elsewhere are asked for before anything is joined.  Whoever finds other octets
takes the file for changed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from rangedaemon.client.answers import ask
from rangedaemon.client.hosts import Slot
from rangedaemon.client.origin import Reply, Request
from rangedaemon.client.overlap import Read, collect, other_octets, tied
from rangedaemon.client.source import Source, ask_segment
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.acceptance import Partial
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.overlap import Tie
from rangedaemon.core.validators import Verdict, compare


def tie_before(hole: ByteRange, count: int) -> Tie:
    """The range that brings *hole*, and *count* octets before it that are there."""
    common = ByteRange(hole.start - count, hole.start)
    return Tie(ByteRange(common.start, hole.stop), common, hole)


async def compare_blocks(
    around: Surroundings,
    slot: Slot,
    request: Request,
    remembered: Remembered,
    blocks: Sequence[ByteRange],
    read: Read,
) -> None:
    """Compare *blocks* with the disk, as long as the answers are of *remembered*.

    An answer of anything else ends it: the request that goes on is judged by all the rules.

    :raises Changed: the octets are others, though the validator is the same.
    :raises OriginFault: a block could not be had.
    """
    for block in blocks:
        asked = replace(request, range=block, if_range=None)
        reply, accepted = await ask(around, slot, asked, remembered.length)
        seen = around.remembered_of(reply.answer, accepted.length)
        same = compare(remembered, seen).verdict is Verdict.SAME
        if not same or not isinstance(accepted, Partial) or accepted.range != block:
            reply.drop()
            return
        theirs = await collect(around, reply, len(block))
        if theirs != await read(block.start, len(block)):
            raise other_octets("octets that were drawn at random", reply, remembered, seen)


class Edges:
    """The octets before the holes of an earlier run, each compared when its hole is asked for."""

    def __init__(
        self, around: Surroundings, read: Read, lengths: Mapping[int, int], *, vouched: bool
    ) -> None:
        """
        :param lengths: where a hole begins, and how many octets before it to compare.
        :param vouched: a digest will prove the whole, so *cannot tell* may pass.
        """
        self._around = around
        self._read = read
        self._lengths = dict(lengths)
        self._vouched = vouched

    async def ask(
        self, slot: Slot, source: Source, asked: ByteRange, length: int | None
    ) -> tuple[Reply, ByteRange]:
        """As `ask_segment`; where *asked* begins at such a hole, what is before it agrees.

        :raises Changed: it does not.
        :raises OriginFault: there is no usable answer.
        """
        count = self._lengths.get(asked.start, 0)
        bond = tie_before(asked, count)
        reply, piece = await ask_segment(
            self._around, slot, source, bond.asked, length, vouched=self._vouched
        )
        if not count:
            return reply, piece
        remembered, accepted = source.identity or Remembered(), Partial(piece, length)
        led, piece, _ = await tied(self._around, reply, accepted, remembered, bond, self._read)
        self._lengths.pop(asked.start, None)
        return led, piece
