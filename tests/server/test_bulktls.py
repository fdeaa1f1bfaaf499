"""Tests for `rangedaemon.server.bulktls`: TLS that is set up for large answers."""

from __future__ import annotations

import contextlib
from pathlib import Path

from OpenSSL import SSL
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions, PrivateCertificate
from twisted.internet.testing import MemoryReactor
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.server.bulktls import encrypting_blocks, over_tls, release_buffers
from rangedaemon.server.listening import Listener
from tests.integration.nginx import make_certificate

_PARTIAL_WRITE = 1


class OverTlsTests(SynchronousTestCase):
    """What a TLS port is given."""

    def test_whole_writes(self) -> None:
        """A context of Twisted's encrypts all that it is given; other modes stay."""
        usual = CertificateOptions().getContext().set_mode(0)
        ours = encrypting_blocks(CertificateOptions()).getContext().set_mode(0)
        self.assertTrue(usual & _PARTIAL_WRITE)
        self.assertEqual(ours, usual & ~_PARTIAL_WRITE)
        self.assertTrue(ours & SSL.MODE_RELEASE_BUFFERS)

    def test_other_makers(self) -> None:
        """What makes connections in a way of its own is left alone."""

        class Maker:
            _contextFactory = None

        maker = Maker()
        self.assertIs(encrypting_blocks(maker), maker)
        self.assertIsNone(maker._contextFactory)

    def test_nothing_is_gathered(self) -> None:
        """Connections write what they are given at once."""
        factory = over_tls(CertificateOptions(), Factory())
        self.assertIs(factory.protocol, TLSMemoryBIOProtocol)

    def test_listening(self) -> None:
        """An endpoint's TLS port is such a one, where and as the endpoint says."""
        reactor = MemoryReactor()
        site = Factory()
        Listener(reactor).listenSSL(443, site, CertificateOptions(), backlog=9, interface="::1")
        ((port, factory, backlog, interface),) = reactor.tcpServers
        self.assertEqual((port, backlog, interface), (443, 9, "::1"))
        self.assertIs(factory.wrappedFactory, site)
        self.assertIs(factory.protocol, TLSMemoryBIOProtocol)


class ReleaseOutputTests(SynchronousTestCase):
    """What becomes of the buffer that records are written to."""

    def setUp(self) -> None:
        """Both ends of a connection that is in use."""
        place = Path(self.mktemp())
        place.mkdir()
        make_certificate(place)
        pems = [(place / f"{name}.pem").read_bytes() for name in ("key", "cert")]
        context = PrivateCertificate.loadPEM(b"".join(pems)).options()
        self.server = SSL.Connection(encrypting_blocks(context).getContext(), None)
        self.flushWarnings()  # Twisted asks pyOpenSSL the old way
        self.server.set_accept_state()
        self.client = SSL.Connection(SSL.Context(SSL.TLS_CLIENT_METHOD), None)
        self.client.set_connect_state()
        for _ in range(3):
            for one, other in ((self.client, self.server), (self.server, self.client)):
                with contextlib.suppress(SSL.WantReadError):
                    one.do_handshake()
                with contextlib.suppress(SSL.WantReadError):
                    other.bio_write(one.bio_read(1 << 16))
        self.buffer = self.server._from_ssl

    def received(self) -> bytes:
        """All that the client has been sent."""
        octets = b""
        with contextlib.suppress(SSL.WantReadError):
            while True:
                self.client.bio_write(self.server.bio_read(1 << 14))
        with contextlib.suppress(SSL.WantReadError):
            while True:
                octets += self.client.recv(1 << 14)
        return octets

    def test_goes_on(self) -> None:
        """It is another one from then on, and nothing is lost before or after."""
        for number in range(3):
            block = bytes([number]) * 70_000
            self.server.send(block)
            self.assertEqual(self.received(), block)
            former = self.server._from_ssl
            release_buffers(self.server)
            self.assertNotEqual(self.server._from_ssl, former)

    def test_hears_on(self) -> None:
        """What the other side sends still comes, in whichever pieces; by another one, too."""
        former = self.server._into_ssl
        release_buffers(self.server)
        self.assertNotEqual(self.server._into_ssl, former)
        self.client.send(b"hello")
        record = self.client.bio_read(1 << 14)
        self.server.bio_write(record[:9])
        with self.assertRaises(SSL.WantReadError):
            self.server.recv(100)
        release_buffers(self.server)
        self.server.bio_write(record[9:])
        self.assertEqual(self.server.recv(100), b"hello")

    def test_not_heard_yet(self) -> None:
        """What has come and was not read yet is not lost."""
        self.client.send(b"hello")
        self.server.bio_write(self.client.bio_read(1 << 14))
        former = self.server._into_ssl
        release_buffers(self.server)
        self.assertEqual(self.server._into_ssl, former)
        self.assertEqual(self.server.recv(100), b"hello")

    def test_records_in_it(self) -> None:
        """While there are records in it, it stays."""
        self.server.send(b"hello")
        release_buffers(self.server)
        self.assertEqual(self.server._from_ssl, self.buffer)
        self.assertEqual(self.received(), b"hello")
