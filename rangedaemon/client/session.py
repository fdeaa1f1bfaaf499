"""
TLS on a socket (RFC 8446), in that socket's place in its transport.

OpenSSL reads and writes the socket itself, so records are neither copied nor counted in
Python, and it decrypts while other threads run.  To the transport this is a socket that
does not block: what it sends is made into records, what it receives was one.

OpenSSL takes a record from the socket as a whole or waits for its rest.  So that nothing is
left in it that the socket would not tell of, every read has room for a whole record.
"""

from __future__ import annotations

import errno
import ssl
from contextlib import suppress
from functools import cache
from threading import Lock
from typing import Any, Final

from rangedaemon.client.trust import pin_of

RECORD: Final = 16 * 1024
"""Octets that one record may hold (RFC 8446, 5.1)."""


@cache
def _room() -> memoryview:
    """Where the reactor thread receives; nothing stays in it between turns."""
    return memoryview(bytearray(16 * RECORD))


class Session:
    """The TLS of one connection; one thread at a time is in it."""

    def __init__(self, context: ssl.SSLContext, line: Any, host: str) -> None:
        """
        :param line: the TCP transport; its socket stays what it asks for readiness.
        :param host: the name or address that the certificate must be for.
        :raises OSError: the connection is gone already.
        """
        self._line = line
        self._socket = line.socket
        self._tls = context.wrap_socket(
            self._socket.dup(),
            do_handshake_on_connect=False,
            suppress_ragged_eofs=False,
            server_hostname=host,
        )
        self._lock = Lock()
        self._closed = False
        self._read_waits = self._write_waits = False
        self.ended = False
        """Whether the peer said that it sends no more (close_notify)."""
        self.fault: OSError | None = None
        """Why nothing more can be read."""

    def shake(self) -> None:
        """Take the handshake on as far as it goes now.

        :raises ssl.SSLWantReadError, ssl.SSLWantWriteError: the socket is to be waited for.
        :raises OSError: it failed.
        """
        self._tls.do_handshake()

    def shows_one_of(self, pins: frozenset[str]) -> bool:
        """Whether the peer's key is one of *pins*; no pins: any key will do."""
        certificate = self._tls.getpeercert(binary_form=True)
        return not pins or (certificate is not None and pin_of(certificate) in pins)

    def read_into(self, view: memoryview) -> int:
        """Put whole records of what the peer sent into *view*; how many octets.

        0: for now there are none, or `ended` or `fault` tell why none come any more.
        """
        with self._lock:
            if self._closed or self.ended or self.fault is not None:
                return 0
            return self._read_into(view, len(view) - RECORD)

    def _read_into(self, view: memoryview, last: int) -> int:
        """One record after the other, as long as no more than *last* octets are filled."""
        read, filled = self._tls.read, 0
        self._read_waits = False
        try:
            while filled <= last:
                # Given a buffer, the standard library's read answers with a count.
                count: Any = read(RECORD, view[filled:])
                if count == 0:
                    self.ended = True
                    break
                filled += count
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLWantWriteError:
            self._read_waits = True
        except OSError as error:
            self.fault = error
        return filled

    def recv(self, most: int) -> bytes:
        """As a socket that does not block: some of what the peer sent.

        :raises BlockingIOError: nothing is there.
        :raises OSError: nothing comes any more, and nobody said so.
        """
        if self._write_waits:
            self._write_waits = False
            self._line.startWriting()
        view = _room()[: max(most, RECORD)]
        count = self.read_into(view)
        if count or self.ended:
            return bytes(view[:count])
        if self.fault is not None:
            raise self.fault
        if self._read_waits:  # what the peer asked is to be answered first
            self._line.stopReading()
            self._line.startWriting()
        raise BlockingIOError(errno.EWOULDBLOCK, "no whole record is there")

    def send(self, data: bytes | memoryview) -> int:
        """As a socket that does not block: send *data*; how many octets of it.

        What was refused must be at the beginning of what is sent next.

        :raises BlockingIOError: none.
        """
        if self._read_waits:
            self._read_waits = False
            self._line.startReading()
        try:
            with self._lock:
                return self._tls.send(data) if data else 0
        except ssl.SSLWantReadError:
            self._write_waits = True
            self._line.stopWriting()
        except ssl.SSLWantWriteError:
            pass
        raise BlockingIOError(errno.EWOULDBLOCK, "the socket takes no more")

    def shutdown(self, how: int) -> None:
        """Say that we send no more (close_notify), then what a socket says."""
        with self._lock, suppress(OSError, ValueError):
            # It raises, for the peer's own such record is not there yet; nobody waits for it.
            self._closed = True
            self._tls.unwrap()
        self._socket.shutdown(how)

    def close(self) -> None:
        """Let go of the socket; nobody is in it any more then."""
        with self._lock:
            self._closed = True
            self._tls.close()
        self._socket.close()

    def __getattr__(self, name: str) -> Any:
        """Everything else is the socket's own."""
        return getattr(self._socket, name)
