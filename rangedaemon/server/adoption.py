"""
Serving at a socket that another process listens with.

The endpoint's own way to listen stays in use (TLS with its certificates, whatever
plug-ins wrap around it); only the socket is there already.  Nothing is done to that
socket but accepting: no bind, no chmod and no unlink of a Unix socket's file.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet import tcp, unix
from twisted.internet.address import UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import serverFromString
from twisted.internet.interfaces import IListeningPort, IProtocolFactory
from twisted.python.failure import Failure

_ACCEPTS = 100
"""Connections to accept in a first turn, as Twisted's ports do."""


class GivenPort(tcp.Port):
    """A socket that listens already: nothing is to be done but to accept."""

    # It goes on listening for others when we close it.
    _shouldShutdown = False  # noqa: N815

    def __init__(self, given: socket.socket, factory: IProtocolFactory, reactor: Any) -> None:
        name = given.getsockname()
        inet = isinstance(name, tuple)
        super().__init__(
            name[1] if inet else 0, factory, interface=name[0] if inet else "", reactor=reactor
        )
        self.addressFamily = given.family
        self.socket = given

    def startListening(self) -> None:  # noqa: N802
        """Begin to accept."""
        if self.factory is not None:
            self.factory.doStart()
        self.connected = True
        self.numberAccepts = _ACCEPTS
        self.fileno = self.socket.fileno  # type: ignore[method-assign]
        self.startReading()  # type: ignore[no-untyped-call]


class _UnixMixin:
    """What is different at a Unix socket."""

    transport = unix.Server
    socket: socket.socket

    def _buildAddr(self, address: Any) -> UNIXAddress:  # noqa: N802
        return UNIXAddress(address)

    def getHost(self) -> UNIXAddress:  # noqa: N802
        """Where it is."""
        return UNIXAddress(self.socket.getsockname())


class GivenUnixPort(_UnixMixin, GivenPort):
    """
    The same for a Unix socket.

    Twisted's own makes its file everybody's to write to, and removes it at the end.
    """


class _SharedPort(GivenPort):
    """Accepts one connection at a time: the others are for whoever else is there."""

    @property
    def numberAccepts(self) -> int:  # noqa: N802 - Twisted's name
        """How many connections to accept in a turn."""
        return 1

    @numberAccepts.setter
    def numberAccepts(self, _: int) -> None:  # noqa: N802
        """Twisted would have it follow the traffic."""

    def doRead(self) -> None:  # noqa: N802
        """Accept; no more where the one who listens has closed the socket for all."""
        if self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN):
            super().doRead()  # type: ignore[no-untyped-call]
        else:
            self.leave()

    def connectionLost(self, _reason: Failure) -> None:
        """The reactor has seen the same."""
        self.leave()

    def leave(self) -> None:
        """Accept no more, and let go of the socket, which stays open for others."""
        if self.connected:
            self.connected = False
            self.stopReading()  # type: ignore[no-untyped-call]
            self.socket.close()


class _SharedUnixPort(_UnixMixin, _SharedPort):
    """The same for a Unix socket."""


class _Adopter:
    """Stands in for the reactor when an endpoint listens, and gives it the socket."""

    def __init__(self, reactor: Any, taken: socket.socket) -> None:
        self._reactor = reactor
        self._taken = taken

    def _adopt(self, factory: IProtocolFactory) -> _SharedPort:
        kind = _SharedUnixPort if self._taken.family == socket.AF_UNIX else _SharedPort
        port = kind(self._taken, factory, self._reactor)
        port.startListening()
        return port

    def listenTCP(self, _port: int, factory: IProtocolFactory, **_: Any) -> _SharedPort:  # noqa: N802
        """As `IReactorTCP.listenTCP`."""
        return self._adopt(factory)

    def listenSSL(  # noqa: N802
        self, _port: int, factory: IProtocolFactory, context: Any = None, **named: Any
    ) -> _SharedPort:
        """As `IReactorSSL.listenSSL`."""
        # Only a port with TLS needs it: see `rangedaemon.server.sparing`.
        from rangedaemon.server.bulktls import over_tls  # noqa: PLC0415

        context = named.get("contextFactory", context)
        return self._adopt(over_tls(context, factory))

    def listenUNIX(self, _address: str, factory: IProtocolFactory, **_: Any) -> _SharedPort:  # noqa: N802
        """As `IReactorUNIX.listenUNIX`."""
        return self._adopt(factory)


def adopt(
    reactor: Any, description: str, taken: socket.socket, factory: IProtocolFactory
) -> Deferred[IListeningPort]:
    """
    Serve at *taken* what the endpoint *description* stands for, with *factory*.

    The port that comes of it is to be told to `stopReading`, not to stop listening.
    """
    adopter = _Adopter(reactor, taken)
    if description.startswith("systemd:"):
        # It names a socket by its place in the environment of the one who was given it.
        description = "tcp:0"
    listening: Deferred[IListeningPort] = serverFromString(adopter, description).listen(factory)
    return listening
