"""
Connections to the control site: a whole answer leaves in one piece, at once.

twisted.web gives the transport each word of a head for itself and the body after it, and
the transport asks the reactor to be told when it may write; it cancels the timer of an idle
connection with each request, and makes another one.  For answers as small as ours all of
that costs more than to send them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers
from twisted.web.server import Site

from rangedaemon.server.channel import write_at_once


class ControlChannel(HTTPChannel):
    """A connection of the control site's."""

    transport: Any
    site: Site
    timeOut: Any  # noqa: N815
    _gathered: list[bytes] | None = None
    """What is to leave together."""
    _watch: IDelayedCall | None = None
    _patient_until = 0.0

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """The peer is gone."""
        super().connectionLost(reason)  # type: ignore[no-untyped-call]
        if self._watch is not None:
            self._watch.cancel()
            self._watch = None

    def setTimeout(self, period: float | None) -> float | None:  # noqa: N802
        """Close after so many seconds of silence, None: never; what held before."""
        before: float | None = self.timeOut
        self.timeOut = period
        self.resetTimeout()
        return before

    def resetTimeout(self) -> None:  # noqa: N802
        """The peer was heard: be patient anew."""
        if self.timeOut is None:
            return
        self._patient_until = self.site.reactor.seconds() + self.timeOut
        if self._watch is None:
            self._watch = self.callLater(self.timeOut, self._look)  # type: ignore[no-untyped-call]

    def _look(self) -> None:
        self._watch = None
        if self.timeOut is None:
            return
        left = self._patient_until - self.site.reactor.seconds()
        if left > 0:
            self._watch = self.callLater(left, self._look)  # type: ignore[no-untyped-call]
        else:
            self.timeoutConnection()  # type: ignore[no-untyped-call]

    def writeHeaders(self, version: bytes, code: bytes, reason: bytes, headers: Headers) -> None:  # noqa: N802
        """Write a head."""
        fields = [
            b"%b: %b\r\n" % (name, value)
            for name, values in headers.getAllRawHeaders()
            for value in values
        ]
        self.write(b"%b %b %b\r\n%b\r\n" % (version, code, reason, b"".join(fields)))

    def write(self, data: bytes) -> None:
        """Write, or keep it for what follows."""
        if self._gathered is None:
            self.transport.write(data)
        else:
            self._gathered.append(data)

    def write_together(self, write: Callable[[bytes], None], octets: bytes) -> None:
        """Have *write* write *octets*, with a head before them, and send both as one."""
        gathered: list[bytes] = []
        self._gathered = gathered
        try:
            write(octets)
        finally:
            self._gathered = None
        write_at_once(self.transport, b"".join(gathered))
