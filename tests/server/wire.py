"""A site and its client in memory: real protocol objects, a clock that stands still."""

from __future__ import annotations

import http.client
import os
from dataclasses import dataclass
from email.message import Message
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, cast

from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.server.answering import Surroundings
from rangedaemon.server.mounts import Mount
from rangedaemon.server.site import build_site
from rangedaemon.storage.threads import inline


@dataclass
class Reply:
    """An answer as the peer saw it."""

    status: int
    fields: Message
    body: bytes

    def all_fields(self) -> list[tuple[str, str]]:
        """The fields in their order."""
        return self.fields.items()


class _Stream:
    """Octets as a socket for `http.client`."""

    def __init__(self, stream: BytesIO) -> None:
        self._stream = stream

    def makefile(self, *_: object) -> BytesIO:
        return self._stream


class _Kept(BytesIO):
    """A stream that survives the answers that were read from it."""

    def close(self) -> None:
        pass


def parse_replies(octets: bytes, methods: list[str]) -> list[Reply]:
    """The answers in *octets*, one for each of the *methods* asked; nothing may be left."""
    stream = _Kept(octets)
    replies = []
    for method in methods:
        response = http.client.HTTPResponse(cast("Any", _Stream(stream)), method=method)
        response.begin()
        replies.append(Reply(response.status, response.msg, response.read()))
    rest = stream.read()
    if rest:
        raise AssertionError(f"more than {len(methods)} answers: {rest[:200]!r}")
    return replies


class WireTestCase(SynchronousTestCase):
    """Tests that talk to a site over a transport in memory."""

    def setUp(self) -> None:
        """A folder that is served at ``/files``, and a clock that shows the file times."""
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = Path(folder.name, "served")
        self.root.mkdir()
        self.clock = Clock()
        self.serve()

    def serve(self, **options: Any) -> None:
        """Serve the folder with these options of the mount."""
        self.surroundings = Surroundings(self.clock, inline, self.clock.seconds)
        options = {"prefix": "/files", "root": self.root} | options
        self.site = build_site(
            [Mount(**options)], clock=self.clock, in_thread=inline, now=self.clock.seconds
        )

    def put(self, name: str, content: bytes, *, age: float = 3600.0) -> Path:
        """A file that is *age* seconds old for the clock of the test."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        found = path.stat()
        os.utime(path, ns=(found.st_atime_ns, found.st_ctime_ns))
        self.at(path, age)
        return path

    def at(self, path: Path, age: float) -> None:
        """Set the clock to *age* seconds after the last change of *path*."""
        moment = path.stat().st_ctime_ns / 1e9 + age
        self.clock.rightNow = moment

    def connect(self) -> tuple[Any, StringTransport]:
        """A new connection to the site."""
        peer = IPv4Address("TCP", "192.0.2.1", 49152)
        protocol: Any = self.site.buildProtocol(peer)
        transport = StringTransport(peerAddress=peer)
        transport.abortConnection = transport.loseConnection  # type: ignore[method-assign]
        protocol.makeConnection(transport)
        return protocol, transport

    def exchange(self, octets: bytes, *methods: str) -> list[Reply]:
        """Send *octets* and read the answers to *methods*."""
        protocol, transport = self.connect()
        protocol.dataReceived(octets)
        self.clock.pump([0.0] * 20)
        return parse_replies(transport.value(), list(methods))

    def ask(self, path: str, method: str = "GET", **fields: str | list[str]) -> Reply:
        """One request; ``if_range="x"`` is the field ``If-Range: x``, a list several lines."""
        lines = [f"{method} {path} HTTP/1.1", "Host: h"]
        for name, values in fields.items():
            for value in [values] if isinstance(values, str) else values:
                lines.append(f"{name.replace('_', '-').title()}: {value}")
        return self.exchange("\r\n".join([*lines, "", ""]).encode("latin-1"), method)[0]
