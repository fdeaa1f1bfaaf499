"""Bodies that go from the socket to the file past the daemon: whole, cut, dripping, in a row."""

from __future__ import annotations

import socket
from contextlib import closing

from tests.hostile.content import content
from tests.integration.uploading import UploadCase
from tests.integration.waiting import PATIENCE, until

MIB = 1 << 20
LARGE = 24 * MIB + 7


class HauledTests(UploadCase):
    """PUTs over plain sockets, large enough for lanes."""

    def wire(self) -> socket.socket:
        """A connection."""
        wire = socket.create_connection(("127.0.0.1", self.daemon.file_port), timeout=PATIENCE)
        self.addCleanup(wire.close)
        return wire

    def head(self, name: str, start: int, stop: int, whole: int) -> bytes:
        """The head of a PUT of a part."""
        return (
            f"PUT /files/{name} HTTP/1.1\r\nHost: h\r\nContent-Length: {stop - start}\r\n"
            f"Content-Range: bytes {start}-{stop - 1}/{whole}\r\n\r\n"
        ).encode()

    def status(self, wire: socket.socket) -> int:
        """The status of the next answer, whose body is short or none."""
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += wire.recv(65536)
        return int(octets.split(b" ", 2)[1])

    def received(self) -> float:
        """Octets of bodies that the daemon has had so far."""
        for line in self.daemon.api.request("GET", "/metrics").body.decode().splitlines():
            if line.startswith("rangedaemon_upload_received_bytes_total "):
                return float(line.split()[1])
        raise AssertionError("no such metric")

    def test_whole(self) -> None:
        """At full speed."""
        wire = self.wire()
        wire.sendall(self.head(self.name, 0, LARGE, LARGE) + content(1, 0, LARGE))
        self.assertEqual(self.status(wire), 201)
        self.assert_received(size=LARGE)

    def test_in_a_row(self) -> None:
        """One behind the other over one connection, the next head in the same packet."""
        wire = self.wire()
        names = [f"row-{number}.bin" for number in range(4)]
        for name in names:
            head = self.head(name, 0, LARGE // 4, LARGE // 4)
            wire.sendall(head + content(1, 0, LARGE // 4))
        wire.sendall(b"PUT /files/last.bin HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n\r\n")
        wire.sendall(content(1, 0, 3))
        until(lambda: (self.root / "last.bin").exists(), "the last one is there")
        for name in names:
            self.assert_received(name, LARGE // 4)
        self.assert_received("last.bin", 3)

    def test_dripping(self) -> None:
        """Much, then little, then much: nothing is kept waiting for more to come."""
        wire, before = self.wire(), self.received()
        wire.sendall(self.head(self.name, 0, LARGE, LARGE))
        at = 0
        for step in (5 * MIB, 1, 70_001, 3, 6 * MIB + 1, 100):
            wire.sendall(content(1, at, step))
            at += step
            upto = before + at
            until(lambda upto=upto: self.received() >= upto, f"{at} octets came")
        wire.sendall(content(1, at, LARGE - at))
        self.assertEqual(self.status(wire), 201)
        self.assert_received(size=LARGE)

    def test_cut(self) -> None:
        """Cut at odd places: what came is kept, and the rest makes it whole."""
        at = 0
        for stop in (3 * MIB + 1, 9 * MIB + 13, LARGE - 1):
            before = self.received()
            with closing(self.wire()) as wire:
                wire.sendall(self.head(self.name, at, LARGE, LARGE) + content(1, at, stop - at))
                until(lambda upto=before + stop - at: self.received() >= upto, "it came")
            reply = self.request(
                "PUT", f"/files/{self.name}", b"", content_range=f"bytes */{LARGE}"
            )
            at = int(reply.headers["upload-offset"])
            self.assertEqual(at, stop)
        wire = self.wire()
        wire.sendall(self.head(self.name, at, LARGE, LARGE) + content(1, at, LARGE - at))
        self.assertEqual(self.status(wire), 201)
        self.assert_received(size=LARGE)
