"""
Proving by octets what validators cannot tell: fetch a little again, compare with the disk.

A sample counts only where its answer is as good as any other: the exact range of a
representation of the same length.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from rangedaemon.client.answers import ask
from rangedaemon.client.hosts import Slot
from rangedaemon.client.origin import Reply, Request
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.acceptance import Partial
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.overlap import sample_ranges
from rangedaemon.errors import BadResponse, Changed, NoRanges, TimedOut, Unreachable

PROBE_OCTETS = 512

Read = Callable[[int, int], Awaitable[bytes]]


class Collector(Protocol):
    """Takes a body of at most *most* octets into memory."""

    def __init__(self, most: int, url: str) -> None:
        self.done: Deferred[bytes] = Deferred(lambda _: self._stop())
        self._most = most
        self._url = url
        self._blocks: list[bytes] = []
        self._count = 0

    def dataReceived(self, data: bytes) -> None:
        """Take octets; too many end it."""
        self._blocks.append(data)
        self._count += len(data)
        if self._count > self._most and not self.done.called:
            self._stop()
            self.done.errback(BadResponse("more octets than promised", url=self._url))

    def connectionLost(self, reason: Failure = connectionDone) -> None:  # noqa: ARG002
        """The body has ended."""
        if self.done.called:
            return
        if self._count == self._most:
            self.done.callback(b"".join(self._blocks))
        else:
            self.done.errback(Unreachable("the connection ended early", url=self._url))

    def _stop(self) -> None:
        if self.transport is not None:
            self.transport.stopProducing()  # type: ignore[attr-defined]


async def collect(around: Surroundings, reply: Reply, length: int) -> bytes:
    """The body of *reply*, exactly *length* octets.

    :raises OriginFault: it has another length, or does not come in time.
    """
    collector = Collector(length, reply.answer.url)
    reply.deliver(collector)
    collector.done.addTimeout(around.stall_timeout, around.clock, _silence)
    return await collector.done


def _silence(_value: object, seconds: float) -> Failure:
    raise TimedOut(f"a sample of a few octets took more than {seconds:g} s")


async def overlap_agrees(
    around: Surroundings,
    slot: Slot,
    request: Request,
    length: int,
    covered: IntervalSet,
    read: Read,
) -> bool:
    """Whether samples of what is on the disk are what the origin sends now.

    :raises OriginFault: a sample could not be had.
    """
    for piece in sample_ranges(covered, around.random):
        theirs = await _fetch(around, slot, request, length, piece)
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
) -> Remembered:
    """What a mirror says of its representation, once its octets proved to be ours.

    :raises Changed: it has other octets, or another number of them.
    :raises NoRanges: it does not do ranges, so it cannot help.
    :raises OriginFault: it cannot be asked.
    """
    probe = replace(request, range=ByteRange(0, min(length, PROBE_OCTETS)), if_range=None)
    reply, accepted = await ask(around, slot, probe, length)
    reply.drop()
    if not isinstance(accepted, Partial):
        if accepted.length not in (None, length):
            raise Changed(f"the mirror's file has {accepted.length} octets", url=request.url)
        raise NoRanges("the mirror does not serve ranges", url=request.url)
    if not await overlap_agrees(around, slot, request, length, covered, read):
        raise Changed("the mirror's file has other octets", url=request.url)
    return around.remembered_of(reply.answer, length)


async def _fetch(
    around: Surroundings, slot: Slot, request: Request, length: int, piece: ByteRange
) -> bytes | None:
    """The origin's octets of *piece*; None where it has them of no such representation."""
    asked = replace(request, range=piece, if_range=None)
    reply, accepted = await ask(around, slot, asked, length)
    if not isinstance(accepted, Partial) or accepted.range != piece:
        reply.drop()
        return None
    return await collect(around, reply, len(piece))
