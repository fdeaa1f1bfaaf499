"""
The first request of an attempt: what is there, is it still what we have a part of?

There is no separate probe and never a HEAD: the first request asks for octets that
are needed, under the condition of the remembered validator, and its answer brings
the first of them.  What it says decides between segments and one stream, and
between going on and beginning again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from rangedaemon.client.origin import Reply, Request
from rangedaemon.client.swarm import Surroundings, remembered_of
from rangedaemon.core.acceptance import Acceptance, Partial, Unsatisfiable, Whole, judge
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.plan import OPEN_END
from rangedaemon.core.validators import Verdict, compare, if_range, is_strong
from rangedaemon.errors import BadResponse, Changed, Fault

FIRST_LEASE = 4 * 1024 * 1024
"""Octets that the very first request of a job asks for."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the journal remembers when an attempt begins."""

    remembered: Remembered
    covered: IntervalSet
    ranges: bool | None
    """Whether the origin serves ranges; None: not yet tried."""
    vouched: bool
    """Whether a digest will prove the whole file."""


@dataclass(frozen=True, slots=True)
class Opening:
    """A first answer that is good, its body still to come."""

    identity: Remembered
    reply: Reply | None
    """None where nothing is to come: the file is empty."""
    piece: ByteRange | None
    """What the body brings; None: the whole, of a length that is not known."""
    segmented: bool
    """Whether further ranges may be asked for."""
    disposition: str | None


async def open_transfer(around: Surroundings, request: Request, known: Known) -> Opening:
    """Ask for the first octets that are missing.

    :raises Changed: the part file belongs to another representation.
    :raises OriginFault: there is no usable answer.
    """
    asked = None if known.ranges is False else _first_range(known)
    async with around.hosts.slot(request.url):
        return await _open(around, request, known, asked)


async def _open(
    around: Surroundings, request: Request, known: Known, asked: ByteRange | None
) -> Opening:
    condition = if_range(known.remembered) if known.covered else None
    reply = await around.origin.get(replace(request, range=asked, if_range=condition))
    try:
        accepted = judge(reply.answer, asked, _length(known), now=around.wall())
        opening = _decide(reply, accepted, known)
    except Fault:
        reply.drop()
        raise
    if opening is None:  # ranges would do, but nothing could join them safely
        reply.drop()
        return await _open(around, request, replace(known, ranges=False), None)
    return opening


def _length(known: Known) -> int | None:
    return known.remembered.length if known.covered else None


def _first_range(known: Known) -> ByteRange:
    if not known.covered:
        return ByteRange(0, FIRST_LEASE)
    end = known.remembered.length
    hole = next(iter(known.covered.gaps(ByteRange(0, OPEN_END if end is None else end))))
    return ByteRange(hole.start, min(hole.stop, hole.start + FIRST_LEASE))


def _decide(reply: Reply, accepted: Acceptance, known: Known) -> Opening | None:
    if isinstance(accepted, Unsatisfiable):
        return _decide_unsatisfiable(reply, accepted, known)
    if isinstance(accepted, Whole):
        return _decide_whole(reply, accepted, known)
    return _decide_partial(reply, accepted, known)


def _decide_unsatisfiable(reply: Reply, accepted: Unsatisfiable, known: Known) -> Opening:
    answer = reply.answer
    if not known.covered and accepted.length == 0:
        reply.drop()
        return Opening(remembered_of(answer, 0), None, None, True, answer.disposition)
    if known.covered and accepted.length != known.remembered.length:
        raise Changed(
            f"the length was {known.remembered.length}, now it is {accepted.length}", url=answer.url
        )
    raise BadResponse("416 to a range that exists", url=answer.url)


def _decide_whole(reply: Reply, accepted: Whole, known: Known) -> Opening:
    """A 200: every octet comes, from the first on.

    What the part file holds stays only where the validator vouches for it; else the
    new octets take its place.
    """
    answer = reply.answer
    identity = remembered_of(answer, accepted.length)
    if known.covered:
        judgement = compare(known.remembered, identity)
        if judgement.verdict is not Verdict.SAME:
            raise Changed(judgement.reason, url=answer.url)
    piece = None if accepted.length is None else ByteRange(0, accepted.length)
    return Opening(identity, reply, piece, False, answer.disposition)


def _decide_partial(reply: Reply, accepted: Partial, known: Known) -> Opening | None:
    answer = reply.answer
    length = accepted.length if accepted.length is not None else _length(known)
    if length is None:
        raise BadResponse("206 without the complete length", url=answer.url)
    identity = remembered_of(answer, length)
    if known.covered:
        judgement = compare(known.remembered, identity)
        passes = judgement.verdict is Verdict.CANNOT_TELL and known.vouched
        if judgement.verdict is not Verdict.SAME and not passes:
            raise Changed(judgement.reason, url=answer.url)
        identity = _completed(identity, known.remembered)
    whole_already = accepted.range == ByteRange(0, length)
    if not (is_strong(identity) or known.vouched or whole_already):
        return None
    return Opening(identity, reply, accepted.range, True, answer.disposition)


def _completed(seen: Remembered, remembered: Remembered) -> Remembered:
    """A 206 to If-Range may leave fields out (RFC 9110 15.3.7): ours fill the gaps."""
    return Remembered(
        etag=seen.etag or remembered.etag,
        last_modified=seen.last_modified or remembered.last_modified,
        date=remembered.date if seen.last_modified is None else seen.date,
        length=seen.length,
        url=seen.url,
    )
