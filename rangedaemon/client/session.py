"""
TLS on a socket (RFC 8446), in that socket's place in its transport.

To the transport this is a socket that does not block: what it sends is made into records,
what it receives was one.  OpenSSL reads records where the socket's octets were received, by
the megabyte: left alone with the socket it asks it twice for each record.

What was received is decrypted at once and put away, but for the part of a record that waits
for its rest in OpenSSL.  So nothing is left that the socket would not tell of, and the place
for what is received can be one for all connections.
"""

from __future__ import annotations

import errno
import ssl
import threading
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import Any, Final

from OpenSSL import SSL
from OpenSSL._util import ffi, lib

from rangedaemon.client.trust import insist_on, pin_of, refusal_of, shown_by, words_of

RECORD: Final = 16 * 1024
"""Octets that one record may hold (RFC 8446, 5.1)."""
LEAST_ROOM: Final = 2 * RECORD
"""Octets that there must be room for where something is to be read."""
_MOST: Final = 1024 * 1024
"""Octets that are received at once."""
_SENT_AT_ONCE: Final = 8 * RECORD
_HEADER: Final = 5
"""Octets before each record, which tell its length in the last two (RFC 8446, 5.1)."""


@cache
def _room() -> memoryview:
    """Where the reactor thread receives; nothing stays in it between turns."""
    return memoryview(bytearray(17 * RECORD))


class _Received(threading.local):
    """Where a thread receives records; nothing is of use in it between two reads."""

    def __init__(self) -> None:
        self.octets = memoryview(bytearray(_MOST))
        self.address = ffi.from_buffer(self.octets)


_received = _Received()


class Session:
    """The TLS of one connection; one thread at a time is in it."""

    def __init__(self, context: SSL.Context, line: Any, host: str) -> None:
        """
        :param line: the TCP transport; its socket stays what it asks for readiness.
        :param host: the name or address that the certificate must be for.
        :raises ssl.SSLError: no certificate can be for that.
        """
        self._line = line
        self._socket = line.socket
        self._host = host
        self._tls = SSL.Connection(context)
        self._tls.set_connect_state()
        insist_on(self._tls, host)
        self._lock = Lock()
        self._closed = False
        self._head = b""
        """Of the record of the handshake that is under way."""
        self._due = _HEADER
        """Octets that are lacking to it, or to its head."""
        self._out = b""
        """Records that the socket has not taken yet."""
        self._taken = 0
        """Octets that are in them, and that the transport was not told are sent."""
        self._lent: Any = None
        """Where OpenSSL read last: kept, though nothing is left there for it."""
        self._write_waits = False
        self.ended = False
        """Whether the peer said that it sends no more (close_notify)."""
        self.fault: OSError | None = None
        """Why nothing more can be read."""

    def shake(self) -> None:
        """Take the handshake on as far as it goes now.

        :raises ssl.SSLWantReadError, ssl.SSLWantWriteError: the socket is to be waited for.
        :raises OSError: it failed.
        """
        while True:
            try:
                self._tls.do_handshake()
                break
            except SSL.WantReadError:
                self._flush_or_wait()
                self._feed()
            except SSL.Error as error:
                with suppress(OSError):
                    self._flush()  # the peer is told why
                raise refusal_of(self._tls, self._host) or _told(error) from error
        self._flush_or_wait()

    def _flush_or_wait(self) -> None:
        if not self._flush():
            raise ssl.SSLWantWriteError(ssl.SSL_ERROR_WANT_WRITE, "the socket takes no more")

    def _feed(self) -> None:
        """Give OpenSSL what the socket has of one record, and nothing of the next."""
        try:
            octets = self._socket.recv(self._due)
        except BlockingIOError:
            raise ssl.SSLWantReadError(ssl.SSL_ERROR_WANT_READ, "nothing is there") from None
        if not octets:
            raise _end_of_socket()
        self._tls.bio_write(octets)
        self._due -= len(octets)
        if len(self._head) < _HEADER:
            self._head += octets
            if self._due == 0:
                self._due = int.from_bytes(self._head[3:], "big")
        if self._due == 0:
            self._head, self._due = b"", _HEADER

    def shows_one_of(self, pins: frozenset[str]) -> bool:
        """Whether the peer's key is one of *pins*; no pins: any key will do."""
        certificate = shown_by(self._tls)
        return not pins or (certificate is not None and pin_of(certificate) in pins)

    def read_into(self, view: memoryview) -> int:
        """Put what the peer sent into *view*, which has `LEAST_ROOM`; how many octets.

        0: for now there are none, or `ended` or `fault` tell why none come any more.
        """
        with self._lock:
            if self._closed or self.ended or self.fault is not None:
                return 0
            try:
                return self._read_into(view)
            finally:
                with suppress(OSError):  # reading tells what there is to be told
                    self._flush()  # an answer to what was no data

    def _read_into(self, view: memoryview) -> int:
        """
        As much as there is room for.

        Less than a record may be waiting for its rest, and what is received is longer than
        what it holds: so there is room for all of it where as much and a record are free.
        """
        target, filled = ffi.from_buffer(view), 0
        while (free := len(view) - RECORD - filled) >= RECORD and self._receive(free):
            filled = self._decrypt(target, filled, len(view))
            if self.ended or self.fault is not None:
                break
        return filled

    def _receive(self, most: int) -> bool:
        """Let OpenSSL have what the socket has; whether that was anything."""
        octets = _received.octets
        try:
            count = self._socket.recv_into(octets, min(most, len(octets)))
        except BlockingIOError:
            return False
        except OSError as error:
            self.fault = error
            return False
        if count == 0:
            self.fault = _end_of_socket()
            return False
        self._lent = _received.address
        self._offer(self._lent, count)
        return True

    def _offer(self, address: Any, count: int) -> None:
        """Have OpenSSL read there: it is done with what it read before."""
        bio = lib.BIO_new_mem_buf(address, count)
        if bio == ffi.NULL:
            raise MemoryError("OpenSSL has no memory for a buffer")
        lib.BIO_set_mem_eof_return(bio, -1)  # what follows is not here yet
        # SSL_set_bio(3): where the one to write to stays, only the other changes hands, and
        # what it replaces is freed.
        tls: Any = self._tls
        lib.SSL_set_bio(tls._ssl, bio, tls._from_ssl)  # noqa: SLF001 - nothing public does it
        tls._into_ssl = bio  # noqa: SLF001

    def _decrypt(self, target: Any, filled: int, size: int) -> int:
        """All records that are whole; how many octets are in *target*, *filled* before, then."""
        handle, read = self._tls._ssl, lib.SSL_read  # noqa: SLF001 - a call for each record
        last = size - RECORD
        lib.ERR_clear_error()
        while count := read(handle, target + filled, RECORD if filled <= last else size - filled):
            if count < 0:
                break
            filled += count
        try:
            self._tls._raise_ssl_error(handle, count)  # noqa: SLF001 - what it means
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            self.ended = True
        except SSL.Error as error:
            self.fault = _told(error)
        return filled

    def _flush(self) -> bool:
        """Send the records that there are; whether all are sent.

        :raises OSError: the connection is lost.
        """
        with suppress(SSL.WantReadError):  # there are no more
            while octets := self._tls.bio_read(_SENT_AT_ONCE):
                self._out += octets
        try:
            while self._out:
                self._out = self._out[self._socket.send(self._out) :]
        except BlockingIOError:
            return False
        return True

    def see_to_answers(self) -> None:
        """Where the socket did not take an answer of TLS itself, wait until it does."""
        if self._out:
            self._line.startWriting()

    def recv(self, most: int) -> bytes:
        """As a socket that does not block: some of what the peer sent.

        :raises BlockingIOError: nothing is there.
        :raises OSError: nothing comes any more, and nobody said so.
        """
        if self._write_waits:
            self._write_waits = False
            self._line.startWriting()
        view = _room()[: max(most, RECORD) + RECORD]
        count = self.read_into(view)
        self.see_to_answers()
        if count or self.ended:
            return bytes(view[:count])
        if self.fault is not None:
            raise self.fault
        raise BlockingIOError(errno.EWOULDBLOCK, "no whole record is there")

    def send(self, data: bytes | memoryview) -> int:
        """As a socket that does not block: send *data*; how many octets of it.

        What was refused must be at the beginning of what is sent next.

        :raises BlockingIOError: none.
        """
        with self._lock:
            if self._closed:
                raise BrokenPipeError(errno.EPIPE, "the session is closed")
            if self._flush():
                if not self._taken:
                    self._taken = self._encrypt(data)
                if self._flush():
                    taken, self._taken = self._taken, 0
                    if taken or not data:
                        return taken
        if not data:  # the transport takes it for done
            self._line.reactor.callLater(0, self.see_to_answers)
        raise BlockingIOError(errno.EWOULDBLOCK, "the socket takes no more")

    def _encrypt(self, data: bytes | memoryview) -> int:
        """Make records of the beginning of *data*; how many octets of it."""
        done = 0
        try:
            while done < min(len(data), _SENT_AT_ONCE):
                done += self._tls.send(data[done : done + RECORD])
        except SSL.WantReadError:  # the peer has to say something first
            if not done:
                self._write_waits = True
                self._line.stopWriting()
        except SSL.Error as error:
            raise _told(error) from error
        return done

    def shutdown(self, how: int) -> None:
        """Say that we send no more (close_notify), then what a socket says."""
        with self._lock, suppress(OSError, SSL.Error):
            # The peer's own such record is not there yet; nobody waits for it.
            self._closed = True
            self._tls.shutdown()
            self._flush()
        self._socket.shutdown(how)

    def close(self) -> None:
        """Let go of the socket; nobody is in it any more then."""
        with self._lock:
            self._closed = True
        self._socket.close()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the socket's own."""
        return getattr(self._socket, name)


def _end_of_socket() -> ssl.SSLEOFError:
    return ssl.SSLEOFError(ssl.SSL_ERROR_EOF, "the connection ended, and nobody said so")


def _told(error: SSL.Error) -> ssl.SSLError:
    """As the standard library tells it: what the transport and its users know to take."""
    return ssl.SSLError(ssl.SSL_ERROR_SSL, words_of(error))
