"""Readers of files that take what they asked for when the test says so."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing
from typing import Self

from tests.integration.waiting import PATIENCE


def receive(peer: socket.socket) -> bytes:
    """Everything up to the end of a connection, however it comes."""
    blocks = []
    try:
        while block := peer.recv(1 << 20):
            blocks.append(block)
    except ConnectionError:
        pass
    return b"".join(blocks)


class Reader:
    """
    A connection with a transfer under way, most of which waits to be read.

    :param context: for TLS.
    """

    def __init__(self, port: int, path: str, context: ssl.SSLContext | None = None) -> None:
        wire = socket.socket()
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 16)
        wire.settimeout(PATIENCE)
        wire.connect(("127.0.0.1", port))
        self._wire = context.wrap_socket(wire) if context is not None else wire
        ask = f"GET {path} HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
        self._wire.sendall(ask.encode())
        self._begun = self._wire.recv(12)
        self.status = self._begun.partition(b" ")[2].decode()

    @property
    def port(self) -> int:
        """Its own."""
        name: tuple[str, int] = self._wire.getsockname()
        return name[1]

    def rest(self) -> bytes:
        """The whole answer, or what comes of it."""
        return self._begun + receive(self._wire)

    def close(self) -> None:
        """Leave."""
        self._wire.close()


class Kept:
    """A connection that is kept between its requests."""

    def __init__(self, port: int) -> None:
        self._wire = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._wire.close()

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body; on the connection of before, or not at all."""
        self._wire.auto_open = int(self._wire.sock is None)
        self._wire.request("GET", path)
        answer = self._wire.getresponse()
        return answer.status, answer.read()


def get(port: int, path: str) -> tuple[int, dict[str, str], bytes]:
    """Status, fields and body by a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as wire:
        wire.request("GET", path)
        answer = wire.getresponse()
        return answer.status, dict(answer.headers.items()), answer.read()
