"""Answers to peers whose request was not read, or not understood."""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import Protocol


class Refusal(Protocol):
    """Tells a peer that there is no room, and closes."""

    transport: Any

    def connectionMade(self) -> None:
        """Say it at once; what the peer asks does not matter."""
        self.transport.write(refusal(b"503 Service Unavailable", b"Retry-After: 5\r\n"))
        self.transport.loseConnection()


def refusal(status: bytes, fields: bytes = b"") -> bytes:
    """The whole answer, with *fields*, after which the connection ends."""
    body = status.partition(b" ")[2] + b".\n"
    return (
        b"HTTP/1.1 %b\r\n%bContent-Type: text/plain; charset=utf-8\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%b" % (status, fields, len(body), body)
    )
