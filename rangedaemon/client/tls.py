"""
TLS towards origins (RFC 8446), made for reading much.

A TLS record holds 16 KiB at most, so a body of one GiB is 65,536 of them, and what is
done for each counts.  Here that is one call into OpenSSL, by the standard library's
objects, whose calls cost a tenth of pyOpenSSL's.  What one read of the socket brought goes
up as one block; bodies are decrypted in lanes (`rangedaemon.storage.lanes`) and written from there.

A connection is handed over only when its handshake is done, so a certificate that is
refused is the fault of connecting, told in OpenSSL's words.
"""

from __future__ import annotations

import os
import ssl
from contextlib import suppress
from threading import Lock
from typing import Any, Final, cast

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

from rangedaemon.client.trust import pin_of
from rangedaemon.errors import Untrusted
from rangedaemon.storage.lanes import PIECE, Hauled, Hauler, Lanes, Store, hauled_by

RECORD: Final = 16 * 1024
"""Octets that one record may hold (RFC 8446, 5.1)."""
SCRATCH: Final = 256 * 1024
"""Octets that are handed up in one block, at most."""
SEALED: Final = 256 * 1024
"""Octets that a lane reads at once."""


class Session:
    """The TLS of one connection, without the connection; one thread at a time is in it."""

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        """:param host: the name or address that the certificate must be for."""
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=host)
        self._lock = Lock()
        self.secured = False
        """Whether the handshake is done."""
        self.ended = False
        """Whether the peer said that it sends no more (close_notify)."""

    def shake(self) -> None:
        """Take the handshake on as far as what was fed goes.

        :raises ssl.SSLError: it failed.
        """
        try:
            self._tls.do_handshake()
        except ssl.SSLWantReadError:
            return
        self.secured = True

    def shows_one_of(self, pins: frozenset[str]) -> bool:
        """Whether the peer's key is one of *pins*; no pins: any key will do."""
        certificate = self._tls.getpeercert(binary_form=True)
        return not pins or (certificate is not None and pin_of(certificate) in pins)

    def feed(self, data: bytes | memoryview) -> None:
        """The connection brought *data*."""
        with self._lock:
            self._incoming.write(data)

    def decrypt(self, view: memoryview) -> int:
        """Put octets of the peer's that were fed whole into *view*; how many; 0: none are left.

        :raises ssl.SSLError: what was fed is not the peer's.
        """
        filled, most = 0, len(view)
        with self._lock, suppress(ssl.SSLWantReadError):
            while filled < most:
                # Given a buffer, the standard library's read answers with a count.
                count: Any = self._tls.read(min(RECORD, most - filled), view[filled:])
                if count == 0:
                    self.ended = True
                    break
                filled += count
        return filled

    def encrypt(self, data: bytes) -> None:
        """Make records of *data*, for `taken`."""
        left = memoryview(data)
        with self._lock:
            while left:
                left = left[self._tls.write(left) :]

    def close(self) -> None:
        """Make the record that says that we send no more, for `taken`."""
        with self._lock, suppress(ssl.SSLError):
            # It raises, for the peer's own such record is not there yet; nobody waits for it.
            self._tls.unwrap()

    def taken(self) -> bytes:
        """What has to be sent now."""
        return self._outgoing.read()


class Link(ProtocolWrapper):
    """Between the transport of one connection and the protocol that speaks over TLS."""

    def __init__(
        self, factory: Any, wrapped: IProtocol, session: Session, lanes: Lanes, pins: frozenset[str]
    ) -> None:
        super().__init__(factory, wrapped)
        self.hauler: Hauler | None = None
        self.secured: Deferred[IProtocol] = Deferred(lambda _: self.abortConnection())
        """Fires with the protocol when the handshake is done."""
        self._session = session
        self._lanes = lanes
        self._pins = pins
        self._line: Any = None

    def makeConnection(self, transport: Any) -> None:
        """The connection is there: begin the handshake."""
        directlyProvides(self, providedBy(transport))
        self.transport = self._line = transport
        self._shake()

    def dataReceived(self, data: bytes) -> None:
        """The connection brought records, or parts of them."""
        self._session.feed(data)
        if not self._session.secured:
            self._shake()
        if self._session.secured:
            self._hand_up()

    def _shake(self) -> None:
        try:
            self._session.shake()
        except ssl.SSLError as error:
            self._flush()  # the alert that tells the peer why
            self._fail(error)
            return
        self._flush()
        if not self._session.secured:
            return
        if not self._session.shows_one_of(self._pins):
            self._fail(Untrusted("the host's public key is none of those pinned"))
        else:
            self.hauler = hauled_by(self._line, self._lanes, self._haul, self._hauled)
            self.wrappedProtocol.makeConnection(cast("ITransport", self))
            self.secured.callback(self.wrappedProtocol)

    def _hand_up(self) -> None:
        """Hand up all that was fed and not hauled."""
        _, view = self._lanes.gear.rooms(SEALED)
        try:
            while count := self._session.decrypt(view[:SCRATCH]):
                self.wrappedProtocol.dataReceived(bytes(view[:count]))
        except ssl.SSLError as error:
            self._fail(error)
            return
        self._flush()
        if self._session.ended:
            self._line.loseConnection()

    def _haul(self, fd: int, store: Store, offset: int, most: int) -> int:
        """Decrypt what *fd* has into *store*: a `lanes.Move`.

        Never reads more than can be put away: a record's octets are fewer than the
        octets that it came in.

        :raises StorageFault: they could not be written.
        """
        moved = 0
        while count := self._haul_piece(fd, store, offset + moved, min(most - moved, PIECE)):
            moved += count
        return moved

    def _haul_piece(self, fd: int, store: Store, offset: int, most: int) -> int:
        sealed, opened = self._lanes.gear.rooms(SEALED)
        held = 0
        with suppress(OSError):  # nothing more is there; a broken session tells the next read
            while most - held > RECORD:
                count = os.readv(fd, [sealed[: most - held]])
                if count == 0:
                    break
                self._session.feed(sealed[:count])
                held += self._session.decrypt(opened[held:most])
        return store.write(offset, [opened[:held]]) if held else 0

    def _hauled(self, octets: Hauled) -> None:
        if octets:
            self.wrappedProtocol.dataReceived(octets)  # type: ignore[arg-type]
        self._hand_up()

    def _fail(self, error: Exception) -> None:
        if not self.secured.called:
            self.secured.errback(error)
        self.abortConnection()

    def _flush(self) -> None:
        records = self._session.taken()
        if records:
            self._line.write(records)

    def write(self, data: bytes) -> None:
        """Send *data*."""
        self._session.encrypt(data)
        self._flush()

    def writeSequence(self, data: Any) -> None:
        """Send all of *data*."""
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Send what was written, say that no more comes, and close."""
        if self._session.secured:
            self._session.close()
            self._flush()
        self._line.loseConnection()

    def abortConnection(self) -> None:
        """Close at once."""
        self._line.abortConnection()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone; only where the peer said so is that a good end."""
        cause = reason.value
        if isinstance(cause, ConnectionDone) and not self._session.ended:
            cause = ConnectionLost("the TLS connection was cut")
        if self._session.secured:
            self.wrappedProtocol.connectionLost(Failure(cause))
        elif not self.secured.called:
            self.secured.errback(cause)


class _Linking(WrappingFactory[Link]):
    noisy = False

    def __init__(
        self, wrapped: IProtocolFactory, session: Session, lanes: Lanes, pins: frozenset[str]
    ) -> None:
        super().__init__(wrapped)  # type: ignore[no-untyped-call]
        self._session = session
        self._lanes = lanes
        self._pins = pins

    def buildProtocol(self, addr: Any) -> Link:
        return Link(
            self, self.wrappedFactory.buildProtocol(addr), self._session, self._lanes, self._pins
        )


@implementer(IStreamClientEndpoint)
class TLSEndpoint:
    """TLS over the connections of another endpoint."""

    def __init__(
        self,
        inner: IStreamClientEndpoint,
        context: ssl.SSLContext,
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
        self._context = context
        self._host = host
        self._lanes = lanes
        self._clock = clock
        self._timeout = timeout
        self._pins = pins

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect and shake hands.

        :raises ssl.SSLError: the handshake failed; `ssl.SSLCertVerificationError`: the
            certificate is not trusted, or for another host; `Untrusted`: its key is
            none of those that are pinned.
        """
        session = Session(self._context, self._host)
        connected = self._inner.connect(_Linking(factory, session, self._lanes, self._pins))
        return connected.addCallback(self._shaken)

    def _shaken(self, link: Any) -> Deferred[IProtocol]:
        secured: Deferred[IProtocol] = link.secured
        return secured.addTimeout(self._timeout, self._clock)
