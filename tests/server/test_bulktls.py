"""Tests for `rangedaemon.server.bulktls`: TLS that is set up for large answers."""

from __future__ import annotations

from OpenSSL import SSL
from twisted.internet.protocol import Factory
from twisted.internet.ssl import CertificateOptions
from twisted.internet.testing import MemoryReactor
from twisted.protocols.tls import TLSMemoryBIOProtocol
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.server.bulktls import encrypting_blocks, over_tls
from rangedaemon.server.listening import Listener

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
