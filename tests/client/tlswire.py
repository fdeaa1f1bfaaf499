"""Both ends of TLS: a socket pair, Twisted's own transport, and the peer's TLS by hand."""

from __future__ import annotations

import select
import socket
import ssl
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.tcp import Connection
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.tls import Link, TLSEndpoint
from rangedaemon.client.trust import context_of
from rangedaemon.core.access import TlsTerms
from rangedaemon.storage.lanes import Lanes
from tests.client.certificates import write_certificate
from tests.client.world import scratch

HOST = "origin.test"
MOST = 1 << 20


class Above(Protocol):
    """The protocol that speaks over TLS; keeps what it hears."""

    def __init__(self) -> None:
        self.heard: list[Any] = []
        self.lost: BaseException | None = None

    def dataReceived(self, data: Any) -> None:
        """Octets, or what stands for them."""
        self.heard.append(data)

    def connectionLost(self, reason: Failure = Failure(ConnectionDone())) -> None:  # noqa: B008
        """The end."""
        self.lost = reason.value

    @property
    def octets(self) -> bytes:
        """What it heard."""
        return b"".join(self.heard)


class Server:
    """The other end: its TLS, in memory, and its socket."""

    def __init__(self, pem: str, line: socket.socket) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.line = line
        self.shaken = False
        self.alert: str | None = None

    def turn(self) -> None:
        """Take what came; go on with the handshake, and answer."""
        try:
            while octets := self.line.recv(MOST):
                self.incoming.write(octets)
        except OSError:  # no more is there, or the client has hung up
            pass
        if not self.shaken:
            try:
                self.tls.do_handshake()
                self.shaken = True
            except ssl.SSLError as error:
                self.alert = error.reason or self.alert  # it may just need more
        self.send(self.outgoing.read())

    def send(self, records: bytes) -> None:
        """Send *records*, if there is anybody."""
        with suppress(BrokenPipeError):
            self.line.sendall(records)

    def records(self, octets: bytes) -> bytes:
        """The records that carry *octets*."""
        while octets:
            octets = octets[self.tls.write(octets) :]
        return self.outgoing.read()

    def say(self, octets: bytes) -> None:
        """Send *octets*."""
        self.send(self.records(octets))

    def goodbye(self) -> bytes:
        """The record that says that nothing follows."""
        try:
            self.tls.unwrap()
        except ssl.SSLWantReadError:
            return self.outgoing.read()
        raise AssertionError("the client has said goodbye already")

    def heard(self) -> bytes:
        """What came; nothing where the client has said goodbye."""
        self.turn()
        heard = b""
        try:
            while octets := self.tls.read(MOST):
                heard += octets
        except ssl.SSLWantReadError:
            pass
        return heard


class Inner:
    """An endpoint whose connection is there at once."""

    def __init__(self, ours: socket.socket, reactor: MemoryReactorClock) -> None:
        self._ours, self._reactor = ours, reactor
        self.link: Any = None
        self.line: Any = None

    def connect(self, factory: Factory) -> Deferred[Any]:
        """As `IStreamClientEndpoint`."""
        self.link = factory.buildProtocol(None)
        self.line = Connection(self._ours, self.link, self._reactor)  # type: ignore[arg-type]
        self.line.connected = 1
        self.line.startReading()
        self.link.makeConnection(self.line)
        return succeed(self.link)


class LinkCase(SynchronousTestCase):
    """A client that connects to a server with a certificate."""

    def setUp(self) -> None:
        """Nobody has said anything."""
        self.pem = write_certificate(scratch(self) / "origin.pem", HOST)
        ours, theirs = socket.socketpair()
        theirs.setblocking(False)
        self.addCleanup(ours.close)
        self.addCleanup(theirs.close)
        self.server = Server(str(self.pem), theirs)
        self.reactor = MemoryReactorClock()
        self.inner = Inner(ours, self.reactor)
        self.above = Above()

    def connect(self, host: str = HOST, *, trust: bool = True, pins: Any = frozenset()) -> Any:
        """Begin; fires with the protocol."""
        endpoint = TLSEndpoint(
            self.inner,  # type: ignore[arg-type]
            context_of(TlsTerms(ca_file=str(self.pem)) if trust else None),
            host,
            lanes=Lanes(self.reactor),
            clock=self.reactor,
            timeout=5,
            pins=pins,
        )
        self.addCleanup(lambda: self.inner.line.connected and self.hang_up())
        return endpoint.connect(Factory.forProtocol(lambda: self.above))  # type: ignore[arg-type]

    def hang_up(self) -> None:
        """Close our end."""
        self.inner.line.abortConnection()
        self.reactor.advance(0)

    def turn(self) -> bool:
        """What a reactor does with one connection in one turn; whether there was anything."""
        line = self.inner.line
        ends = None
        readable, writable, _ = (
            select.select([line], [line], [], 0) if line.connected else ([], [], [])
        )
        writing = bool(writable) and line in self.reactor.getWriters()
        reading = bool(readable) and line in self.reactor.getReaders()
        if writing:
            ends = line.doWrite()
        if reading and ends is None:
            ends = line.doRead()
        if ends is not None:
            line.connectionLost(Failure(ends))
        self.reactor.advance(0)
        return writing or reading

    def turns(self) -> None:
        """Turns until there is nothing to do."""
        for _ in range(1000):
            if not self.turn():
                return
        self.fail("the connection is never done: it is told of, and does nothing")

    def carry(self) -> None:
        """Let both ends speak until neither says more."""
        for _ in range(10):
            self.turns()
            self.server.turn()

    def connected(self, **options: Any) -> Link:
        """A link whose handshake is done."""
        done = self.connect(**options)
        self.carry()
        self.assertIs(self.successResultOf(done), self.above)
        link: Link = self.inner.link
        return link

    @property
    def gone(self) -> bool:
        """Whether our end is closed."""
        return bool(self.inner.line.disconnected)
