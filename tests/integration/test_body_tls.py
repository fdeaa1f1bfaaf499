"""Bodies through TLS: the same as on plain sockets, by other ways."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable
from typing import Any

from twisted.internet.ssl import DefaultOpenSSLContextFactory
from twisted.internet.threads import deferToThread

from rangedaemon.server import body, tls
from rangedaemon.server.bulktls import over_tls
from rangedaemon.server.certificates import read_certificate
from rangedaemon.server.lanes import Peer, paced
from rangedaemon.server.pacing import Paces
from rangedaemon.storage.reading import read_into
from tests.integration import test_body as plain
from tests.integration.body_case import MIB, reactor
from tests.integration.nginx import make_certificate


class TlsMixin:
    """The same through TLS."""

    def listen(self) -> Any:
        """A port with a certificate of its own making."""
        make_certificate(self.root)  # type: ignore[attr-defined]
        names = [f"{self.root}/{name}.pem" for name in ("key", "cert")]  # type: ignore[attr-defined]
        options = DefaultOpenSSLContextFactory(*names)
        site = self.site  # type: ignore[attr-defined]
        return reactor.listenSSL(0, site, options, interface="127.0.0.1")

    def wrap(self, plain: socket.socket) -> socket.socket:
        """Encrypt, trusting anybody."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context.wrap_socket(plain)


class TlsWholeTests(TlsMixin, plain.WholeTests):
    """Whole bodies through TLS."""


class TlsMovingFileTests(TlsMixin, plain.MovingFileTests):
    """Moving files through TLS."""


class TlsPeerTests(TlsMixin, plain.PeerTests):
    """Unwilling peers through TLS."""


class BulkTlsMixin(TlsMixin):
    """The same through TLS as our own ports have it."""

    def listen(self) -> Any:
        """A port with what the endpoint of a configuration makes."""
        make_certificate(self.root)  # type: ignore[attr-defined]
        names = [f"{self.root}/{name}.pem" for name in ("key", "cert")]  # type: ignore[attr-defined]
        place = "ssl:0:interface=127.0.0.1:privateKey={}:certKey={}".format(*names)
        factory = over_tls(read_certificate(place), self.site)  # type: ignore[attr-defined]
        self.flushWarnings()  # type: ignore[attr-defined] # Twisted asks pyOpenSSL the old way
        return reactor.listenTCP(0, factory, interface="127.0.0.1")


class BulkTlsWholeTests(BulkTlsMixin, plain.WholeTests):
    """Whole bodies through our TLS."""


class BulkTlsMovingFileTests(BulkTlsMixin, plain.MovingFileTests):
    """Moving files through our TLS."""


class BulkTlsPeerTests(BulkTlsMixin, plain.PeerTests):
    """Unwilling peers of our TLS."""


class NoCacheMixin(BulkTlsMixin):
    """The same on a file system that does not say what is in memory."""

    def setUp(self) -> None:
        """Have it refuse, and count what is held to the pace."""
        super().setUp()
        self.counted = 0
        self.patch(tls, "read_cached_into", lambda *_: False)  # type: ignore[attr-defined]
        self.patch(tls, "paced", self._paced)  # type: ignore[attr-defined]
        self.patch(tls, "_PROVEN", MIB)  # type: ignore[attr-defined]

    def _paced(self, pace: Paces | None, peer: Peer, octets: int) -> Awaitable[None]:
        self.counted += octets
        return paced(pace, peer, octets)


class NoCacheWholeTests(NoCacheMixin, plain.WholeTests):
    """Whole bodies through our TLS from such a file system."""


class NoCacheMovingFileTests(NoCacheMixin, plain.MovingFileTests):
    """Moving files there."""


class NoCachePeerTests(NoCacheMixin, plain.PeerTests):
    """Unwilling peers there."""

    async def test_pace_counts_once(self) -> None:
        """What is held to a pace is each octet, and each once."""
        self.options["rate_limit"] = 20 * MIB
        self.assertEqual(await deferToThread(self.fetch), self.octets)
        self.assertEqual(self.counted, len(self.octets) - body.SMALL)


class InMemoryMixin(NoCacheMixin):
    """The same on one that is nothing but memory."""

    def setUp(self) -> None:
        """Say so, and count what is read at once."""
        super().setUp()
        self.direct = 0
        self.patch(tls, "lives_in_memory", lambda _fd: True)  # type: ignore[attr-defined]
        self.patch(tls, "read_into", self._read_into)  # type: ignore[attr-defined]

    def _read_into(self, fd: int, start: int, buffer: memoryview) -> bool:
        self.direct += len(buffer)
        return read_into(fd, start, buffer)


class InMemoryWholeTests(InMemoryMixin, plain.WholeTests):
    """Whole bodies through our TLS from memory."""

    async def test_without_threads(self) -> None:
        """All but the first octets is read by the reactor itself."""
        self.assertEqual(await deferToThread(self.fetch), self.octets)
        self.assertGreater(self.direct, len(self.octets) - MIB)


class InMemoryMovingFileTests(InMemoryMixin, plain.MovingFileTests):
    """Moving files there."""
