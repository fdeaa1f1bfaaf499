"""
The first octets of a body, looked at before anybody keeps the rest of it.

Where no validator ties an answer to what is on the disk, its own octets must: those of
another request may come from another node of the origin, which may have another file.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure

from rangedaemon.client.origin import Reply
from rangedaemon.client.patience import Patience
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.errors import OriginFault, Unreachable


class _Leading(Protocol):
    """Takes the first octets, then holds the body back for whoever is next."""

    def __init__(self, around: Surroundings, count: int, url: str) -> None:
        self.done: Deferred[None] = Deferred(lambda _: self.stop())
        self._patience = Patience(around.clock, around.stall_timeout, self._fail, url)
        self.octets = bytearray()
        self._count = count
        self._url = url
        self._end: Failure | None = None
        self._next: Protocol | None = None

    def dataReceived(self, data: bytes) -> None:
        """Take octets, or hand them on."""
        if self._next is not None:
            self._next.dataReceived(data)
            return
        self.octets += data
        self._patience.heard()
        if len(self.octets) >= self._count:
            self._patience.over()
            self._producer.pauseProducing()
            if not self.done.called:
                self.done.callback(None)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The body has ended; who comes next will hear of it."""
        self._end = reason
        if self._next is not None:
            self._next.connectionLost(reason)
        elif not self.done.called:
            self._fail(Unreachable("the connection ended early", url=self._url))

    def _fail(self, fault: OriginFault) -> None:
        self.stop()
        self.done.errback(fault)

    def hand_over(self, taker: Protocol, skip: int) -> None:
        """Let *taker* have the body, but for its first *skip* octets."""
        self._next = taker
        rest = bytes(self.octets[skip:])
        self.octets.clear()
        taker.makeConnection(self._producer)
        if rest:
            taker.dataReceived(rest)
        if self._end is not None:
            taker.connectionLost(self._end)
        elif not getattr(taker, "paused", False):
            self._producer.resumeProducing()

    def stop(self) -> None:
        """Nobody wants the rest."""
        self._patience.over()
        if self.transport is not None and self._end is None:
            self._producer.stopProducing()

    @property
    def _producer(self) -> Any:
        return self.transport


class LedReply(Reply):
    """An answer whose body begins behind octets that were looked at."""

    def __init__(self, reply: Reply, leading: _Leading, skip: int) -> None:
        self.answer = reply.answer
        self.before = bytes(leading.octets[:skip])
        if not skip:  # its end was looked at, and will not be kept: a digest is of the whole
            self.answer = replace(reply.answer, content_digest=None)
        self._leading: _Leading | None = leading
        self._skip = skip

    def deliver(self, protocol: Protocol) -> None:
        """Let the rest of the body come to *protocol*."""
        leading, self._leading = self._leading, None
        if leading is not None:
            leading.hand_over(protocol, self._skip)

    def drop(self) -> None:
        """Do without the body, where nobody took it: the connection is closed."""
        leading, self._leading = self._leading, None
        if leading is not None:
            leading.stop()


async def lead(
    around: Surroundings, reply: Reply, count: int, *, skip: int
) -> tuple[bytes, LedReply]:
    """The first *count* octets of a body, and the answer with all but the first *skip*.

    :raises OriginFault: so many do not come, or not in time.
    """
    leading = _Leading(around, count, reply.answer.url)
    reply.deliver(leading)
    await leading.done
    return bytes(leading.octets[:count]), LedReply(reply, leading, skip)
