"""
Proving by octets what validators cannot tell: fetch a little again, compare with the disk.

A sample counts only where its answer is as good as any other: the exact range of a
representation of the same length.  Samples are requests of their own: another node may
answer the next one, with another file.  Where no strong validator ties answers to each
other, a body is therefore tied to the disk by octets of its own (`core.overlap.Tie`),
which are compared before any octet of it is kept.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from rangedaemon.client.answers import ask
from rangedaemon.client.hosts import Slot
from rangedaemon.client.leading import LedReply, lead
from rangedaemon.client.origin import Reply, Request
from rangedaemon.client.patience import Patience
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.acceptance import Acceptance, Answer, Partial, Unsatisfiable, Whole
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.overlap import Tie, sample_ranges
from rangedaemon.core.validators import Verdict, compare, is_strong
from rangedaemon.errors import (
    BadResponse,
    Changed,
    NoRanges,
    OriginFault,
    Unjoinable,
    Unreachable,
)

PROBE_OCTETS = 512

Read = Callable[[int, int], Awaitable[bytes]]


class Collector(Protocol):
    """Takes a body of at most *most* octets into memory."""

    def __init__(self, around: Surroundings, most: int, url: str) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._stop())
        self._patience = Patience(around.clock, around.stall_timeout, self._fail, url)
        self._most = most
        self._url = url
        self._blocks: list[bytes] = []
        self._count = 0

    def dataReceived(self, data: bytes) -> None:
        """Take octets; too many end it."""
        self._patience.heard()
        self._blocks.append(data)
        self._count += len(data)
        if self._count > self._most:
            self._fail(BadResponse("more octets than promised", url=self._url))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """The body has ended."""
        if self.done.called:
            return
        if self._count == self._most:
            self._patience.over()
            self.done.callback(b"".join(self._blocks))
        else:
            self._fail(Unreachable("the connection ended early", url=self._url))

    def _fail(self, fault: OriginFault) -> None:
        if not self.done.called:
            self._stop()
            self.done.errback(fault)

    def _stop(self) -> None:
        self._patience.over()
        if self.transport is not None:
            self.transport.stopProducing()  # type: ignore[attr-defined]


async def collect(around: Surroundings, reply: Reply, length: int) -> bytes:
    """The body of *reply*, exactly *length* octets.

    :raises OriginFault: it has another length, or does not come in time.
    """
    collector = Collector(around, length, reply.answer.url)
    reply.deliver(collector)
    octets = await collector.done
    around.counters.compared += length
    return octets


async def overlap_agrees(
    around: Surroundings,
    slot: Slot,
    request: Request,
    length: int | None,
    covered: IntervalSet,
    read: Read,
    *,
    tied_to: Remembered | None = None,
) -> bool:
    """Whether samples of what is on the disk are what the origin sends now.

    :param tied_to: what the answers must be of, by a strong validator; None: of anything.
    :raises Unjoinable: one of them is not.
    :raises NoRanges: it does not do ranges, so that nothing is proved either way.
    :raises OriginFault: a sample could not be had.
    """
    for piece in sample_ranges(covered, around.random):
        theirs = await _fetch(around, slot, request, length, piece, tied_to)
        if theirs != await read(piece.start, len(piece)):
            return False
    return True


async def mirror_identity(
    around: Surroundings,
    slot: Slot,
    request: Request,
    length: int,
    covered: IntervalSet,
    read: Read,
    *,
    vouched: bool,
) -> Remembered:
    """What a mirror says of its representation, once its octets proved to be ours.

    :param vouched: a digest will prove the whole, so that its answers need no validator.
    :raises Changed: it has other octets, or another number of them.
    :raises NoRanges: it does not do ranges, so it cannot help.
    :raises Unjoinable: its answers may be of different files, as far as it tells.
    :raises OriginFault: it cannot be asked.
    """
    probe = replace(request, range=ByteRange(0, min(length, PROBE_OCTETS)), if_range=None)
    reply, accepted = await ask(around, slot, probe, length)
    reply.drop()
    if not isinstance(accepted, Partial):
        if accepted.length not in (None, length):
            raise Changed(f"the mirror's file has {accepted.length} octets", url=request.url)
        raise NoRanges("the mirror does not serve ranges", url=request.url)
    identity = around.remembered_of(reply.answer, length)
    if not (vouched or is_strong(identity)):
        raise Unjoinable("the mirror has no strong validator", url=request.url)
    tied_to = None if vouched else identity
    if not await overlap_agrees(around, slot, request, length, covered, read, tied_to=tied_to):
        raise Changed("the mirror's file has other octets", url=request.url)
    return identity


async def _fetch(
    around: Surroundings,
    slot: Slot,
    request: Request,
    length: int | None,
    piece: ByteRange,
    tied_to: Remembered | None,
) -> bytes | None:
    """The origin's octets of *piece*; None where it has them of no such representation."""
    asked = replace(request, range=piece, if_range=None)
    reply, accepted = await ask(around, slot, asked, length)
    if isinstance(accepted, Whole) and accepted.length in (None, length):
        reply.drop()
        raise NoRanges(f"{reply.answer.status} in answer to a range", url=reply.answer.url)
    if not isinstance(accepted, Partial) or accepted.range != piece:
        reply.drop()
        return None
    seen = around.remembered_of(reply.answer, accepted.length)
    if tied_to is not None and compare(tied_to, seen).verdict is not Verdict.SAME:
        reply.drop()
        raise Unjoinable("answers of different files, it seems", url=reply.answer.url)
    return await collect(around, reply, len(piece))


def refuse_other(
    around: Surroundings,
    answer: Answer,
    accepted: Acceptance,
    remembered: Remembered,
    asked: ByteRange | None,
) -> None:
    """:raises Changed: no range came, and the answer tells that there is another file now."""
    seen = around.remembered_of(answer, accepted.length)
    judgement = compare(remembered, seen)
    if judgement.verdict is Verdict.CHANGED:
        raise Changed(judgement.reason, url=answer.url)
    if isinstance(accepted, Unsatisfiable) and accepted.length is not None:
        if remembered.length is None and asked is not None and accepted.length <= asked.start:
            raise Changed(f"it has only {accepted.length} octets now", url=answer.url)
        raise BadResponse("416 to a range that exists", url=answer.url)


async def tied_answer(
    around: Surroundings,
    slot: Slot,
    request: Request,
    remembered: Remembered,
    bond: Tie,
    read: Read,
) -> tuple[LedReply, ByteRange, Remembered]:
    """An answer that begins, or ends, with octets that are on the disk.

    :returns: the answer with the octets that are missing as its body; which ones it
        brings (none, where it ends before them); what it says of its representation.
    :raises Changed: it has other octets, or tells that it is another file.
    :raises NoRanges: the range did not come.
    """
    asked = replace(request, range=bond.asked, if_range=None)
    reply, accepted = await ask(around, slot, asked, remembered.length)
    return await tied(around, reply, accepted, remembered, bond, read)


async def tied(
    around: Surroundings,
    reply: Reply,
    accepted: Acceptance,
    remembered: Remembered,
    bond: Tie,
    read: Read,
) -> tuple[LedReply, ByteRange, Remembered]:
    """*reply*, to a request for the octets of *bond*, once those that are common agree.

    :returns, raises: as `tied_answer`.
    """
    try:
        piece = _tied_piece(around, reply.answer, accepted, remembered, bond)
        behind = bond.common.start >= bond.missing.stop
        skip = 0 if behind else len(bond.common)
        first = len(bond.asked) if behind else skip
        octets, led = await lead(around, reply, first, skip=skip)
    except BaseException:
        reply.drop()
        raise
    common = octets[len(bond.missing) :] if behind else octets
    around.counters.compared += len(common)
    length = accepted.length if accepted.length is not None else remembered.length
    seen = around.remembered_of(reply.answer, length)
    if common != await _ours(led, read, bond.common):
        led.drop()
        raise other_octets("the octets beside what is missing", reply, remembered, seen)
    return led, piece, seen


def other_octets(what: str, reply: Reply, remembered: Remembered, seen: Remembered) -> Changed:
    """The fault of octets that are others, whatever the validator says."""
    judgement = compare(remembered, seen)
    lie = f", though {judgement.reason}" if judgement.verdict is Verdict.SAME else ""
    return Changed(f"{what} are others now{lie}", url=reply.answer.url)


async def _ours(reply: Reply, read: Read, piece: ByteRange) -> bytes:
    try:
        return await read(piece.start, len(piece))
    except BaseException:
        reply.drop()
        raise


def _tied_piece(
    around: Surroundings,
    answer: Answer,
    accepted: Acceptance,
    remembered: Remembered,
    bond: Tie,
) -> ByteRange:
    """The missing octets that an answer to *bond* brings; none where nothing is missing."""
    if not isinstance(accepted, Partial):
        refuse_other(around, answer, accepted, remembered, bond.asked)
        raise NoRanges(f"{answer.status} in answer to a range", url=answer.url)
    length = accepted.length if accepted.length is not None else remembered.length
    if length is None:
        raise BadResponse("206 without the complete length", url=answer.url)
    judgement = compare(remembered, around.remembered_of(answer, length))
    if judgement.verdict is Verdict.CHANGED:
        raise Changed(judgement.reason, url=answer.url)
    piece = accepted.range.clamp(bond.missing)
    if accepted.range.stop == length == bond.missing.start:
        return piece
    if not piece or (bond.common.start >= piece.stop and accepted.range != bond.asked):
        raise BadResponse("too few octets to compare with those that are there", url=answer.url)
    return piece
