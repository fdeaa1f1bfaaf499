"""
Connections to the control site: a whole answer leaves in one piece, at once.

twisted.web gives the transport each word of a head for itself and the body after it, and
the transport asks the reactor to be told when it may write: for answers as small as ours
all of that costs more than to send them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.web.http import HTTPChannel
from twisted.web.http_headers import Headers

from rangedaemon.server.channel import write_at_once


class ControlChannel(HTTPChannel):
    """A connection of the control site's."""

    transport: Any
    _gathered: list[bytes] | None = None
    """What is to leave together."""

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
