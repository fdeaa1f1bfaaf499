"""
How requests of the control API arrive: bodies bounded while they come.

twisted.web keeps a body until its last octet and only then asks a resource, so
the bound has to be here: beyond it octets are counted and dropped (the answer is
413), and far beyond it the connection is.
"""

from __future__ import annotations

from io import BytesIO
from typing import Any

from twisted.web.server import Request

MAX_BODY = 2 * 1024 * 1024
PATIENCE = 8
"""A body is read to its end, for the sake of a clear answer, up to so many times the bound."""


def cut_off(request: Request) -> None:
    """Close the connection at once, whatever is still to be sent."""
    channel = request.channel  # of HTTP/1.1, a stream of HTTP/2, or None once it is gone
    if channel is not None:
        abort = getattr(channel, "abortConnection", None) or channel.forceAbortClient
        abort()


class ControlRequest(Request):
    """A request whose body never takes more than `MAX_BODY` octets of memory."""

    overflowed = False
    _arrived = 0

    def gotLength(self, length: int | None) -> None:
        """The fields are complete, the body follows."""
        self.content: Any = BytesIO()
        self._arrived = 0
        self.overflowed = length is not None and length > MAX_BODY

    def handleContentChunk(self, data: bytes) -> None:
        """Octets of the body."""
        self._arrived += len(data)
        self.overflowed = self.overflowed or self._arrived > MAX_BODY
        if not self.overflowed:
            self.content.write(data)
        elif self._arrived > PATIENCE * MAX_BODY:
            cut_off(self)
