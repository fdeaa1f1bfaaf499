"""A worker and the daemon's process in memory, with the socket between them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IAddress
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from rangedaemon.server.landing import Landing
from rangedaemon.server.mounts import Mount
from rangedaemon.server.relaying import Relay, Tunnel
from rangedaemon.server.site import build_site
from rangedaemon.storage.threads import inline
from tests.server.wire import WireTestCase

PATIENCE = 30.0
PEER = IPv4Address("TCP", "192.0.2.1", 49152)


class End(StringTransport):
    """One end of a Unix socket that holds nothing: who writes waits for who reads."""

    other: End
    protocol: Any
    secure = False

    def __init__(self) -> None:
        super().__init__()
        self.lost = False
        self._pending = b""

    def stand_for(self, peer: IAddress, *, secure: bool) -> None:
        """As `rangedaemon.server.landing.Line`."""
        self.peerAddr = peer
        self.secure = secure

    def write(self, data: bytes) -> None:
        if not self.lost:
            self.other.take(data)

    def writeSequence(self, data: Any) -> None:
        self.write(b"".join(data))

    def take(self, octets: bytes) -> None:
        """What the other one has written."""
        if self.producerState == "paused":
            self._pending += octets
        else:
            self.protocol.dataReceived(octets)

    def pauseProducing(self) -> None:
        super().pauseProducing()
        if self.other.producer is not None:
            self.other.producer.pauseProducing()

    def resumeProducing(self) -> None:
        super().resumeProducing()
        octets, self._pending = self._pending, b""
        if octets:
            self.protocol.dataReceived(octets)
        if self.producerState == "producing" and self.other.producer is not None:
            self.other.producer.resumeProducing()

    def loseConnection(self) -> None:
        if not self.lost:
            self.end()
            self.other.end()

    abortConnection = loseConnection

    def end(self) -> None:
        """The connection is over."""
        if not self.lost:
            self.lost = True
            self.protocol.connectionLost(Failure(ConnectionDone()))

    def loseWriteConnection(self) -> None:
        """Only the other side is to end."""
        self.other.protocol.readConnectionLost()


class MemoryRelay(Relay):
    """Leads to *target*, or as a test says."""

    def __init__(self, site: Any, target: Any) -> None:
        super().__init__(None, site)
        self.target = target
        self.opening: Deferred[Any] | None = None
        """What is still to connect, where nothing connects by itself."""
        self.tunnel: Tunnel
        self.near: End
        self.far: End
        self.lead(Path("/state/relay.sock"), PATIENCE)

    def connect(self, tunnel: Tunnel) -> Deferred[Any]:
        self.tunnel = tunnel
        if self.opening is not None:
            return self.opening
        self.join()
        return succeed(tunnel)

    def join(self) -> None:
        """Be connected."""
        self.near, self.far = End(), End()
        self.near.other, self.far.other = self.far, self.near
        self.near.protocol, self.far.protocol = self.tunnel, Landing(self.target)
        self.far.protocol.makeConnection(self.far)
        self.tunnel.makeConnection(self.near)


class RelayedMixin(WireTestCase):
    """Peers come to a worker, whose mount takes uploads elsewhere."""

    relay: MemoryRelay

    def serve(self, **options: Any) -> None:
        """Both processes."""
        super().serve(**options, uploads=True)
        self.worker = build_site(
            [Mount("/files", self.root, **options, uploads=True)],
            clock=self.clock, in_thread=inline, now=self.clock.seconds,
        )  # fmt: skip
        self.relay = MemoryRelay(self.worker, self.site)
        self.worker.protocol = self.relay.channel  # type: ignore[assignment]

    def connect(self) -> tuple[Any, StringTransport]:
        """A new connection to the worker."""
        site, self.site = self.site, self.worker
        try:
            return super().connect()
        finally:
            self.site = site
