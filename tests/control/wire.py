"""The real control site on a wire in memory: octets in, answers out, time by hand."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure

from rangedaemon.control.site import Host, Settings, build_control_site
from rangedaemon.control.tokens import Keyring
from tests.control.memory_jobs import MemoryJobs

TOKEN = "correct-horse-battery-staple"


@dataclass
class Reply:
    """One answer, as the caller sees it."""

    status: int
    fields: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


@dataclass
class Ready:
    """A readiness that tests switch."""

    ready: bool = True


@dataclass
class Wire:
    """A control site and what stands around it."""

    jobs: MemoryJobs = field(default_factory=MemoryJobs)
    clock: Clock = field(default_factory=Clock)
    readiness: Ready = field(default_factory=Ready)
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    shutdowns: list[float] = field(default_factory=list)
    options: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = dict(self.options)
        branches = given.pop("branches", None)
        said = {f.name: given.pop(f.name) for f in fields(Settings) if f.name in given}
        settings: dict[str, Any] = {
            "keyring": Keyring.of(TOKEN),
            "allowed_hosts": ["localhost", "127.0.0.1", "[::1]"],
            "download_directory": "/srv/downloads",
            "config_path": "/etc/rangedaemon.yaml",
            **said,
        }
        host = Host(
            clock=self.clock,
            started_at=self.clock.seconds(),
            readiness=self.readiness,
            registry=self.registry,
            shutdown=lambda: self.shutdowns.append(self.clock.seconds()),
            **{"wall": self.clock.seconds, **given},
        )
        self.site = build_control_site(self.jobs, Settings(**settings), host, branches)

    def connect(self) -> Connection:
        """A new connection."""
        return Connection(self)

    def ask(self, method: str, path: str, body: Any = None, **fields: str | None) -> Reply:
        """
        One request on a connection of its own, with the token.

        *body* is sent as JSON unless it is octets; a field of None is left out.
        """
        octets = body if isinstance(body, bytes) else b"" if body is None else _json(body)
        connection = self.connect()
        connection.send(request(method, path, octets, **fields))
        return connection.reply(head=method == "HEAD")


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def request(method: str, path: str, body: bytes = b"", **fields: str | None) -> bytes:
    """The octets of a request."""
    lines: dict[str, str | None] = {
        "Host": "127.0.0.1:6880",
        "Authorization": f"Bearer {TOKEN}",
    }
    if body:
        lines |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    lines |= {name.replace("_", "-"): value for name, value in fields.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items() if value is not None)
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body


class SlowTransport(StringTransport):
    """A transport that a test declares full; it tells its producer then."""

    aborted = False

    def abortConnection(self) -> None:
        """Cut it."""
        self.aborted = True
        self.disconnecting = True


class Connection:
    """One connection to the site."""

    def __init__(self, wire: Wire) -> None:
        self.transport = SlowTransport()
        self.protocol: Any = wire.site.buildProtocol(IPv4Address("TCP", "127.0.0.1", 50000))
        self.protocol.makeConnection(self.transport)

    def send(self, octets: bytes) -> None:
        """Octets arrive at the site."""
        self.protocol.dataReceived(octets)

    def received(self) -> bytes:
        """What the site has sent since the last call."""
        octets: bytes = self.transport.value()
        self.transport.clear()
        return octets

    def reply(self, *, head: bool = False) -> Reply:
        """The one answer that has been sent."""
        text, _, body = self.received().partition(b"\r\n\r\n")
        first, *lines = text.decode("latin-1").split("\r\n")
        fields = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
        if fields.get("transfer-encoding") == "chunked":
            body = _unchunked(body)
        elif not head and "content-length" in fields and len(body) != int(fields["content-length"]):
            raise AssertionError(f"{len(body)} octets, not {fields['content-length']}")
        return Reply(int(first.split(" ")[1]), fields, body)

    def hang_up(self) -> None:
        """The caller goes."""
        self.protocol.connectionLost(Failure(ConnectionDone()))


def _unchunked(octets: bytes) -> bytes:
    whole = b""
    while octets:
        size, _, rest = octets.partition(b"\r\n")
        whole += rest[: int(size, 16)]
        octets = rest[int(size, 16) + 2 :]
    return whole
