"""A site that sends bodies from a real port, and peers that meddle with them."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from twisted.internet import reactor as any_reactor
from twisted.internet.defer import Deferred
from twisted.internet.threads import deferToThread
from twisted.python.threadpool import ThreadPool
from twisted.trial.unittest import TestCase
from twisted.web.http import Request
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Site

from rangedaemon.server.body import BodyCut, FileSlice, Part, send_body
from rangedaemon.storage.threads import pooled
from rangedaemon.storage.tree import OpenFile, ServedTree
from tests.integration.waiting import PATIENCE

reactor: Any = any_reactor
MIB = 1024 * 1024
BLOCK = os.urandom(MIB)


def content(mebibytes: int) -> bytes:
    """Octets that differ from one mebibyte to the next."""
    return b"".join(bytes([n]) + BLOCK[1:] for n in range(mebibytes))


class FileResource(Resource):
    """Sends the parts that `choose` makes of the file asked for."""

    isLeaf = True

    def __init__(self, case: BodyCase) -> None:
        super().__init__()
        self.case = case

    def render_GET(self, request: Request) -> int:
        """Answer with the file."""
        self.case.answers.append(Deferred.fromCoroutine(self._answer(request)))
        return NOT_DONE_YET

    async def _answer(self, request: Request) -> str:
        opened = self.case.tree.open([request.path.decode().strip("/")])
        parts = self.case.choose(opened)
        request.setHeader("Content-Length", str(sum(map(len, parts))))
        try:
            await send_body(
                request,
                parts,
                clock=reactor,
                in_thread=self.case.in_thread,
                still_same=opened.still_same,
                **self.case.options,
            )
        except BodyCut as cut:
            return f"cut: {cut}"
        finally:
            opened.close()
        request.finish()
        return "sent"


class BodyCase(TestCase):
    """A site on a real port, and peers with blocking sockets in threads."""

    def setUp(self) -> None:
        """Listen, and have a file of 24 MiB."""
        self.root = Path(self.mktemp())
        self.root.mkdir(parents=True)
        self.tree = ServedTree(self.root)
        self.path = self.root / "f"
        self.octets = content(24)
        self.path.write_bytes(self.octets)
        self.answers: list[Deferred[str]] = []
        self.options: dict[str, Any] = {}
        self.choose: Callable[[OpenFile], Sequence[Part]] = lambda opened: [
            FileSlice(opened.fd, 0, opened.size)
        ]
        pool = ThreadPool(1, 4)
        pool.start()
        self.addCleanup(pool.stop)
        self.in_thread = pooled(reactor, pool)
        self.site = Site(FileResource(self))
        self.site.acceptableProtocols = lambda: [b"http/1.1"]  # type: ignore[method-assign]
        self.port = self.listen()
        self.addCleanup(self.port.stopListening)

    def listen(self) -> Any:
        """A plain port."""
        return reactor.listenTCP(0, self.site, interface="127.0.0.1")

    def wrap(self, plain: socket.socket) -> socket.socket:
        """What a peer does with a new connection."""
        return plain

    def connect(self) -> socket.socket:
        """A peer that takes little before it reads."""
        plain = socket.socket()
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 64 * 1024)
        plain.settimeout(PATIENCE)
        plain.connect(("127.0.0.1", self.port.getHost().port))
        return self.wrap(plain)

    def ask(self, peer: socket.socket, path: str = "/f", *, close: bool = True) -> None:
        """Send one request."""
        closing = "Connection: close\r\n" if close else ""
        peer.sendall(f"GET {path} HTTP/1.1\r\nHost: h\r\n{closing}\r\n".encode())

    def fetch(self, path: str = "/f") -> bytes:
        """The body as one peer sees it."""
        with self.connect() as peer:
            self.ask(peer, path)
            return read_to_end(peer).partition(b"\r\n\r\n")[2]

    def meddled(self, meddle: Callable[[], object]) -> bytes:
        """The body where *meddle* runs after the peer has read a little of it."""
        with self.connect() as peer:
            self.ask(peer)
            first = peer.recv(65536)
            meddle()
            return (first + read_to_end(peer)).partition(b"\r\n\r\n")[2]

    async def outcome(self) -> str:
        """What became of the only answer."""
        (answer,) = self.answers
        return await answer

    async def assert_cut(self, meddle: Callable[[], object]) -> None:
        """The peer gets a part of the old octets, and never as many as were promised."""
        got = await deferToThread(self.meddled, meddle)
        self.assertLess(len(got), len(self.octets))
        self.assertIn("cut", await self.outcome())


def read_to_end(peer: socket.socket) -> bytes:
    """All that comes until the connection ends, well or badly."""
    blocks = []
    try:
        while block := peer.recv(1 << 20):
            blocks.append(block)
    except (ConnectionResetError, ssl.SSLError):
        blocks.append(b"")
    return b"".join(blocks)
