"""
The way from a body to its peer: back-pressure, the peer's silence, its going.

A lane belongs to one answer.  `CopyLane` writes blocks and heeds the transport's
push back-pressure; it works on every transport.  `rangedaemon.server.sendfile` has
the one for plain sockets.
"""

from __future__ import annotations

import fcntl
import struct
import termios
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.python.failure import Failure
from twisted.web.http import Request
from zope.interface import implementer

from rangedaemon.errors import Fault
from rangedaemon.server.pacing import Paces
from rangedaemon.server.watch import Watch
from rangedaemon.storage.reading import read_cached, read_exactly
from rangedaemon.storage.threads import InThread

LARGEST_BLOCK: Final = 256 * 1024
SMALLEST_BLOCK: Final = 16 * 1024


class BodyCut(Fault):
    """The connection ended before the last octet of a body; nothing is left to be done on it."""

    code = "cut-short"
    title = "The answer was cut short"


class Lane(Protocol):
    """Where a body's octets go; all fail with `BodyCut` once the peer is gone."""

    async def write(self, octets: bytes) -> None:
        """Hand over a few octets."""

    async def send(self, fd: int, start: int, stop: int, watch: Watch) -> None:
        """Hand over a part of a file; *watch* is asked now and then."""

    async def drained(self) -> None:
        """Wait until the peer's kernel or ours has taken what was handed over."""

    def close(self) -> None:
        """Leave the transport as it was found."""


@implementer(IPushProducer)
class Peer:
    """
    The other side of one answer: whether it takes more, has fallen silent, or has gone.

    Silence is the peer acknowledging nothing for *patience* seconds while we wait for
    it; time that we spend on our own disk or pace does not count.
    """

    def __init__(self, request: Request, clock: IReactorTime, patience: float) -> None:
        self.request = request
        self.clock = clock
        self.paused = False
        self.moved = 0
        self._patience = patience
        self._waiter: Deferred[None] | None = None
        self._cut: BodyCut | None = None
        self._sleeper: Deferred[None] | None = None
        self._alarm: IDelayedCall | None = None
        self._timer: IDelayedCall | None = None
        self._seen: object = None
        # An HTTP/2 stream has no transport; it serves as one itself.
        self.transport: Any = request.channel.transport or request.channel
        self._direct = False
        request.notifyFinish().addErrback(self._gone)

    def check(self) -> None:
        """:raises BodyCut: the peer has gone."""
        if self._cut is not None:
            raise self._cut

    @property
    def gone(self) -> bool:
        """Whether nothing can be sent any more; any thread may ask."""
        return self._cut is not None

    def wait(self) -> Deferred[None]:
        """Fires when the peer takes more; fails with `BodyCut` when it has gone."""
        waiter: Deferred[None] = Deferred()
        if self._cut is not None:
            waiter.errback(self._cut)
            return waiter
        self._waiter = waiter
        if self._timer is None:
            self._look()
        return waiter

    def sleep(self, seconds: float) -> Deferred[None]:
        """Fires after *seconds*; fails with `BodyCut` when the peer goes meanwhile."""
        self._sleeper = Deferred()
        self._alarm = self.clock.callLater(seconds, self._sleeper.callback, None)
        return self._sleeper

    def wake(self) -> None:
        """The peer takes more."""
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.callback(None)

    def cut(self, why: str) -> None:
        """End the connection without finishing the answer."""
        if self._cut is None:
            self._fail(BodyCut(why))
            self.transport.abortConnection()

    def attach(self) -> None:
        """Hear from the transport when to pause and when to go on."""
        # twisted.web's channel passes that on only where it could register itself with its
        # transport, which wrapped transports do not always admit to allow.
        self._direct = not IPushProducer.providedBy(self.transport) and hasattr(
            self.transport, "registerProducer"
        )
        if self._direct:
            self.transport.registerProducer(self, True)
        else:
            self.request.registerProducer(self, True)

    def detach(self) -> None:
        """Leave the transport as it was found."""
        if self._direct:
            self.transport.unregisterProducer()
        else:
            self.unregister()

    def close(self) -> None:
        """No more waiting: stop the clock."""
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def unregister(self) -> None:
        """Stop being the request's producer; a request whose peer has gone has none."""
        if self.request.channel is not None:
            self.request.unregisterProducer()

    def pauseProducing(self) -> None:
        """The transport's buffer is full."""
        self.paused = True

    def resumeProducing(self) -> None:
        """The transport's buffer has drained."""
        self.paused = False
        self.wake()

    def stopProducing(self) -> None:
        """The transport is gone."""
        self._fail(BodyCut("the peer has gone"))

    def _gone(self, _reason: Failure) -> None:
        self._fail(BodyCut("the peer has gone"))

    def _fail(self, cut: BodyCut) -> None:
        if self._cut is not None:
            return
        self._cut = cut
        self.close()
        if self._alarm is not None and self._alarm.active() and self._sleeper is not None:
            self._alarm.cancel()
            self._sleeper.errback(cut)
        waiter, self._waiter = self._waiter, None
        if waiter is not None:
            waiter.errback(cut)

    def _look(self) -> None:
        """Has anything moved since the last look?"""
        self._timer = None
        if self._waiter is None:
            self._seen = None
            return
        seen, self._seen = self._seen, (self.moved, unsent(self.transport))
        if seen == self._seen:
            self.cut(f"the peer took nothing for {self._patience:g} s")
        else:
            self._timer = self.clock.callLater(self._patience, self._look)


def unsent(transport: Any) -> int | None:
    """Octets that our kernel still holds for the peer, None where nobody can say."""
    try:
        answer = fcntl.ioctl(transport.fileno(), termios.TIOCOUTQ, b"\0" * 4)
    except (OSError, AttributeError, TypeError, ValueError):
        return None
    return int(struct.unpack("i", answer)[0])


class CopyLane:
    """Reads blocks and writes them: for TLS, and wherever there is no sendfile."""

    def __init__(self, peer: Peer, in_thread: InThread, pace: Paces | None) -> None:
        self._peer = peer
        self._in_thread = in_thread
        self._pace = pace
        self._block = SMALLEST_BLOCK
        peer.attach()

    def close(self) -> None:
        """Leave the transport as it was found."""
        self._peer.detach()

    async def write(self, octets: bytes) -> None:
        """Hand over a few octets, once the peer takes more."""
        await self.drained()
        self._peer.check()
        self._peer.request.write(octets)
        self._peer.moved += len(octets)

    async def drained(self) -> None:
        """Wait until no more than the transport's buffer size is left in it."""
        while self._peer.paused:
            await self._peer.wait()

    async def send(self, fd: int, start: int, stop: int, watch: Watch) -> None:
        """Read and write block by block, the next being read while one is written."""
        await self._in_thread(watch.check)
        while start < stop:
            edge = min(stop, start + self._size())
            block = read_cached(fd, start, edge)
            if block is None:
                block = await self._in_thread(read_exactly, fd, start, edge)
            await paced(self._pace, self._peer, len(block))
            await self._measured(block)
            start = edge

    def _size(self) -> int:
        return self._block if self._pace is None else min(self._block, self._pace.burst)

    async def _measured(self, block: bytes) -> None:
        """Write, and learn how much this peer takes: a slow one is to hold little memory."""
        began = self._peer.clock.seconds()
        await self.write(block)
        await self.drained()
        quick = self._peer.clock.seconds() - began < 0.1
        self._block = (
            min(LARGEST_BLOCK, 2 * self._block) if quick else max(SMALLEST_BLOCK, self._block // 2)
        )


def drained(peer: Peer, descriptor: Any) -> Deferred[None]:
    """Fires when the buffer of *descriptor*, the lowest transport, is empty.

    :raises BodyCut: the peer has gone.
    """
    peer.check()
    # A transport asks a producer that it paused for more once its buffer has drained; so
    # have it pause the one it has.
    descriptor.producerPaused = True
    descriptor.producer.pauseProducing()
    descriptor.startWriting()
    return peer.wait()


async def paced(pace: Paces | None, peer: Peer, octets: int) -> None:
    """Wait until *octets* more may go at *pace*, and count them."""
    if pace is None:
        return
    now = peer.clock.seconds()
    delay = pace.delay(now)
    # Counted before the wait, so that of those who share a pace each waits for its own turn.
    pace.spend(octets, now)
    if delay > 0:
        await peer.sleep(delay)
