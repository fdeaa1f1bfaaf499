"""Tests for `rangedaemon.client.tls`: both ends in memory, octets carried by hand."""

from __future__ import annotations

import os
import ssl
from hashlib import sha256
from types import SimpleNamespace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.tls import Link, TLSEndpoint
from rangedaemon.client.trust import context_of
from rangedaemon.core.access import TlsTerms
from rangedaemon.errors import Untrusted
from rangedaemon.storage.lanes import MOST, Hauled, Lanes, Store
from tests.client.certificates import write_certificate
from tests.client.world import scratch

HOST = "origin.test"


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


class Line(StringTransport):
    """A TCP transport in memory."""

    def __init__(self) -> None:
        super().__init__()
        self.socket = SimpleNamespace(fileno=lambda: -1)

    def doRead(self) -> None:
        """What a hauler would take the place of."""


class Inner:
    """An endpoint whose connection is there at once."""

    def __init__(self) -> None:
        self.line = Line()
        self.link: Any = None

    def connect(self, factory: Factory) -> Deferred[Any]:
        """As `IStreamClientEndpoint`."""
        self.link = factory.buildProtocol(None)
        self.link.makeConnection(self.line)
        return succeed(self.link)


class Server:
    """The other end."""

    def __init__(self, pem: str) -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(pem)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=True)
        self.shaken = False
        self.alert: str | None = None

    def take(self, octets: bytes) -> bytes:
        """Go on with the handshake; what is to be sent back."""
        self.incoming.write(octets)
        if not self.shaken:
            try:
                self.tls.do_handshake()
                self.shaken = True
            except ssl.SSLError as error:
                self.alert = error.reason  # that more is needed, or that the client refused
        return self.outgoing.read()

    def say(self, octets: bytes) -> bytes:
        """The records that carry *octets*."""
        while octets:
            octets = octets[self.tls.write(octets) :]
        return self.outgoing.read()

    def heard(self) -> bytes:
        """What came."""
        return self.tls.read(1 << 20)


class Shelf:
    """A store that keeps what it is given."""

    def __init__(self) -> None:
        self.put: list[tuple[int, bytes]] = []

    def write(self, offset: int, blocks: list[memoryview]) -> int:
        """As `Store.write`."""
        self.put.append((offset, b"".join(blocks)))
        return len(self.put[-1][1])


class LinkCase(SynchronousTestCase):
    """A client that connects to a server with a certificate."""

    def setUp(self) -> None:
        """Nobody has said anything."""
        self.pem = write_certificate(scratch(self) / "origin.pem", HOST)
        self.server = Server(str(self.pem))
        self.clock = Clock()
        self.above = Above()

    def connect(self, host: str = HOST, *, trust: bool = True, pins: Any = frozenset()) -> Any:
        """Begin; fires with the protocol."""
        self.inner = Inner()
        endpoint = TLSEndpoint(
            self.inner,  # type: ignore[arg-type]
            context_of(TlsTerms(ca_file=str(self.pem)) if trust else None),
            host,
            lanes=Lanes(self.clock),  # type: ignore[arg-type]
            clock=self.clock,  # type: ignore[arg-type]
            timeout=5,
            pins=pins,
        )
        return endpoint.connect(Factory.forProtocol(lambda: self.above))  # type: ignore[arg-type]

    def carry(self) -> None:
        """Bring to each end what the other said, until nobody says more."""
        while said := self.inner.line.value():
            self.inner.line.clear()
            answer = self.server.take(said)
            if answer:
                self.inner.link.dataReceived(answer)

    def connected(self, **options: Any) -> Link:
        """A link whose handshake is done."""
        done = self.connect(**options)
        self.carry()
        self.assertIs(self.successResultOf(done), self.above)
        link: Link = self.inner.link
        return link

    def own_pin(self) -> str:
        """The pin of the server's key."""
        key = load_pem_x509_certificate(self.pem.read_bytes()).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha256(der).hexdigest()


class HandshakeTests(LinkCase):
    """Whom we speak to."""

    def test_trusted(self) -> None:
        """With a certificate that is trusted the protocol is connected, after the handshake."""
        done = self.connect()
        self.assertIsNone(self.above.transport)
        self.carry()
        self.successResultOf(done)
        self.assertIs(self.above.transport, self.inner.link)

    def test_not_trusted(self) -> None:
        """One that nobody vouches for ends the connection before a request was sent."""
        done = self.connect(trust=False)
        self.carry()
        self.failureResultOf(done, ssl.SSLCertVerificationError)
        self.assertTrue(self.inner.line.disconnected)
        self.assertIsNone(self.above.transport)
        self.assertIn("UNKNOWN_CA", str(self.server.alert))

    def test_another_host(self) -> None:
        """One of another host is no better."""
        done = self.connect("elsewhere.test")
        self.carry()
        self.failureResultOf(done, ssl.SSLCertVerificationError)

    def test_pinned(self) -> None:
        """A pinned key is asked for beside all that."""
        self.connected(pins=frozenset({"00" * 32, self.own_pin()}))

    def test_not_pinned(self) -> None:
        """Another key than those that are pinned is refused, though it is trusted."""
        done = self.connect(pins=frozenset({"00" * 32}))
        self.carry()
        self.failureResultOf(done, Untrusted)
        self.assertTrue(self.inner.line.disconnected)

    def test_silence(self) -> None:
        """A peer that does not answer is given up after the time limit."""
        done = self.connect()
        self.clock.advance(5)
        self.failureResultOf(done)
        self.assertTrue(self.inner.line.disconnected)

    def test_not_tls(self) -> None:
        """A peer that speaks something else is told apart from one that is silent."""
        done = self.connect()
        self.inner.link.dataReceived(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.failureResultOf(done, ssl.SSLError)

    def test_lost(self) -> None:
        """A connection that ends meanwhile is told as lost."""
        done = self.connect()
        self.inner.link.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(done, ConnectionLost)


class ConversationTests(LinkCase):
    """What is said."""

    def test_to_us(self) -> None:
        """All records of one read are one block, however they are cut on the way."""
        link, octets = self.connected(), os.urandom(100_000)
        records = self.server.say(octets)
        link.dataReceived(records[:50_000])
        link.dataReceived(records[50_000:])
        self.assertEqual((self.above.octets, len(self.above.heard)), (octets, 2))

    def test_from_us(self) -> None:
        """What we write arrives, more than a record too."""
        link, octets = self.connected(), os.urandom(40_000)
        link.write(octets[:100])
        link.writeSequence([octets[100:20_000], octets[20_000:]])
        self.server.take(self.inner.line.value())
        heard = b""
        while len(heard) < len(octets):
            heard += self.server.heard()
        self.assertEqual(heard, octets)

    def test_peer_says_goodbye(self) -> None:
        """An end that the peer announced is a good end."""
        link = self.connected()
        with self.assertRaises(ssl.SSLWantReadError):
            self.server.tls.unwrap()
        link.dataReceived(self.server.outgoing.read())
        self.assertTrue(self.inner.line.disconnecting)
        link.connectionLost(Failure(ConnectionDone()))
        self.assertIsInstance(self.above.lost, ConnectionDone)

    def test_cut(self) -> None:
        """An end that was not announced may be somebody else's doing."""
        link = self.connected()
        link.connectionLost(Failure(ConnectionDone()))
        self.assertIsInstance(self.above.lost, ConnectionLost)

    def test_goodbye(self) -> None:
        """We announce our end."""
        link = self.connected()
        link.loseConnection()
        self.server.take(self.inner.line.value())
        self.assertEqual(self.server.heard(), b"")
        self.assertTrue(self.inner.line.disconnecting)

    def test_forged(self) -> None:
        """Octets that are not the peer's end the connection, and go nowhere."""
        link = self.connected()
        records = bytearray(self.server.say(b"x" * 1000))
        records[500] ^= 1
        link.dataReceived(bytes(records))
        self.assertEqual(self.above.heard, [])
        self.assertTrue(self.inner.line.disconnected)


class HaulTests(LinkCase):
    """Octets that are decrypted in a lane, straight into the file."""

    def setUp(self) -> None:
        """A pipe stands in for the socket."""
        super().setUp()
        self.reader, self.origin = os.pipe2(os.O_NONBLOCK)
        self.addCleanup(os.close, self.reader)
        self.addCleanup(os.close, self.origin)
        self.shelf = Shelf()

    def haul(self, link: Link, most: int = MOST) -> int:
        """One haul."""
        store: Store = self.shelf  # type: ignore[assignment]
        return link._haul(self.reader, store, 7, most)

    def test_hauled(self) -> None:
        """What the socket has is decrypted and put in its place."""
        link, octets = self.connected(), os.urandom(40_000)
        os.write(self.origin, self.server.say(octets))
        self.assertEqual(self.haul(link), 40_000)
        self.assertEqual(self.shelf.put, [(7, octets)])

    def test_parts_of_records(self) -> None:
        """A record that is not whole yet waits for its rest, in whichever way that comes."""
        link, octets = self.connected(), os.urandom(40_000)
        records = self.server.say(octets)
        os.write(self.origin, records[:30_000])
        count = self.haul(link)
        self.assertEqual(self.shelf.put, [(7, octets[:count])])
        link.dataReceived(records[30_000:])
        self.assertEqual(self.above.octets, octets[count:])

    def test_no_more_than_asked(self) -> None:
        """A haul reads no octets that it could not put away: the next answer stays where it is."""
        link, octets = self.connected(), os.urandom(40_000)
        os.write(self.origin, self.server.say(octets + b"HTTP/1.1 200 OK"))
        count = self.haul(link, 40_000)
        self.assertLessEqual(count, 40_000)
        link.dataReceived(os.read(self.reader, 1 << 20))
        self.assertEqual(octets[:count] + self.above.octets, octets + b"HTTP/1.1 200 OK")

    def test_told(self) -> None:
        """The parser hears of what was hauled, then of what is still to be decrypted."""
        link = self.connected()
        link._hauled(Hauled(5))
        self.assertEqual([len(heard) for heard in self.above.heard], [5])

    def test_forged(self) -> None:
        """Octets that are not the peer's are put nowhere, and end the connection."""
        link = self.connected()
        records = bytearray(self.server.say(b"x" * 1000))
        records[500] ^= 1
        os.write(self.origin, records)
        self.assertEqual((self.haul(link), self.shelf.put), (0, []))
        link._hauled(Hauled(0))
        self.assertEqual((self.above.heard, self.inner.line.disconnected), ([], True))
