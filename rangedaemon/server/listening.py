"""
How endpoints listen, where Twisted's way is not right for a file server.

TLS is set up for large answers (`rangedaemon.server.bulktls`), and a Unix socket that
somebody handed over, as systemd does, keeps its permissions, and its file when we stop.
"""

from __future__ import annotations

import socket
from typing import Any

from twisted.internet.interfaces import IListeningPort, IProtocolFactory

from rangedaemon.server.adoption import GivenUnixPort


def has_certificate(description: str) -> bool:
    """Whether the endpoint of this description has a certificate that can be read anew."""
    return description.startswith("ssl:")


class Listener:
    """Stands in for the reactor where an endpoint listens."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor

    def __getattr__(self, name: str) -> Any:
        """All else is the reactor's."""
        return getattr(self._reactor, name)

    def listenSSL(  # noqa: N802
        self, port: int, factory: IProtocolFactory, contextFactory: Any, **named: Any
    ) -> IListeningPort:
        """As `IReactorSSL.listenSSL`."""
        # Only a port with TLS needs it: see `rangedaemon.server.sparing`.
        from rangedaemon.server.bulktls import over_tls  # noqa: PLC0415

        listening: IListeningPort = self._reactor.listenTCP(
            port, over_tls(contextFactory, factory), **named
        )
        return listening

    def adoptStreamPort(  # noqa: N802
        self, descriptor: int, family: int, factory: IProtocolFactory
    ) -> IListeningPort:
        """As `IReactorSocket.adoptStreamPort`."""
        if family != socket.AF_UNIX:
            adopted: IListeningPort = self._reactor.adoptStreamPort(descriptor, family, factory)
            return adopted
        given = socket.fromfd(descriptor, family, socket.SOCK_STREAM)
        port = GivenUnixPort(given, factory, self._reactor)
        port.startListening()
        return port
