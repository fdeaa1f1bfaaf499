"""
TLS towards origins (RFC 8446), made for reading much.

A connection is handed over only when its handshake is done, so a certificate that is
refused is the fault of connecting, told in OpenSSL's words.  From then on the session is
the socket of the transport (`rangedaemon.client.session`), and bodies are decrypted in
lanes (`rangedaemon.storage.lanes`), straight from the socket, and written from there.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass
from typing import Any, Final, cast

from OpenSSL import SSL
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
    ITransport,
)
from twisted.internet.protocol import connectionDone
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from rangedaemon.client.session import LEAST_ROOM, RECORD, Session
from rangedaemon.errors import Untrusted
from rangedaemon.storage.lanes import Hauled, Hauler, Lanes, Store, hauled_by

_CUT: Final = "the TLS connection was cut"


@dataclass(frozen=True, slots=True)
class _Terms:
    """What connections of one endpoint have in common."""

    context: SSL.Context
    host: str
    pins: frozenset[str]
    lanes: Lanes


class Link(ProtocolWrapper):
    """Between the transport of one connection and the protocol that speaks over TLS."""

    def __init__(self, factory: Any, wrapped: IProtocol, terms: _Terms) -> None:
        super().__init__(factory, wrapped)
        self.hauler: Hauler | None = None
        self.secured: Deferred[IProtocol] = Deferred(lambda _: self.abortConnection())
        """Fires with the protocol when the handshake is done."""
        self._terms = terms
        self._line: Any = None
        self._session: Any = None

    def makeConnection(self, transport: Any) -> None:
        """The connection is there: begin the handshake."""
        directlyProvides(self, providedBy(transport))
        self.transport = self._line = transport
        terms = self._terms
        try:
            self._session = Session(terms.context, transport, terms.host)
        except (OSError, ValueError) as error:
            self._fail(error)
            return
        transport.socket = self._session
        transport.doRead = transport.doWrite = self._shake
        self._shake()

    def _shake(self) -> None:
        """Take the handshake on: in place of the connection's own ``doRead`` and ``doWrite``."""
        try:
            self._session.shake()
        except ssl.SSLWantReadError:
            self._line.stopWriting()
        except ssl.SSLWantWriteError:
            self._line.startWriting()
        except OSError as error:
            self._fail(error)
        else:
            self._shaken()

    def _shaken(self) -> None:
        if not self._session.shows_one_of(self._terms.pins):
            self._fail(Untrusted("the host's public key is none of those pinned"))
            return
        del self._line.doRead, self._line.doWrite
        self.hauler = hauled_by(self._line, self._terms.lanes, self._haul, self._hauled, RECORD)
        self.wrappedProtocol.makeConnection(cast("ITransport", self))
        self.secured.callback(self.wrappedProtocol)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, ssl.SSLEOFError):
            error = ConnectionLost(_CUT)
        if not self.secured.called:
            self.secured.errback(error)
        self.abortConnection()

    def dataReceived(self, data: bytes) -> None:
        """The peer sent *data*."""
        if self.hauler is None:
            self._fail(ssl.SSLError("the peer spoke before it was asked for a handshake"))
            return
        self.wrappedProtocol.dataReceived(data)
        self._look()

    def _look(self) -> None:
        """Whether that was all: no readiness of the socket need tell it again."""
        if self._session.fault is not None:
            self.abortConnection()
        elif self._session.ended:
            self._line.loseConnection()
        else:
            self._session.see_to_answers()

    def _haul(self, _fd: int, store: Store, offset: int, most: int) -> int:
        """Decrypt what the socket has into *store*: a `lanes.Move`.

        Never reads more than can be put away.

        :raises StorageFault: they could not be written.
        """
        gear, moved = self._terms.lanes.gear, 0
        behind, in_time = gear.behind(), gear.in_time()
        try:
            while in_time():
                room = behind.room()[: most - moved]
                count = self._session.read_into(room)
                if count == 0:
                    break
                more = len(room) - count < 2 * LEAST_ROOM
                behind.write(store.write, offset + moved, room[:count], more=more)
                moved += count
        finally:
            behind.finish()
        return moved

    def _hauled(self, octets: Hauled) -> None:
        if octets:
            self.wrappedProtocol.dataReceived(octets)  # type: ignore[arg-type]
        self._look()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone; only where the peer said so is that a good end."""
        cause = reason.value
        if isinstance(cause, ConnectionDone) and not (self._session and self._session.ended):
            cause = ConnectionLost(_CUT)
        if self.hauler is not None:
            self.wrappedProtocol.connectionLost(Failure(cause))
        elif not self.secured.called:
            self.secured.errback(cause)


class _Linking(WrappingFactory[Link]):
    noisy = False

    def __init__(self, wrapped: IProtocolFactory, terms: _Terms) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self._terms = terms

    def buildProtocol(self, addr: Any) -> Link:
        return Link(self, self.wrappedFactory.buildProtocol(addr), self._terms)


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """TLS over the connections of another endpoint."""

    def __init__(
        self,
        inner: IStreamClientEndpoint,
        context: SSL.Context,
        host: str,
        *,
        lanes: Lanes,
        clock: IReactorTime,
        timeout: float,
        pins: frozenset[str] = frozenset(),
    ) -> None:
        """
        :param timeout: seconds for the handshake.
        :param pins: the keys one of which the host must have; none: any will do.
        """
        self._inner = inner
        self._terms = _Terms(context, host, pins, lanes)
        self._clock = clock
        self._timeout = timeout

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect and shake hands.

        :raises ssl.SSLError: the handshake failed; `ssl.SSLCertVerificationError`: the
            certificate is not trusted, or for another host; `Untrusted`: its key is
            none of those that are pinned.
        """
        connected = self._inner.connect(_Linking(factory, self._terms))
        return connected.addCallback(self._shaken)

    def _shaken(self, link: Any) -> Deferred[IProtocol]:
        secured: Deferred[IProtocol] = link.secured
        return secured.addTimeout(self._timeout, self._clock)
