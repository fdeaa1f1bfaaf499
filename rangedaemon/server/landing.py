"""
Where connections arrive that workers carry: in the daemon's process, which owns the uploads.

A Unix socket that nobody but us can open.  A worker says first who its peer is, and
whether it came over TLS; nothing that a peer sends can say that.  Then the connection is
one of the site like any other (`rangedaemon.server.relaying` has the worker's side).
It ends with the first request that is of no upload: the next one finds a worker.
"""

from __future__ import annotations

import json
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from twisted.internet import unix
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IAddress, IListeningPort, ISSLTransport
from twisted.internet.protocol import Factory, Protocol
from zope.interface import alsoProvides

from rangedaemon.errors import StorageFault
from rangedaemon.server.channel import RangeChannel
from rangedaemon.server.relaying import TAKEN

_LONGEST: Final = 1024
"""Octets of what a worker says first."""
_LONGEST_PATH: Final = 100
"""Octets of a socket's path: 107 on Linux, 103 elsewhere."""
_WAITING: Final = 1024
"""Connections that may wait to be accepted."""


class Line(unix.Server):
    """A connection that a worker carries, with the address of the peer at its other end."""

    _peer: IAddress = UNIXAddress(None)

    def stand_for(self, peer: IAddress, *, secure: bool) -> None:
        """
        Be the connection of *peer*.

        :param secure: whether it came over TLS.
        """
        self._peer = peer
        if secure:
            alsoProvides(self, ISSLTransport)

    def getPeer(self) -> IAddress:  # noqa: N802
        """Who it is."""
        return self._peer

    def getPeerCertificate(self) -> None:  # noqa: N802
        """Peers show none."""


class _Port(unix.Port):
    transport = Line


class Landing(Protocol):
    """A connection whose peer is not known yet."""

    transport: Any

    def __init__(self, site: Any) -> None:
        """:param site: what it will be a connection of."""
        self._site = site
        self._begun = b""

    def dataReceived(self, data: bytes) -> None:
        """Who it is, and then what they say."""
        self._begun += data
        line, end, rest = self._begun.partition(b"\n")
        if end:
            self._land(json.loads(line), rest)
        elif len(line) > _LONGEST:
            self.transport.abortConnection()

    def _land(self, told: dict[str, Any], rest: bytes) -> None:
        transport = self.transport
        transport.write(TAKEN)
        peer = _address(told["peer"])
        transport.stand_for(peer, secure=told["secure"])
        protocol = self._site.buildProtocol(peer)
        if isinstance(protocol, RangeChannel):
            protocol.carried = True
        transport.protocol = protocol
        protocol.makeConnection(transport)
        protocol.dataReceived(rest)


class _Landings(Factory):
    noisy = False

    def __init__(self, site: Any) -> None:
        self._site = site

    def buildProtocol(self, _addr: IAddress | None) -> Landing:
        """A connection of a worker."""
        return Landing(self._site)


def _address(place: tuple[str, int] | None) -> IAddress:
    if place is None:
        return UNIXAddress(None)
    host, port = place
    return (IPv6Address if ":" in host else IPv4Address)("TCP", host, port)


def land_at(place: Path, site: Any, reactor: Any) -> IListeningPort:
    """
    Take at *place* what workers carry, as connections of *site*.

    :raises StorageFault: that cannot be done.
    """
    if len(os.fsencode(place)) > _LONGEST_PATH:
        raise StorageFault(
            f"{place} is too long for a socket's path: uploads with server.workers need a "
            "state_dir whose path is shorter"
        )
    _make_room(place)
    port = _Port(os.fsencode(place), _Landings(site), _WAITING, 0o600, reactor)
    try:
        port.startListening()  # type: ignore[no-untyped-call]
    except CannotListenError as error:
        why = getattr(error.socketError, "strerror", None) or error.socketError
        raise StorageFault(f"cannot listen at {place} for server.workers: {why}") from error
    return port


def _make_room(place: Path) -> None:
    """
    Remove the socket of one of us that was killed.

    :raises StorageFault: what is there is no socket.
    """
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(place.lstat().st_mode):
            raise StorageFault(f"{place} is in the way of a socket: move it elsewhere")
        place.unlink()
