"""Tests for `rangedaemon.client.tls`: whom we speak to, and what is said."""

from __future__ import annotations

import os
import ssl
from hashlib import sha256

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509 import load_pem_x509_certificate
from twisted.internet.error import ConnectionDone, ConnectionLost

from rangedaemon.errors import Untrusted
from tests.client.tlswire import MOST, LinkCase


class HandshakeTests(LinkCase):
    """Whom we speak to."""

    def own_pin(self) -> str:
        """The pin of the server's key."""
        key = load_pem_x509_certificate(self.pem.read_bytes()).public_key()
        der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return sha256(der).hexdigest()

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
        self.assertTrue(self.gone)
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
        self.assertTrue(self.gone)

    def test_silence(self) -> None:
        """A peer that does not answer is given up after the time limit."""
        done = self.connect()
        self.turns()
        self.reactor.advance(5)
        self.failureResultOf(done)
        self.turns()
        self.assertTrue(self.gone)

    def test_not_tls(self) -> None:
        """A peer that speaks something else is told apart from one that is silent."""
        done = self.connect()
        self.server.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.turns()
        self.failureResultOf(done, ssl.SSLError)

    def test_spoke_first(self) -> None:
        """What a tunnel brought behind its greeting is no answer to what was not asked yet."""
        done = self.connect()
        self.inner.link.dataReceived(b"\x16\x03\x03")
        self.failureResultOf(done, ssl.SSLError)
        self.turns()
        self.assertTrue(self.gone)

    def test_lost(self) -> None:
        """A connection that ends meanwhile is told as lost."""
        done = self.connect()
        self.turns()
        self.server.line.recv(MOST)
        self.server.line.close()
        self.turns()
        self.failureResultOf(done, ConnectionLost)
        self.assertTrue(self.gone)

    def test_lost_before(self) -> None:
        """So is one that has ended before anything was said."""
        self.server.line.close()
        done = self.connect()
        self.turns()
        self.failureResultOf(done, OSError, ConnectionLost)
        self.assertTrue(self.gone)

    def test_full(self) -> None:
        """A socket that takes nothing yet only takes longer."""
        ours, before = self.inner._ours, 0
        ours.setblocking(False)
        while True:
            try:
                before += ours.send(bytes(65536))
            except BlockingIOError:
                break
        done = self.connect()
        self.turns()
        self.assertNoResult(done)
        while before:
            before -= len(self.server.line.recv(before))
        self.carry()
        self.successResultOf(done)


class ConversationTests(LinkCase):
    """What is said."""

    def test_to_us(self) -> None:
        """All whole records of one read are one block, however they are cut on the way."""
        self.connected()
        octets = os.urandom(100_000)
        records = self.server.records(octets)
        self.server.send(records[:50_000])
        self.turns()
        self.server.send(records[50_000:])
        self.turns()
        self.assertEqual((self.above.octets, len(self.above.heard)), (octets, 2))

    def test_drop_by_drop(self) -> None:
        """A record that comes in single octets is told when it is whole, and not before."""
        self.connected()
        for octet in self.server.records(b"drop by drop"):
            self.assertEqual(self.above.heard, [])
            self.server.send(bytes([octet]))
            self.turns()
        self.assertEqual(self.above.heard, [b"drop by drop"])

    def test_nothing_stays(self) -> None:
        """Whatever a read leaves, the socket tells of it: nothing waits inside of OpenSSL."""
        self.connected()
        octets = os.urandom(100_000)
        self.inner.line.bufferSize = 20_000
        self.server.say(octets)
        self.turns()
        self.assertEqual(self.above.octets, octets)
        self.assertGreater(len(self.above.heard), 4)

    def test_from_us(self) -> None:
        """What we write arrives, more than a record and than the socket takes at once too."""
        link, octets = self.connected(), os.urandom(2_000_000)
        link.write(octets[:100])
        link.writeSequence([octets[100:20_000], octets[20_000:]])
        heard = b""
        while len(heard) < len(octets):
            self.turns()
            came = self.server.heard()
            self.assertNotEqual(came, b"")
            heard += came
        self.assertEqual(heard, octets)

    def test_peer_says_goodbye(self) -> None:
        """An end that the peer announced is a good end, whether it hangs up or not."""
        self.connected()
        self.server.send(self.server.goodbye())
        self.turns()
        self.assertTrue(self.gone)
        self.assertIsInstance(self.above.lost, ConnectionDone)

    def test_last_words(self) -> None:
        """What came with the goodbye is told before it."""
        self.connected()
        self.server.send(self.server.records(b"so long") + self.server.goodbye())
        self.turns()
        self.assertEqual(self.above.heard, [b"so long"])
        self.assertIsInstance(self.above.lost, ConnectionDone)

    def test_cut(self) -> None:
        """An end that was not announced may be somebody else's doing."""
        self.connected()
        self.server.line.close()
        self.turns()
        self.assertIsInstance(self.above.lost, ConnectionLost)

    def test_cut_within(self) -> None:
        """So may one inside of a record, of which nothing is told."""
        self.connected()
        self.server.send(self.server.records(b"x" * 1000)[:500])
        self.server.line.close()
        self.turns()
        self.assertIsInstance(self.above.lost, ConnectionLost)
        self.assertEqual(self.above.heard, [])

    def test_reset(self) -> None:
        """A peer that hangs up on what we said has lost it."""
        link = self.connected()
        link.write(b"are you there?")
        self.turns()
        self.server.line.close()
        self.turns()
        self.assertIsInstance(self.above.lost, ConnectionLost)

    def test_goodbye(self) -> None:
        """We announce our end, after what was written before."""
        link = self.connected()
        link.write(b"so long")
        link.loseConnection()
        self.turns()
        self.assertTrue(self.gone)
        self.assertEqual(self.server.heard(), b"so long")
        self.assertEqual(self.server.tls.read(1), b"")

    def test_forged(self) -> None:
        """Octets that are not the peer's end the connection, and go nowhere."""
        self.connected()
        records = bytearray(self.server.records(b"x" * 1000))
        records[500] ^= 1
        self.server.send(bytes(records))
        self.turns()
        self.assertEqual(self.above.heard, [])
        self.assertTrue(self.gone)
        self.assertNotIsInstance(self.above.lost, ConnectionDone)

    def test_forged_behind(self) -> None:
        """What came before them is the peer's, and is told; then the connection ends."""
        self.connected()
        forged = bytearray(self.server.records(b"true") + self.server.records(b"x" * 1000))
        forged[-100] ^= 1
        self.server.send(bytes(forged))
        self.turns()
        self.assertEqual(self.above.heard, [b"true"])
        self.assertTrue(self.gone)
