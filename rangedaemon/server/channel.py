"""
Connections: how many there may be, how long one may take to speak, how all of them end.

An idle connection is closed after a while; one that has begun to speak has a fixed
time for the whole head of its request, however it drips (RFC 9110, 17: resource
exhaustion).  Peers that do not take their answer are given up in
`rangedaemon.server.body`.  Where an answer is given before the end of a request's body,
the connection ends with it: what is still coming is read and dropped for a moment, so
that the peer sees the answer before it sees the end (RFC 9112, 9.6).
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from typing import Any
from typing import Protocol as TypingProtocol

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel, Request

from rangedaemon.server.refusal import refusal

HEAD_SIZE = 128 * 1024
"""Octets of a request's head: enough for the ten thousand ranges that we will not send."""


LINGERING = 5.0
"""Seconds for which octets are dropped that nobody wants."""
MOST_DROPPED = 64 * 1024 * 1024
"""Octets that are dropped in that time."""

_SPARE_DESCRIPTORS = 128


def affordable_connections(descriptors: int) -> int:
    """How many connections fit in a process' limit of open files: each may need a file too."""
    return max(16, (descriptors - _SPARE_DESCRIPTORS) // 2)


class Crowd:
    """The connections that there are, of all and of each address; None is no limit."""

    def __init__(self, most: int | None = None, most_of_one: int | None = None) -> None:
        self.allow(most, most_of_one)
        self._members: set[RangeChannel] = set()
        self._by_address: Counter[str] = Counter()
        self._waiters: list[Deferred[None]] = []
        self.draining = False
        """Whether no more than what was begun is to be done."""

    def allow(self, most: int | None, most_of_one: int | None) -> None:
        """Let so many in from now on; who is there already stays."""
        self._most = most
        self._most_of_one = most_of_one

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self._members)

    @property
    def carried(self) -> int:
        """How many of them another process carries to us."""
        return sum(member.carried for member in self._members)

    @property
    def sending(self) -> int:
        """Octets that went out of the answers that are under way."""
        return sum(member.requests[0].sentLength for member in self._members if member.requests)

    def has_room(self, address: str) -> bool:
        """Whether one more may come from *address*."""
        if self.draining or (self._most is not None and self.total >= self._most):
            return False
        return self._most_of_one is None or self._by_address[address] < self._most_of_one

    def enter(self, member: RangeChannel) -> None:
        """One has come."""
        self._members.add(member)
        self._by_address[member.address] += 1

    def leave(self, member: RangeChannel) -> None:
        """One has gone."""
        self._members.discard(member)
        self._by_address[member.address] -= 1
        if not self._by_address[member.address]:
            del self._by_address[member.address]
        self._tell()

    def drain(self) -> Deferred[None]:
        """Close what is idle, finish what was begun; fires when nobody is left."""
        empty: Deferred[None] = Deferred()
        self._waiters.append(empty)
        if not self.draining:
            self.draining = True
            for member in list(self._members):
                member.end_soon()
        self._tell()
        return empty

    def abort(self) -> None:
        """Cut off all who are left."""
        for member in list(self._members):
            member.transport.abortConnection()

    def _tell(self) -> None:
        while self._waiters and not self._members:
            self._waiters.pop().callback(None)


class House(TypingProtocol):
    """What all connections of a site have in common."""

    crowd: Crowd
    answers: Counter[int]
    """Where refusals are counted, by status."""
    head_timeout: float
    resource: Any
    """What answers requests."""

    def answer_quickly(self, octets: bytes, address: str) -> bytes | None:
        """The whole answer to a request, where it can be had without twisted.web."""


class RangeChannel(HTTPChannel):
    """A connection of ours."""

    MAX_LENGTH = HEAD_SIZE
    totalHeadersSize = HEAD_SIZE  # noqa: N815

    transport: Any
    # While there are fewer than thirty others, Python keeps their names once for all
    # connections, and each takes a kilobyte less.
    __slots__ = ("address", "callLater", "factory", "requestFactory", "site")

    site: House
    address: str
    carried = False
    """Whether another process carries it to us, for the uploads that it brings."""
    _refused = False
    _dropped = 0
    _held_timeout: float | None = None
    _head_call: IDelayedCall | None = None
    _end_call: IDelayedCall | None = None

    def connectionMade(self) -> None:
        """A peer is there."""
        self.site.crowd.enter(self)
        super().connectionMade()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """It is gone."""
        self.site.crowd.leave(self)
        self._head_is_over()
        if self._end_call is not None and self._end_call.active():
            self._end_call.cancel()
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def dataReceived(self, data: bytes) -> None:
        """A part of a head starts the clock, if it was not a whole one."""
        if self._refused:
            return
        if self._between_requests():
            answer = self.site.answer_quickly(data, self.address)
            if answer is not None:
                self.resetTimeout()  # type: ignore[no-untyped-call]
                write_at_once(self.transport, answer)
                return
        super().dataReceived(data)  # type: ignore[no-untyped-call]
        if self._head_call is None and self.line_mode and (self.requests or self._buffer):
            self._head_call = self.callLater(  # type: ignore[no-untyped-call]
                self.site.head_timeout, self._head_late
            )

    def _between_requests(self) -> bool:
        """Whether the next octets begin a request, which may be answered at once."""
        return not (
            self.requests
            or self._buffer
            or self._dataBuffer
            or self._waitingForTransport
            or self.site.crowd.draining
            or self.carried
            or self._end_call is not None
        )

    def allHeadersReceived(self) -> None:
        """The head is whole."""
        self._head_is_over()
        super().allHeadersReceived()  # type: ignore[no-untyped-call]

    def read_no_more(self) -> None:
        """Have the peer wait: what it sends finds no taker; its silence is our doing."""
        self._held_timeout = self.setTimeout(None) or self._held_timeout  # type: ignore[no-untyped-call]
        _told(self.transport, "pauseProducing")

    def read_on(self) -> None:
        """Hear the peer again."""
        self._time_again()
        if not self._waitingForTransport:
            _told(self.transport, "resumeProducing")

    def _time_again(self) -> None:
        timeout = self._held_timeout
        if timeout is not None:
            self._held_timeout = None
            self.setTimeout(timeout)  # type: ignore[no-untyped-call]

    def allContentReceived(self) -> None:
        """The body is whole."""
        if self._end_call is not None:
            return
        self._time_again()
        super().allContentReceived()  # type: ignore[no-untyped-call]

    def tell(self, octets: bytes) -> None:
        """Send an interim answer."""
        self.transport.write(octets)

    def _send100Continue(self) -> None:  # noqa: N802
        """Only where nobody takes the body as it comes: who does sends it in time."""
        if self._end_call is None and not self.requests[-1].begun:
            super()._send100Continue()  # type: ignore[no-untyped-call]

    def requestDone(self, request: Request) -> None:  # noqa: N802
        """An answer is over; the request's body may not be."""
        if self._handlingRequest:
            super().requestDone(request)  # type: ignore[no-untyped-call]
        else:
            del self.requests[0]
            self._linger()

    def _linger(self) -> None:
        """Drop what still comes for a while, then end."""
        self._handlingRequest = True
        self.persistent = 0
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self._end_call = self.callLater(LINGERING, self._lingered)  # type: ignore[no-untyped-call]
        self._networkProducer.unregisterProducer()  # type: ignore[attr-defined]
        if isinstance(self.transport, tcp.Connection) and not self.transport.TLS:
            self.transport.loseWriteConnection()
        _told(self.transport, "resumeProducing")

    def _lingered(self) -> None:
        self._end_call = None
        self.transport.abortConnection()

    def rawDataReceived(self, data: bytes) -> None:
        """Octets of a body, or of a next request."""
        if self._end_call is None:
            super().rawDataReceived(data)
            return
        self._dropped += len(data)
        if self._dropped > MOST_DROPPED:
            self._end_call.cancel()
            self._lingered()

    def checkPersistence(self, request: Request, version: bytes) -> bool:  # noqa: N802
        """Whether another request may follow: none while we come to an end."""
        persistent: bool = super().checkPersistence(request, version)  # type: ignore[no-untyped-call]
        if self.site.crowd.draining or not self._belongs_here():
            request.responseHeaders.setRawHeaders(b"Connection", [b"close"])
            return False
        return persistent

    def _belongs_here(self) -> bool:
        """Whether the request is what the connection is here for."""
        uploads = self.site.resource
        return not self.carried or uploads.is_of_uploads(self._command, self._path)

    def end_soon(self) -> None:
        """Close after the answer that is on its way, or at once where there is none."""
        if self._handlingRequest:
            self.persistent = 0
        else:
            self.loseConnection()  # type: ignore[no-untyped-call]

    def lineLengthExceeded(self, line: bytes) -> None:  # noqa: ARG002, N802
        """One line is longer than a head may be."""
        self._refuse(b"431 Request Header Fields Too Large")

    def _respondToBadRequestAndDisconnect(self) -> None:  # noqa: N802
        """A head that is too long, or that is no HTTP."""
        if self._receivedHeaderSize > self.totalHeadersSize:
            self._refuse(b"431 Request Header Fields Too Large")
        else:
            self._refuse(b"400 Bad Request")

    def _refuse(self, status: bytes) -> None:
        """Say why once, and hear no more."""
        if self._refused:
            return
        self._refused = True
        self.site.answers[int(status[:3])] += 1
        self._head_is_over()
        self.transport.write(refusal(status))
        self.loseConnection()  # type: ignore[no-untyped-call]

    def _head_late(self) -> None:
        self._head_call = None
        self.timeoutConnection()  # type: ignore[no-untyped-call]

    def _head_is_over(self) -> None:
        call = self._head_call
        if call is not None:
            self._head_call = None
            call.cancel()


def _told(transport: Any, what: str) -> None:
    """Call a method that not every transport has."""
    method = getattr(transport, what, None)
    if method is not None:
        method()


def write_at_once(transport: Any, octets: bytes) -> None:
    """
    Write to the socket now where nothing is before us, and spare the reactor a turn.

    What the socket does not take goes the usual way, and so does everything elsewhere.
    """
    if type(transport) is tcp.Server and not transport.TLS and transport.connected:
        waiting = transport.dataBuffer or transport._tempDataBuffer  # noqa: SLF001
        if not waiting and not transport.disconnecting:
            with suppress(OSError):  # full, or lost: the transport finds out which
                octets = octets[transport.socket.send(octets) :]
    if octets:
        transport.write(octets)


def send_now(transport: Any) -> None:
    """
    Send what was written now where the socket takes it, and spare the reactor a turn.

    What goes wrong here goes wrong again in the reactor's next turn, and is seen there.
    """
    if type(transport) is tcp.Server and not transport.TLS and transport.connected:
        ends = transport.disconnecting or transport._writeDisconnecting  # noqa: SLF001
        if transport._tempDataBuffer and not ends:  # noqa: SLF001
            transport.doWrite()
