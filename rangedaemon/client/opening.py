"""
The first request of an attempt: what is there, is it still what we have a part of?

There is no separate probe and never a HEAD: the first request asks for octets that
are needed, under the condition of the remembered validator, and its answer brings
the first of them.  What it says decides between segments and one stream, and
between going on and beginning again.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from rangedaemon.client.answers import ask
from rangedaemon.client.hosts import Slot
from rangedaemon.client.origin import Reply, Request
from rangedaemon.client.overlap import Read, overlap_agrees, refuse_other, tied, tied_answer
from rangedaemon.client.secondlook import compare_blocks, tie_before
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.acceptance import Answer, Partial, Unsatisfiable, Whole
from rangedaemon.core.caution import SecondLook, made_of_time, second_look
from rangedaemon.core.conditions import ladder
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.overlap import Tie, tie
from rangedaemon.core.plan import OPEN_END
from rangedaemon.core.validators import Verdict, compare, is_strong
from rangedaemon.errors import BadResponse, Changed, NoRanges, PartFileLost

FIRST_LEASE = 4 * 1024 * 1024
"""Octets that the very first request of a job asks for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known when an attempt begins."""

    remembered: Remembered
    covered: IntervalSet
    stream_only: bool
    """Whether this run has learned that the origin does no ranges."""
    vouched: bool
    """Whether a digest will prove the whole file."""
    read: Read
    """Reads octets of the part file: ``read(offset, length)``."""
    overlap: int = 0
    """Octets, at most, to compare again though the validator says: the same."""
    lately: bool = False
    """Whether this life of the daemon has heard a moment ago that it is the same."""

    def lacks_nothing(self, length: int | None) -> bool:
        """Whether a file that turns out to have *length* octets is all there."""
        whole = IntervalSet([ByteRange(0, length or 0)])
        return self.remembered.length is None and bool(whole) and self.covered == whole


@dataclass(frozen=True, slots=True)
class Opening:
    """A first answer that is good, its body still to come."""

    identity: Remembered
    reply: Reply | None
    """None where nothing is to come: the file is empty."""
    piece: ByteRange | None
    """What the body brings; None: the whole, of a length that is not known."""
    segmented: bool
    """Whether further ranges may be asked for and joined."""
    ranges: bool
    """Whether the origin serves ranges at all."""
    disposition: str | None
    edges: Mapping[int, int] = field(default_factory=dict)
    """What is still to be compared when it is asked for, see `core.caution.SecondLook`."""
    slot: Slot | None = None
    """The place at the host that answered; held until the body has ended."""

    def let_go(self) -> None:
        """The body has ended, or nobody wants it: give back what it held."""
        if self.reply is not None:
            self.reply.drop()
        if self.slot is not None:
            self.slot.release()


async def open_transfer(around: Surroundings, request: Request, known: Known) -> Opening:
    """Ask for the first octets that are missing; who gets the answer must let go of it.

    :raises Changed: the part file belongs to another representation.
    :raises OriginFault: there is no usable answer.
    """
    around.hosts.insist_on_peace(request.url)
    slot = await around.hosts.take(request.url)
    try:
        if known.stream_only:
            opening = await _open_whole(around, slot, request, known, ranges=False)
        elif known.covered:
            opening = await _resume(around, slot, request, known)
        else:
            opening = await _begin(around, slot, request, known)
    except BaseException:
        slot.release()
        raise
    return replace(opening, identity=replace(opening.identity, asked=request.url), slot=slot)


async def _begin(around: Surroundings, slot: Slot, request: Request, known: Known) -> Opening:
    """Nothing is there yet."""
    wanted = not known.vouched
    asked = replace(request, range=ByteRange(0, FIRST_LEASE), if_range=None, want_digest=wanted)
    reply, accepted = await ask(around, slot, asked, None)
    answer = reply.answer
    if isinstance(accepted, Whole):
        return _stream(around, reply, accepted, ranges=False)
    if isinstance(accepted, Unsatisfiable) or accepted.length is None:
        reply.drop()
        if isinstance(accepted, Unsatisfiable) and accepted.length == 0:
            identity = around.remembered_of(answer, 0)
            return Opening(identity, None, None, True, True, answer.disposition)
        return await _open_whole(around, slot, request, known, ranges=False)
    identity = around.remembered_of(answer, accepted.length)
    joinable = is_strong(identity) or known.vouched
    if joinable or accepted.range.stop == accepted.length:
        return Opening(identity, reply, accepted.range, joinable, True, answer.disposition)
    reply.drop()  # ranges would do, but no validator could join them
    return await _open_whole(around, slot, request, known, ranges=True)


async def _open_whole(
    around: Surroundings, slot: Slot, request: Request, known: Known, *, ranges: bool
) -> Opening:
    """One stream from the first octet on; what is covered stays where it is vouched for."""
    reply, accepted = await ask(around, slot, replace(request, range=None, if_range=None), None)
    if not isinstance(accepted, Whole):
        reply.drop()
        raise BadResponse(f"{reply.answer.status} to a plain request", url=reply.answer.url)
    if known.covered:
        _insist_on_same(around, reply, accepted, known)
    return _stream(around, reply, accepted, ranges=ranges)


def _insist_on_same(around: Surroundings, reply: Reply, accepted: Whole, known: Known) -> None:
    seen = around.remembered_of(reply.answer, accepted.length)
    judgement = compare(known.remembered, seen)
    if judgement.verdict is Verdict.SAME:
        return
    reply.drop()
    if judgement.verdict is Verdict.CHANGED:
        raise Changed(judgement.reason, url=reply.answer.url)
    why = f"{judgement.reason}, and without ranges nothing can be compared: all is fetched again"
    raise NoRanges(why, url=reply.answer.url)


def _stream(around: Surroundings, reply: Reply, accepted: Whole, *, ranges: bool) -> Opening:
    length = accepted.length
    identity = around.remembered_of(reply.answer, length)
    piece = None if length is None else ByteRange(0, length)
    return Opening(identity, reply, piece, False, ranges, reply.answer.disposition)


async def _resume(around: Surroundings, slot: Slot, request: Request, known: Known) -> Opening:
    """A part is there: ask for its first hole, on the highest rung that the host honours."""
    if not (is_strong(known.remembered) or known.vouched):
        return await _join_by_octets(around, slot, request, known, "no validator vouches for it")
    traits = around.hosts.traits(request.url)
    rungs = ladder(known.remembered)
    look = _second_look(around, known)
    await compare_blocks(around, slot, request, known.remembered, look.blocks, known.read)
    hole = _hole(known)
    bond = tie_before(hole, look.edges.get(hole.start, 0))
    asked = replace(request, range=bond.asked)
    length = known.remembered.length
    for number in range(min(traits.rung, len(rungs) - 1), len(rungs)):
        reply, accepted = await ask(around, slot, replace(asked, if_range=rungs[number]), length)
        if isinstance(accepted, Partial):
            traits.rung = number
            opening = await _join(around, slot, request, known, reply, accepted, bond)
            return replace(opening, edges=look.edges)
        reply.drop()
        if isinstance(accepted, Unsatisfiable) and known.lacks_nothing(accepted.length):
            return await _at_the_end(around, slot, request, known, reply.answer, accepted)
        refuse_other(around, reply.answer, accepted, known.remembered, asked.range)
    return await _open_whole(around, slot, request, known, ranges=False)


async def _at_the_end(
    around: Surroundings,
    slot: Slot,
    request: Request,
    known: Known,
    answer: Answer,
    accepted: Unsatisfiable,
) -> Opening:
    """Nobody had told the length, and all of it is there: a 416 says no more than that."""
    if not known.vouched:
        return await _join_by_octets(around, slot, request, known, "416 is no proof")
    identity = replace(known.remembered, length=accepted.length, url=answer.url)
    return Opening(identity, None, None, True, True, answer.disposition)


def _second_look(around: Surroundings, known: Known) -> SecondLook:
    end = _end(known)
    blocks = made_of_time(known.remembered) and not known.lately
    return second_look(known.covered, end, around.random, most=known.overlap, blocks=blocks)


def _hole(known: Known) -> ByteRange:
    """The first missing octets."""
    hole = next(iter(known.covered.gaps(ByteRange(0, _end(known)))))
    return ByteRange(hole.start, min(hole.stop, hole.start + FIRST_LEASE))


def _end(known: Known) -> int:
    return OPEN_END if known.remembered.length is None else known.remembered.length


async def _join(
    around: Surroundings,
    slot: Slot,
    request: Request,
    known: Known,
    reply: Reply,
    accepted: Partial,
    bond: Tie,
) -> Opening:
    """Go on behind what is there, if it is the same.

    :param bond: what was asked for, and how much of it is only to be compared.
    """
    answer = reply.answer
    length = accepted.length if accepted.length is not None else known.remembered.length
    if length is None:
        reply.drop()
        raise BadResponse("206 without the complete length", url=answer.url)
    seen = around.remembered_of(answer, length)
    judgement = compare(known.remembered, seen)
    if judgement.verdict is Verdict.SAME or (
        judgement.verdict is Verdict.CANNOT_TELL and known.vouched
    ):
        if not bond.common:
            return _joined(known, seen, reply, accepted.range)
        led, piece, _ = await tied(around, reply, accepted, known.remembered, bond, known.read)
        return _joined(known, seen, led, piece)
    reply.drop()
    if judgement.verdict is Verdict.CHANGED:
        raise Changed(judgement.reason, url=answer.url)
    return await _join_by_octets(around, slot, request, known, judgement.reason)


async def _join_by_octets(
    around: Surroundings, slot: Slot, request: Request, known: Known, reason: str
) -> Opening:
    """Only the octets can tell: samples first, then those that the joined body begins with.

    :raises Changed: they are others.
    :raises PartFileLost: there are none that could tell.
    """
    bond = tie(known.covered, _end(known))
    if bond is None:
        raise PartFileLost(f"the beginning is lost, and {reason}")
    length = known.remembered.length
    if not await overlap_agrees(around, slot, request, length, known.covered, known.read):
        raise Changed(f"{reason}, and its octets are others", url=request.url)
    reply, piece, seen = await tied_answer(
        around, slot, request, known.remembered, bond, known.read
    )
    return _joined(known, seen, reply, piece)


def _joined(known: Known, seen: Remembered, reply: Reply, piece: ByteRange) -> Opening:
    identity = _completed(seen, known.remembered)
    joinable = is_strong(identity) or known.vouched
    disposition = reply.answer.disposition
    if not piece:  # it was all there
        reply.drop()
        return Opening(identity, None, None, joinable, True, disposition)
    return Opening(identity, reply, piece, joinable, True, disposition)


def _completed(seen: Remembered, remembered: Remembered) -> Remembered:
    """A 206 to If-Range may leave the date out (RFC 9110 15.3.7): ours fills the gap."""
    return Remembered(
        etag=seen.etag,
        last_modified=seen.last_modified or remembered.last_modified,
        date=remembered.date if seen.last_modified is None else seen.date,
        length=seen.length,
        url=seen.url,
        digest=seen.digest or remembered.digest,
    )
