"""
What a worker does with a request of an upload: it carries the connection to the daemon's process.

One process alone owns the uploads: their journal, part files, quotas and limits.  So from
the head of such a request on, a worker takes its connection for a pipe.  Octets go both
ways as they come, over a Unix socket of that process (`rangedaemon.server.landing`), which
answers as if the peer had come to it: nothing of HTTP is decided here, so interim answers,
bodies without end, timeouts and limits are what they are without workers.

Neither side is read for longer than the other takes what comes.  A peer that takes
nothing is given up here, as only we can see that.
"""

from __future__ import annotations

import json
import select
from pathlib import Path
from typing import Any, Final

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import UNIXClientEndpoint, connectProtocol
from twisted.internet.interfaces import IDelayedCall, IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.http import Request
from zope.interface import implementer

from rangedaemon.server.channel import RangeChannel
from rangedaemon.server.refusal import refusal

TAKEN: Final = b"\n"
"""What the daemon's process says before all else: somebody is there to answer."""

_CONNECTING: Final = 10.0
"""Seconds for which a way to the daemon's process may be looked for."""
_BLOCK: Final = 256 * 1024
"""Octets of one read, of either side."""


class Relay:
    """The way of one worker's connections to the daemon's process."""

    def __init__(self, reactor: Any, site: Any) -> None:
        """:param site: whose requests they are."""
        self._reactor = reactor
        self._site = site
        self._place: Path | None = None
        self.patience = 0.0
        """Seconds for which a peer may take nothing of its answers."""

    def lead(self, place: Path | None, patience: float) -> None:
        """From now on to the socket at *place*; None: nowhere, all is answered here."""
        self._place, self.patience = place, patience

    def channel(self) -> RangeChannel:
        """A new connection of a peer."""
        return RelayingChannel(self)

    def carries(self, method: bytes, target: bytes) -> bool:
        """Whether such a request is not for us to answer."""
        return self._place is not None and self._site.resource.is_of_uploads(method, target)

    def connect(self, tunnel: Tunnel) -> Deferred[Any]:
        """Give *tunnel* its other end."""
        endpoint = UNIXClientEndpoint(self._reactor, str(self._place), timeout=_CONNECTING)
        connected: Deferred[Any] = connectProtocol(endpoint, tunnel)
        return connected


class RelayingChannel(RangeChannel):
    """A connection that is served here, until it brings a request of an upload."""

    def __init__(self, relay: Relay) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._relay = relay
        self._tunnel: Tunnel | None = None

    def allHeadersReceived(self) -> None:
        """The head is whole: is it for us?"""
        if self._relay.carries(self._command, self._path):
            self._head_is_over()
            self._hand_over(self.requests.pop())
        else:
            super().allHeadersReceived()

    def _hand_over(self, request: Request) -> None:
        self.setTimeout(None)  # type: ignore[no-untyped-call]
        self.setRawMode()  # type: ignore[no-untyped-call]
        told = told_of(self.transport.getPeer(), secure=self.isSecure())  # type: ignore[no-untyped-call]
        head = head_of(request, self._command, self._path, self._version)
        self._tunnel = Tunnel(self, self._relay, told + head)
        self._tunnel.open()

    def allContentReceived(self) -> None:
        """The body is whole, where it is ours to know."""
        if self._tunnel is None:
            super().allContentReceived()

    def dataReceived(self, data: bytes) -> None:
        """Octets of the peer."""
        if self._tunnel is None:
            super().dataReceived(data)
        else:
            self._tunnel.carry(data)

    def rawDataReceived(self, data: bytes) -> None:
        """What came behind a head, with it."""
        if self._tunnel is None:
            super().rawDataReceived(data)
        else:
            self._tunnel.carry(data)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The peer is gone: what it has sent still arrives."""
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel.close()
        super().connectionLost(reason)

    def end_soon(self) -> None:
        """Come to an end, if that is not for the other process to do."""
        if self._tunnel is None:
            super().end_soon()

    # -- what becomes of a tunnel ----------------------------------------------------

    def unreachable(self) -> None:
        """Nobody is there to answer."""
        self._tunnel = None
        self.site.answers[503] += 1
        self.transport.write(refusal(b"503 Service Unavailable", b"Retry-After: 5\r\n"))
        self._linger()

    def answered(self) -> None:
        """The answer is whole, and before the request: see `RangeChannel`."""
        self._tunnel = None
        self._linger()

    def over(self) -> None:
        """The other process has ended the connection: its last octets still go out."""
        self._tunnel = None
        patience = self._relay.patience
        self._abortingCall = self.callLater(patience, self.forceAbortClient)  # type: ignore[no-untyped-call]
        self.transport.unregisterProducer()
        self.transport.loseConnection()


@implementer(IPushProducer)
class _Valve:
    """Holds one side back while the other takes no more."""

    def __init__(self, source: Any) -> None:
        self._source = source

    def pauseProducing(self) -> None:
        """Enough for now."""
        self._source.pauseProducing()

    def resumeProducing(self) -> None:
        """All of it is on its way."""
        self._source.resumeProducing()

    def stopProducing(self) -> None:
        """The taker is gone: whoever has to know is told otherwise."""


class _Outlet(_Valve):
    """The same towards the peer, who has a time to take what there is."""

    def __init__(self, source: Any, channel: RelayingChannel, patience: float) -> None:
        super().__init__(source)
        self._channel = channel
        self._patience = patience
        self._alarm: IDelayedCall | None = None

    def pauseProducing(self) -> None:
        """Enough for now."""
        super().pauseProducing()
        abort = self._channel.transport.abortConnection
        self.forget()
        self._alarm = self._channel.callLater(self._patience, abort)  # type: ignore[no-untyped-call]

    def resumeProducing(self) -> None:
        """The peer has taken all."""
        self.forget()
        super().resumeProducing()

    def forget(self) -> None:
        """Mind no longer."""
        alarm, self._alarm = self._alarm, None
        if alarm is not None and alarm.active():
            alarm.cancel()


@implementer(IHalfCloseableProtocol)
class Tunnel(Protocol):
    """The end of one carried connection that is with the daemon's process."""

    transport: Any

    def __init__(self, channel: RelayingChannel, relay: Relay, begun: bytes) -> None:
        """:param begun: what goes first."""
        self._channel: RelayingChannel | None = channel
        self._relay = relay
        self._waiting = [begun]
        self._opening: Deferred[Any] | None = None
        self._taken = False
        self._outlet: _Outlet | None = None

    def open(self) -> None:
        """Find the other end; the peer waits until it is there."""
        if self._channel is not None:
            self._channel.transport.pauseProducing()
        self._opening = self._relay.connect(self)
        self._opening.addErrback(lambda _: self._ended())

    def connectionMade(self) -> None:
        """It is there."""
        if self._channel is None:
            self.transport.abortConnection()
            return
        line = self._channel.transport
        self._outlet = _Outlet(self.transport, self._channel, self._relay.patience)
        line.unregisterProducer()
        line.registerProducer(self._outlet, True)
        self.transport.registerProducer(_Valve(line), True)
        self.transport.bufferSize = line.bufferSize = _BLOCK
        line.resumeProducing()
        waiting, self._waiting = self._waiting, []
        self.transport.writeSequence(waiting)

    def carry(self, octets: bytes) -> None:
        """Octets of the peer."""
        if self.connected:
            self.transport.write(octets)
        else:
            self._waiting.append(octets)

    def dataReceived(self, data: bytes) -> None:
        """Octets for the peer."""
        if not self._taken:
            self._taken, data = True, data[len(TAKEN) :]
        if self._channel is not None and data:
            self._channel.transport.write(data)

    def close(self) -> None:
        """The peer is gone: end, once all is over there."""
        self._let_go()
        if self.connected:
            self.transport.unregisterProducer()
            self.transport.loseConnection()
        elif self._opening is not None:
            self._opening.cancel()

    def readConnectionLost(self) -> None:  # noqa: N802 - Twisted's interface
        """Nothing more comes: either all is over, or what the peer still sends is not wanted."""
        answered = self._taken and not hung_up(self.transport)
        self._ended(answered=answered)
        self.transport.unregisterProducer()
        self.transport.loseConnection()

    def writeConnectionLost(self) -> None:  # noqa: N802
        """We have never ended our side alone."""

    def connectionLost(self, _reason: Failure = connectionDone) -> None:
        """The other process is gone, or wants to hear no more."""
        self._ended()

    def _ended(self, *, answered: bool = False) -> None:
        channel = self._let_go()
        if channel is None:
            return
        if self._outlet is not None:
            channel.transport.unregisterProducer()
            channel.transport.registerProducer(channel, True)
        if answered:
            channel.answered()
        elif self._taken:
            channel.over()
        else:
            channel.unreachable()

    def _let_go(self) -> RelayingChannel | None:
        channel, self._channel = self._channel, None
        if self._outlet is not None:
            self._outlet.forget()
        return channel


def hung_up(transport: Any) -> bool:
    """Whether the other end of a Unix socket is closed in both directions."""
    poll = select.poll()
    poll.register(transport.fileno(), 0)
    return any(event & select.POLLHUP for _, event in poll.poll(0))


def told_of(peer: Any, *, secure: bool) -> bytes:
    """The line that goes before all octets of a peer: who that is."""
    place = None
    if isinstance(peer, (IPv4Address, IPv6Address)):
        place = [peer.host, peer.port]
    return json.dumps({"peer": place, "secure": secure}).encode() + b"\n"


def head_of(request: Request, method: bytes, target: bytes, version: bytes) -> bytes:
    """The head of *request*, as twisted.web has understood it."""
    lines = [b"%b %b %b" % (method, target, version)]
    for name, values in request.requestHeaders.getAllRawHeaders():
        lines += [b"%b: %b" % (name, value) for value in values]
    return b"\r\n".join([*lines, b"", b""])
