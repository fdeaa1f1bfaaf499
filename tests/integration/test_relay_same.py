"""Workers that carry uploads to the daemon's process: the same answers as of one process."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from tests.integration.daemon import DaemonProcess
from tests.integration.readers import receive
from tests.integration.uploading import UploadCase
from tests.integration.waiting import PATIENCE

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
