"""
Whom to trust over TLS, who we are there, and which keys we know.

A pin is the SHA-256 of a public key (SPKI; RFC 7469 2.4) that the host's own certificate
must have.  It is asked for beside the usual checks, never in place of them, and before
a single octet of a request is sent.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IHandshakeListener,
    IOpenSSLClientConnectionCreator,
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.internet.ssl import (
    Certificate,
    PrivateCertificate,
    optionsForClientTLS,
    trustRootFromCertificates,
)
from twisted.python.failure import Failure
from twisted.web.iweb import IPolicyForHTTPS
from zope.interface import implementer

from rangedaemon.core.access import TlsTerms
from rangedaemon.errors import Unreachable, Untrusted

_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----", re.DOTALL)


def certificates_of(pem: bytes) -> list[Certificate]:
    """The certificates of a PEM file, in its order."""
    return [Certificate.loadPEM(found) for found in _CERTIFICATE.findall(pem)]


@implementer(IPolicyForHTTPS)
class Terms:
    """The policy of one `TlsTerms`; its files are read once, when this is made."""

    def __init__(self, terms: TlsTerms) -> None:
        """:raises OSError: a file cannot be read."""
        self._trusted: Any = None
        self._mine: PrivateCertificate | None = None
        self._above: list[Any] = []
        if terms.ca_file is not None:
            trusted = certificates_of(Path(terms.ca_file).read_bytes())
            self._trusted = trustRootFromCertificates(trusted)
        if terms.client_cert is not None:
            self._introduce(Path(terms.client_cert), Path(terms.client_key or terms.client_cert))

    def _introduce(self, certificate: Path, key: Path) -> None:
        chain = certificate.read_bytes()
        self._mine = PrivateCertificate.loadPEM(chain + b"\n" + key.read_bytes())
        self._above = [each.original for each in certificates_of(chain)[1:]]

    def creatorForNetloc(  # noqa: N802
        self,
        hostname: bytes,
        port: int,  # noqa: ARG002 - the same for every port
    ) -> IOpenSSLClientConnectionCreator:
        """As `IPolicyForHTTPS`."""
        return optionsForClientTLS(
            hostname.decode("ascii"),
            trustRoot=self._trusted,
            clientCertificate=self._mine,
            extraCertificateOptions={"extraCertChain": self._above} if self._above else None,
        )


def pin_of(certificate: Any) -> str:
    """The SHA-256 of a certificate's public key, hexadecimal."""
    key = certificate.to_cryptography().public_key()
    return sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()


@implementer(IHandshakeListener)
class _Pinned(Protocol):
    """Keeps the protocol above away until the peer has shown a key that we know."""

    def __init__(self, inner: IProtocol, pins: frozenset[str]) -> None:
        self.shown: Deferred[IProtocol] = Deferred(self._given_up)
        """Fires with the inner protocol when the key is known."""
        self._inner = inner
        self._pins = pins

    def makeConnection(self, transport: ITransport) -> None:
        """The connection is there, its handshake to come."""
        self.transport = transport

    def handshakeCompleted(self) -> None:
        """The peer's certificate is there, and trusted."""
        tls: Any = self.transport
        if self.shown.called:
            return
        if pin_of(tls.getPeerCertificate()) in self._pins:
            tls.wrappedProtocol = self._inner
            self._inner.makeConnection(tls)
            self.shown.callback(self._inner)
        else:
            self._abort()
            self.shown.errback(Untrusted("the host's public key is none of those pinned"))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """There was no handshake."""
        if not self.shown.called:
            self.shown.errback(reason)

    def _given_up(self, shown: Deferred[IProtocol]) -> None:
        self._abort()
        shown.errback(Unreachable("given up while TLS was set up"))

    def _abort(self) -> None:
        self.transport.abortConnection()  # type: ignore[union-attr]


class _Pinning(Factory):
    """Makes protocols that wait for a key."""

    noisy = False

    def __init__(self, inner: IProtocolFactory, pins: frozenset[str]) -> None:
        self._inner = inner
        self._pins = pins

    def buildProtocol(self, addr: Any) -> Any:
        """As `IProtocolFactory`."""
        inner = self._inner.buildProtocol(addr)
        return None if inner is None else _Pinned(inner, self._pins)


def _shown(pinned: _Pinned) -> Deferred[IProtocol]:
    return pinned.shown


@implementer(IStreamClientEndpoint)
class PinnedEndpoint:
    """TLS with a host whose keys are known beforehand."""

    def __init__(self, inner: IStreamClientEndpoint, pins: Iterable[str]) -> None:
        """:param inner: an endpoint of TLS connections."""
        self._inner = inner
        self._pins = frozenset(pins)

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and see the key.

        :raises Untrusted: it is none of the pinned ones.
        """
        connected: Deferred[Any] = self._inner.connect(_Pinning(factory, self._pins))
        return connected.addCallback(_shown)
