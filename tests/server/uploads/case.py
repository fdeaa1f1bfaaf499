"""A site whose mount takes uploads, in memory, over a real store and journal."""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path
from random import Random
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from rangedaemon.core.uploads import Upload, UploadProtocol
from rangedaemon.server.uploads.access import Admission, Gate
from rangedaemon.server.uploads.arriving import Arriving
from rangedaemon.server.uploads.receiver import Receiver
from rangedaemon.server.uploads.rules import Rules
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.threads import InThread, inline
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.store import Uploads, open_upload_store
from tests.server.wire import Reply, WireTestCase, parse_replies

ALL = Rules()
CONTENT = Random(6).randbytes(100)


def b64(text: str) -> str:
    """Base64 of a text."""
    return b64encode(text.encode()).decode()


class Peer:
    """One connection to the site."""

    def __init__(self, case: UploadsServedCase) -> None:
        self.protocol, self.transport = case.connect()
        self._case = case

    def send(self, octets: bytes) -> None:
        """Say something."""
        self.protocol.dataReceived(octets)
        self._case.turn()

    def head(self, method: str, path: str, **fields: str | int) -> None:
        """Say the head of a request."""
        self.send(head(method, path, **fields))

    def heard(self) -> bytes:
        """What was answered since the last time."""
        octets: bytes = self.transport.value()
        self.transport.clear()
        return octets

    def reply(self, method: str = "POST") -> Reply:
        """The one answer since the last time."""
        (reply,) = parse_replies(self.heard(), [method])
        return reply

    def lose(self) -> None:
        """Break the connection."""
        self.protocol.connectionLost(Failure(ConnectionDone()))
        self._case.turn()

    @property
    def paused(self) -> bool:
        """Whether we are to send nothing more for now."""
        return bool(self.transport.producerState == "paused")

    @property
    def closing(self) -> bool:
        """Whether the other side has ended the connection."""
        return bool(self.transport.disconnecting or self.transport.aborting)


def head(method: str, path: str, **fields: str | int) -> bytes:
    """``if_range="x"`` is the field ``If-Range: x``."""
    lines = [f"{method} {path} HTTP/1.1", "Host: h"]
    lines += [f"{name.replace('_', '-').title()}: {value}" for name, value in fields.items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


class UploadsServedCase(WireTestCase):
    """Everything answers at once, unless a test brings threads of its own."""

    in_thread: InThread = staticmethod(inline)
    admission = Admission(anonymous=True)

    def setUp(self) -> None:
        """A mount at ``/files`` that takes uploads in all protocols from everybody."""
        super().setUp()
        self.clock.rightNow = 1_700_000_000.0
        self.state = self.root.parent / "state"
        opening = Journal.open(self.state / "journal.sqlite", in_thread=inline)
        self.journal = self.successResultOf(Deferred.fromCoroutine(opening))
        self.addCleanup(self._close)
        self.published: list[Upload] = []
        self.take()

    def _close(self) -> None:
        self.successResultOf(Deferred.fromCoroutine(self.journal.close()))

    def take(
        self,
        *,
        protocols: tuple[UploadProtocol, ...] = tuple(UploadProtocol),
        rules: Rules = ALL,
        cors: tuple[str, ...] = (),
        **mount: Any,
    ) -> None:
        """Take uploads with these settings."""
        self.serve(cors=cors)
        mount = {"max_size": rules.max_size, "expire": rules.expire} | mount
        self.store = self.open_store(**mount)
        gate = Gate(self.admission, self.clock, self.in_thread)
        receiver = Receiver("/files", protocols, self.store, rules, gate, Arriving(self.clock))
        self.site.resource.receive_by({"/files": receiver})

    def open_store(self, **mount: Any) -> Uploads:
        """The store, as after a start."""
        return open_upload_store(
            self.state,
            [UploadMount("/files", Path(self.root), **mount)],
            journal=self.journal,
            in_thread=self.in_thread,
            clock=self.clock,
            wall=self.clock.seconds,
            keep_free=0,
            on_published=self.published.append,
        )

    def connect(self) -> tuple[Any, StringTransport]:
        """A new connection; one that was closed hears nothing more."""
        protocol, transport = super().connect()
        transport.aborting = False  # type: ignore[attr-defined]
        transport.loseWriteConnection = lambda: None  # type: ignore[attr-defined]
        return protocol, transport

    def turn(self) -> None:
        """Let what is due happen."""
        self.clock.pump([0.0] * 5)

    def request(self, method: str, path: str, body: bytes = b"", **fields: str | int) -> Reply:
        """One whole request on a connection of its own."""
        peer = Peer(self)
        if body:
            fields = {"content_length": len(body)} | fields
        peer.send(head(method, path, **fields) + body)
        octets = peer.heard()
        while octets.startswith(b"HTTP/1.1 1"):
            octets = octets.partition(b"\r\n\r\n")[2]
        (reply,) = parse_replies(octets, [method])
        return reply

    def file(self, name: str) -> bytes | None:
        """A file of the mount; None where there is none."""
        path = self.root / name
        return path.read_bytes() if path.exists() else None

    def assert_status(self, reply: Reply, status: int) -> Reply:
        """The answer has that status."""
        self.assertEqual(reply.status, status, reply.body)
        return reply
