"""Workers that carry uploads to the daemon's process: what peers see, and when things end."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import ssl
import stat
import struct
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path
from typing import Any, ClassVar

from tests.hostile.content import content
from tests.integration.daemon import DaemonProcess
from tests.integration.ops_case import OpsCase, child_pids, make_certificate
from tests.integration.ports import free_port
from tests.integration.readers import get, receive
from tests.integration.uploading import UploadCase
from tests.integration.waiting import PATIENCE, until

WORKERS, WORKER = {"workers": 2}, {"workers": 1}
HOST = "Host: files.example\r\n"
CLOSE = "Connection: close\r\n"
VOLATILE = (
    (rb"HTTP/1.1 104 [^\r]*\r\n[^\r]*\r\nUpload-Offset: \d+\r\n\r\n", b""),  # by the clock
    (rb"\r\nDate: [^\r]*", b""),
    (rb"\r\nUpload-Expires: [^\r]*", b"\r\nUpload-Expires: then"),
    (rb"\r\nETag: [^\r]*", b"\r\nETag: of an inode"),
    (rb"/\.uploads/(tus|ietf)/[\w-]+", rb"/.uploads/\1/id"),
)


def ask(line: str, *fields: str, body: str = "", host: str = HOST, end: str = "") -> bytes:
    """A request; with a length where there is a body and no field that speaks of one."""
    told = [f"{field}\r\n" for field in fields]
    if body and not any("Content-Length" in field or "chunked" in field for field in fields):
        told.append(f"Content-Length: {len(body)}\r\n")
    version = "" if " HTTP/" in line else " HTTP/1.1"
    return f"{line}{version}\r\n{host}{''.join(told)}{end}\r\n{body}".encode()


def last(line: str, *fields: str, body: str = "", host: str = HOST) -> bytes:
    """The same, after which the connection ends."""
    return ask(line, *fields, body=body, host=host, end=CLOSE)


TUS = "Tus-Resumable: 1.0.0"
DRAFT = "Upload-Draft-Interop-Version: 8"
SEGMENT = (
    "X-Session-ID: s-1",
    'Content-Disposition: attachment; filename="s.bin"',
    "Content-Type: application/octet-stream",
)
CONVERSATIONS: Mapping[str, bytes] = {
    "what may be done": ask("OPTIONS /files/") + last("OPTIONS /files/", "Origin: https://a"),
    "preflight": last(
        "OPTIONS /files/x", "Origin: https://a", "Access-Control-Request-Method: PATCH"
    ),
    "a place that takes none": last("PUT /plain/x", body="12345"),
    "tus: creation": last("POST /files", TUS, "Upload-Length: 5", "X-Forwarded-Proto: https"),
    "tus: with content": last(
        "POST /files", TUS, "Upload-Length: 9", "Content-Type: application/offset+octet-stream",
        body="12345",
    ),
    "tus: another version": last("POST /files", "Tus-Resumable: 0.2.2", "Upload-Length: 5"),
    "tus: unknown": ask("HEAD /files/.uploads/tus/none", TUS)
    + last("PATCH /files/.uploads/tus/none", TUS, "Upload-Offset: 0", body="123"),
    "ietf: interim answers": last(
        "POST /files", DRAFT, "Upload-Complete: ?0", "Upload-Length: 9", body="12345"
    ),
    "ietf: problem": last("PATCH /files/.uploads/ietf/none", "Upload-Complete: ?1", body="1"),
    "segments": ask("POST /files", *SEGMENT, "X-Content-Range: bytes 5-9/10", body="67890")
    + ask("HEAD /files/.uploads/segmented/s-1")
    + last("POST /files", *SEGMENT, "X-Content-Range: bytes 0-4/10", body="12345"),
    "put: in parts": ask("PUT /files/parts", "Content-Range: bytes 0-4/10", body="12345")
    + ask("PUT /files/parts", "Content-Range: bytes */10", "Content-Length: 0")
    + ask("PUT /files/parts", "Content-Range: bytes 2-9/10", body="34567890")
    + last("PUT /files/parts", "Content-Range: bytes 5-9/10", body="67890"),
    "put: over nothing": last("PUT /files/new", "If-Match: *", body="12345"),
    "put: chunked": last(
        "PUT /files/chunked", "Transfer-Encoding: chunked", body="5\r\n12345\r\n0\r\n\r\n"
    ),
    "put: bad chunks": ask("PUT /files/bad", "Transfer-Encoding: chunked", body="zz\r\n12345"),
    "put: when told to go on": last("PUT /files/told", "Expect: 100-continue", body="12345"),
    "put: by HTTP/1.0": ask("PUT /files/old HTTP/1.0", body="12345"),
    "put: too large": ask("PUT /files/large", "Content-Length: 3000000", body="12345"),
    "put: without host": last("PUT /files/x", body="12345", host=""),
    "put: two lengths": ask("PUT /files/x", "Content-Length: 5", "Content-Length: 6", body="1"),
    "put: by absolute address": last("PUT http://files.example/files/abs", body="12345"),
    "no protocol": ask("POST /files", "Content-Length: 0") + last("POST /files", body="12345"),
    "no method": last("BREW /files/x", body="12345"),
    "without credentials": last("PUT /guarded/x", body="12345"),
    "a file for a page": ask("GET /files/there", "Origin: https://a")
    + last("HEAD /files/there", "Origin: https://a"),
    "a file, then a part": ask("GET /files/there") + last("PUT /files/after", body="12345"),
}  # fmt: skip


def settled(octets: bytes) -> bytes:
    """An answer without what is never twice the same."""
    for pattern, instead in VOLATILE:
        octets = re.sub(pattern, instead, octets)
    return octets


class SameTests(UploadCase):
    """One daemon with workers, another without."""

    uploads = {"anonymous": True, "max_size": "2MiB"}
    mount: ClassVar[Mapping[str, Any]] = {"cors": ["https://a"]}
    server: ClassVar[Mapping[str, Any]] = WORKERS
    other: ClassVar[DaemonProcess]

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        place = cls._directory / "other"
        (place / "root").mkdir(parents=True)
        for root in (cls.root, place / "root"):
            (root / "there").write_bytes(b"there")
            os.utime(root / "there", (1e9, 1e9))
        mounts = [{"path": "/files", "root": "root", "uploads": dict(cls.uploads), **cls.mount}]
        cls.other = DaemonProcess(place, {"server": {"mounts": [*mounts, *cls.more_mounts(place)]}})
        cls.addClassCleanup(cls.other.close)
        cls.other.start()

    @classmethod
    def more_mounts(cls, place: Path) -> list[dict[str, object]]:
        """Further mounts."""
        (place / "t").write_text("tester:token-of-twenty-octets\n")
        return [
            {"path": "/plain", "root": "root"},
            {"path": "/guarded", "root": "root", "uploads": {"tokens_file": "t"}},
        ]

    def converse(self, daemon: DaemonProcess, octets: bytes) -> bytes:
        """All that is answered until the connection ends."""
        with socket.create_connection(("127.0.0.1", daemon.file_port), timeout=PATIENCE) as wire:
            wire.sendall(octets)
            return settled(receive(wire))

    def test_answers(self) -> None:
        """Every octet of every answer is the same."""
        for name, octets in CONVERSATIONS.items():
            with self.subTest(name):
                expected = self.converse(self.other, octets)
                self.assertTrue(expected.startswith(b"HTTP/1."), expected)
                self.assertEqual(self.converse(self.daemon, octets), expected)


class Put:
    """A PUT of the first octets of a file of *size*, over a connection of its own."""

    def __init__(self, port: int, name: str, size: int, source: str = "127.0.0.1") -> None:
        self.wire = socket.create_connection(
            ("127.0.0.1", port), timeout=PATIENCE, source_address=(source, 0)
        )
        self._target = f"PUT /files/{name}"
        self._size = size

    def send(self, start: int, stop: int, count: int | None = None) -> None:
        """The head for ``[start, stop)``, and *count* octets of it."""
        span = f"Content-Range: bytes {start}-{stop - 1}/{self._size}"
        head = ask(self._target, span, f"Content-Length: {stop - start}")
        self.wire.sendall(head + content(1, start, stop - start if count is None else count))

    def go_on(self, start: int, stop: int) -> None:
        """More octets."""
        self.wire.sendall(content(1, start, stop - start))

    def status(self) -> int:
        """What the next answer says."""
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += self.wire.recv(65536) or b"HTTP/1.1 0 ended\r\n\r\n"
        return int(octets.split(b" ", 2)[1])

    def reset(self) -> None:
        """Break the connection."""
        self.wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.wire.close()


SIZE = 3 << 20
HALF = SIZE // 2


def offset_of(port: int, name: str) -> int:
    """How much of a file of `SIZE` is there."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)) as wire:
        wire.request("PUT", f"/files/{name}", b"", {"Content-Range": f"bytes */{SIZE}"})
        answer = wire.getresponse()
        return int(answer.headers.get("Upload-Offset", 0))


class RelayTests(OpsCase):
    """The daemon, its workers and the socket between them."""

    def setUp(self) -> None:
        super().setUp()
        self.log = self.make_directory() / "access.log"
        self.socket = self.daemon.directory / "state" / "relay.sock"

    def serve(self, **more: object) -> None:
        """Write a configuration with a worker and a mount that takes uploads."""
        mount = self.mount("/files", uploads={"anonymous": True})
        log = {"path": str(self.log), "format": "json"}
        self.configure(server={"mounts": [mount], **WORKER, "access_log": log, **more})

    def start(self, **more: object) -> None:
        """The same, and start."""
        self.serve(**more)
        self.daemon.start()

    def put(self, name: str = "up.bin", source: str = "127.0.0.1") -> Put:
        """A connection that will bring a file of `SIZE`."""
        sent = Put(self.daemon.file_port, name, SIZE, source)
        self.addCleanup(sent.wire.close)
        return sent

    def metric(self, name: str) -> float:
        """A number on the page for Prometheus."""
        page = self.daemon.api.request("GET", "/metrics").body.decode()
        found = re.search(rf"^{name} (.+)$", page, re.MULTILINE)
        return float(found[1]) if found else 0.0

    def came(self, count: int) -> None:
        """Wait until so many octets of bodies were received."""
        until(lambda: self.metric("rangedaemon_upload_received_bytes_total") >= count, "octets")

    def test_worker_killed(self) -> None:
        """A worker dies in the middle: what came is kept, and another carries the rest."""
        self.start()
        sent = self.put()
        sent.send(0, SIZE, HALF)
        self.came(HALF)
        for pid in child_pids(self.daemon):
            os.kill(pid, signal.SIGKILL)
        self.assertEqual(offset_of(self.daemon.file_port, "up.bin"), HALF)
        rest = self.put()
        rest.send(HALF, SIZE)
        self.assertEqual(rest.status(), 201)
        self.assert_file(self.root / "up.bin", 1, SIZE)

    def test_reset(self) -> None:
        """A client resets its connection: what came is kept."""
        self.start()
        sent = self.put()
        sent.send(0, SIZE, HALF)
        self.came(HALF)
        sent.reset()
        self.assertEqual(offset_of(self.daemon.file_port, "up.bin"), HALF)

    def test_address(self) -> None:
        """The access log has the client's own address, on one line for its request."""
        self.start()
        sent = self.put(source="127.0.0.9")
        sent.send(0, SIZE)
        self.assertEqual(sent.status(), 201)
        until(lambda: self.log.exists() and self.log.read_text(), "a line")
        (line,) = self.log.read_text().splitlines()
        self.assertIn('"peer": "127.0.0.9"', line)
        self.assertIn(f'"received": {SIZE}', line)

    def test_kept(self) -> None:
        """Uploads share a connection, which is one; the first other request is its last."""
        self.start()
        wire = http.client.HTTPConnection("127.0.0.1", self.daemon.file_port, timeout=PATIENCE)
        self.addCleanup(wire.close)
        for name in ("one", "two"):
            wire.auto_open = int(wire.sock is None)
            wire.request("PUT", f"/files/{name}", name.encode())
            answer = wire.getresponse()
            self.assertEqual((answer.status, answer.read()), (201, b""))
        until(lambda: self.metric("rangedaemon_connections") == 1, "it is counted once")
        wire.request("GET", "/files/two")
        answer = wire.getresponse()
        self.assertEqual(answer.headers["Connection"], "close")
        self.assertEqual((answer.status, answer.read()), (200, b"two"))
        self.assertEqual(get(self.daemon.file_port, "/files/one")[2], b"one")

    def test_socket(self) -> None:
        """Nobody else can open it; it goes at a stop, and what a kill leaves is replaced."""
        self.start()
        for end in (self.daemon.kill, self.daemon.terminate):
            self.assertEqual(stat.S_IMODE(self.socket.stat().st_mode), 0o600)
            sent = self.put("one.bin")
            sent.send(0, SIZE)
            self.assertEqual(sent.status(), 201)
            end()
            if end == self.daemon.kill:
                self.assertTrue(self.socket.exists())
                self.daemon.start()
        self.assertFalse(self.socket.exists())

    def test_socket_gone(self) -> None:
        """Without it uploads are told to come later, and files are served."""
        self.start()
        self.socket.unlink()
        sent = self.put()
        sent.send(0, SIZE, HALF)
        answer = receive(sent.wire)
        self.assertTrue(answer.startswith(b"HTTP/1.1 503 Service Unavailable\r\n"), answer)
        self.assertIn(b"\r\nRetry-After: ", answer)
        self.assertEqual(get(self.daemon.file_port, "/files/none")[0], 404)

    def test_drain(self) -> None:
        """A stop does not wait for the octets of an upload, and keeps what came."""
        self.start()
        sent = self.put()
        sent.send(0, SIZE, HALF)
        self.came(HALF)
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertEqual(receive(sent.wire), b"")
        self.daemon.start()
        self.assertEqual(offset_of(self.daemon.file_port, "up.bin"), HALF)

    def test_silent(self) -> None:
        """Who falls silent in the middle is given up, and what came is kept."""
        self.start(limits={"idle_timeout": "2s"})
        sent = self.put()
        sent.send(0, SIZE, 10_000)
        self.assertEqual(receive(sent.wire), b"")
        self.assertEqual(offset_of(self.daemon.file_port, "up.bin"), 10_000)

    def test_reload(self) -> None:
        """A mount takes uploads from a reload on; what it takes then is fixed as ever."""
        self.configure(server={"mounts": [self.mount("/files")], **WORKER})
        self.daemon.start()
        self.assertFalse(self.socket.exists())
        sent = self.put()
        sent.send(0, SIZE)
        self.assertEqual(sent.status(), 405)
        self.serve()
        self.assertIn("server.mounts", self.reloaded())
        again = self.put()
        again.send(0, SIZE)
        self.assertEqual(again.status(), 201)
        self.configure(server={"mounts": [self.mount("/files")], **WORKER})
        self.assertIn("which mounts take uploads", str(self.refused()))

    def test_other_workers(self) -> None:
        """An upload goes on while a reload puts other processes in the place of its worker."""
        self.start()
        sent = self.put()
        sent.send(0, SIZE, HALF)
        self.came(HALF)
        for number in (0, 2):
            self.serve(workers=number)
            self.assertEqual(self.reloaded(), {"server.workers"})
            beside = self.put(f"beside-{number}")
            beside.send(0, SIZE)
            self.assertEqual(beside.status(), 201)
        sent.go_on(HALF, SIZE)
        self.assertEqual(sent.status(), 201)
        self.assert_file(self.root / "up.bin", 1, SIZE)

    def test_tls(self) -> None:
        """Over TLS: cut and gone on with; an upload's address is of https."""
        pem, port = make_certificate(self.make_directory(), "localhost"), free_port()
        listen = f"ssl:{port}:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
        self.start(listen=[listen, f"tcp:{self.daemon.file_port}:interface=127.0.0.1"])
        context = ssl.create_default_context(cafile=str(pem))

        def secure() -> Put:
            sent = Put(port, "up.bin", SIZE)
            sent.wire = context.wrap_socket(sent.wire, server_hostname="localhost")
            self.addCleanup(sent.wire.close)
            return sent

        cut = secure()
        cut.send(0, SIZE, HALF)
        self.came(HALF)
        cut.wire.close()
        self.assertEqual(offset_of(self.daemon.file_port, "up.bin"), HALF)
        rest = secure()
        rest.send(HALF, SIZE)
        self.assertEqual(rest.status(), 201)
        self.assert_file(self.root / "up.bin", 1, SIZE)
        early = secure()
        early.wire.sendall(ask("POST /files", f"Content-Length: {SIZE}", body="12345"))
        self.assertEqual(early.status(), 400)
        new = secure().wire
        new.sendall(last("POST /files", TUS, "Upload-Length: 5"))
        self.assertIn(b"\r\nLocation: https://files.example/files/.uploads/tus/", receive(new))
