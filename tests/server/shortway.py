"""One connection that is asked by plain requests."""

from __future__ import annotations

from typing import Any, TypeVar

from twisted.internet.defer import Deferred

from rangedaemon.server.mounts import Mount
from rangedaemon.server.site import build_site
from rangedaemon.storage.threads import inline
from tests.server.wire import WireTestCase

T = TypeVar("T")

LONG = b"X-Long-Way: 1\r\n"
"""A field that the short way does not know."""


class ShortWayCase(WireTestCase):
    """A site whose uses of threads are counted."""

    hops = 0

    def serve(self, **options: Any) -> None:
        """Serve the folder with these options of the mount."""
        log = options.pop("access_log", None)
        self.site = build_site(
            [Mount(**{"prefix": "/files", "root": self.root, **options})],
            clock=self.clock,
            in_thread=self.count,
            now=self.clock.seconds,
            access_log=log,
        )

    def count(self, function: Any, /, *args: object) -> Deferred[Any]:
        """Run in what would be a thread."""
        self.hops += 1
        return inline(function, *args)

    def send(self, head: bytes) -> bytes:
        """All that comes back for *head*."""
        protocol, transport = self.connect()
        protocol.dataReceived(head)
        self.clock.pump([0.0] * 20)
        octets: bytes = transport.value()
        return octets

    def head(self, *fields: str, method: str = "GET", path: str = "/files/f") -> bytes:
        """A request's head."""
        told = [f"{method} {path} HTTP/1.1", "Host: h", *fields, "", ""]
        return "\r\n".join(told).encode("latin-1")

    def long(self, head: bytes) -> bytes:
        """The answer by the long way."""
        return self.send(head.replace(b"Host: h\r\n", b"Host: h\r\n" + LONG))

    def short(self, head: bytes) -> bytes:
        """The answer by the short way, warmed up; it is an error if that is not taken."""
        self.send(self.head(path=head.split()[1].decode("latin-1")))
        before = self.hops
        octets = self.send(head)
        self.assertEqual(self.hops, before, f"{head!r} went the long way")
        return octets

    def went_long(self, head: bytes) -> bytes:
        """The answer; it is an error if that came by the short way."""
        before = self.hops
        octets = self.send(head)
        self.assertGreater(self.hops, before, f"{head!r} went the short way")
        return octets
