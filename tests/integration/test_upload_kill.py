"""The daemon killed, stopped, starved and flooded in the middle of uploads."""

from __future__ import annotations

import contextlib
import socket
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.hostile.content import content
from tests.integration.uploading import SIZE, UploadCase
from tests.integration.waiting import PATIENCE, until

OCTETS = "application/offset+octet-stream"
MIB = 1 << 20
RECEIVED = "rangedaemon_upload_received_bytes_total"


class MiddleCase(UploadCase):
    """Speaks tus and the draft by plain sockets."""

    def create(self, size: int = SIZE) -> str:
        """The path of a new tus upload."""
        reply = self.request(
            "POST", "/files", tus_resumable="1.0.0", upload_length=size,
            upload_metadata=f"filename {_base64(self.name)}",
        )  # fmt: skip
        self.assertEqual(reply.status, 201, reply.body)
        return "/" + reply.headers["location"].split("/", 3)[3]

    def offset(self, path: str) -> int:
        """Where a tus upload stands."""
        reply = self.request("HEAD", path, tus_resumable="1.0.0")
        self.assertEqual(reply.status, 200)
        return int(reply.headers["upload-offset"])

    def begin(self, path: str, offset: int, size: int = SIZE) -> socket.socket:
        """A PATCH of all that is missing, whose body is still to be sent."""
        wire = socket.create_connection(("127.0.0.1", self.daemon.file_port), timeout=PATIENCE)
        wire.sendall(
            f"PATCH {path} HTTP/1.1\r\nHost: h\r\nTus-Resumable: 1.0.0\r\n"
            f"Upload-Offset: {offset}\r\nContent-Type: {OCTETS}\r\n"
            f"Content-Length: {size - offset}\r\n\r\n".encode()
        )
        return wire

    def complete(self, path: str) -> int:
        """Send what is missing; where that began."""
        offset = self.offset(path)
        fields = {"tus_resumable": "1.0.0", "upload_offset": offset, "content_type": OCTETS}
        reply = self.request("PATCH", path, content(1, offset, SIZE - offset), **fields)
        self.assertEqual(reply.status, 204, reply.body)
        return offset

    def metric(self, name: str) -> float:
        """A number of the metrics page."""
        for line in self.daemon.api.request("GET", "/metrics").body.decode().splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise AssertionError(f"no metric {name}")


class KillTests(MiddleCase):
    """Ends of the daemon."""

    def test_killed(self) -> None:
        """SIGKILL in the middle, three times: what was claimed is there, and all is right."""
        path = self.create()
        claimed = 0
        for part in (1, 2, 3):
            before = self.metric(RECEIVED)
            with closing(self.begin(path, claimed)) as wire:
                wire.sendall(content(1, claimed, part * MIB - claimed))
                until(lambda before=before: self.metric(RECEIVED) > before, "something came")
                until(self.claims(path, claimed), "something is claimed")
                self.daemon.kill()
            self.daemon.start()
            claimed = self.offset(path)
            self.assertLessEqual(claimed, part * MIB)
        self.assert_absent()
        self.assertGreater(self.complete(path), 0)
        self.assert_received()

    def claims(self, path: str, before: int) -> Callable[[], bool]:
        """Whether octets beyond *before* are told to be safe; asking ends the request."""
        began = time.monotonic()

        def probe() -> bool:
            return time.monotonic() - began > 1.2 and self.offset(path) > before

        return probe

    def test_stopped(self) -> None:
        """SIGTERM loses nothing of what came."""
        path = self.create()
        before = self.metric(RECEIVED)
        with closing(self.begin(path, 0)) as wire:
            wire.sendall(content(1, 0, 2 * MIB))
            until(lambda: self.metric(RECEIVED) >= before + 2 * MIB, "it came")
            self.assertEqual(self.daemon.terminate(), 0)
        self.daemon.start()
        self.assertEqual(self.complete(path), 2 * MIB)
        self.assert_received()


class FloodTests(MiddleCase):
    """Clients that mean no good."""

    uploads = {"anonymous": True, "max_size": "1GiB", "max_parallel": 3}

    def test_memory(self) -> None:
        """Refused gigabytes, taken hundreds of megabytes: the memory stays what it was."""
        path = self.create(200 * MIB)
        block = content(1, 0, MIB)
        with closing(self.begin(path, 0, 200 * MIB)) as wire:
            for _ in range(200):
                wire.sendall(block)
            self.assertIn(b" 204 ", wire.recv(4096))
        refused = socket.create_connection(("127.0.0.1", self.daemon.file_port), timeout=PATIENCE)
        with closing(refused), self.assertRaises(OSError):
            refused.sendall(
                b"PUT /files/x HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000000\r\n\r\n"
            )
            for _ in range(2000):
                refused.sendall(block)
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) // 1024
        self.assertLess(peak, 180, "MiB")

    def test_parallel(self) -> None:
        """More requests at once than the mount takes: 503, and the others go on."""
        before = self.metric(RECEIVED)
        wires = [self.begin(self.create(), 0) for _ in range(3)]
        for wire in wires:
            self.addCleanup(wire.close)
            wire.sendall(content(1, 0, MIB))
        until(lambda: self.metric(RECEIVED) >= before + 3 * MIB, "all three are under way")
        fields = {"tus_resumable": "1.0.0", "upload_offset": 0, "content_type": OCTETS}
        reply = self.request("PATCH", self.create(), b"x", **fields)
        self.assertEqual((reply.status, reply.headers.get("retry-after")), (503, "5"))
        wires[0].sendall(content(1, MIB, SIZE - MIB))
        self.assertIn(b" 204 ", wires[0].recv(4096))

    def test_two_writers(self) -> None:
        """A newer PATCH ends the older one, which is told so."""
        path = self.create()
        with closing(self.begin(path, 0)) as older:
            before = self.metric(RECEIVED)
            older.sendall(content(1, 0, MIB))
            until(lambda: self.metric(RECEIVED) >= before + MIB, "the older one is under way")
            self.assertEqual(self.complete(path), MIB)
            self.assertIn(b" 409 ", older.recv(4096))
        self.assert_received()


class FullDiskTests(MiddleCase):
    """A file system without room."""

    def test_full(self) -> None:
        """507, and the upload goes on when there is room again."""
        state = self.make_tmpfs(self.make_directory() / "state", "size=100m")
        daemon = self.make_daemon(
            {
                "state_dir": str(state),
                "server": {"mounts": [
                    {"path": "/files", "root": str(self.root), "uploads": {"anonymous": True}},
                ]},
            }
        )  # fmt: skip
        self.daemon, shared = daemon, self.daemon
        self.addCleanup(setattr, self, "daemon", shared)
        daemon.api = type(daemon.api)(daemon.port, state / "control.token")
        daemon.start()
        reply = self.request("PUT", f"/files/{self.name}", bytes(60 * MIB))
        self.assertEqual(reply.status, 507, reply.body)
        self.assert_absent()
        self.assertEqual(self.put_chunked(120), 507, "nobody could know before")
        self.assert_absent()
        path = self.create(8 * MIB)
        fields = {"tus_resumable": "1.0.0", "upload_offset": 0, "content_type": OCTETS}
        reply = self.request("PATCH", path, content(1, 0, 8 * MIB), **fields)
        self.assertEqual(reply.status, 204, "there is room again")
        self.assert_received(size=8 * MIB)

    def put_chunked(self, count: int) -> int:
        """A PUT of so many mebibytes that does not tell their number; the status."""
        wire = socket.create_connection(("127.0.0.1", self.daemon.file_port), timeout=PATIENCE)
        head = f"PUT /files/{self.name} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
        with closing(wire):
            wire.sendall(head.encode())
            with contextlib.suppress(ConnectionError):
                for _ in range(count):
                    wire.sendall(b"100000\r\n" + bytes(MIB) + b"\r\n")
                wire.sendall(b"0\r\n\r\n")
            return int(wire.recv(4096).split()[1])


class DraftTests(MiddleCase):
    """The IETF draft by a small script, on raw sockets."""

    def interim(self, wire: socket.socket) -> tuple[int, dict[str, str]]:
        """The next head that comes."""
        octets = b""
        while not octets.endswith(b"\r\n\r\n"):
            octets += wire.recv(1)
        first, *lines = octets.decode().strip().split("\r\n")
        return int(first.split()[1]), dict(line.lower().split(": ", 1) for line in lines)

    def test_cut(self) -> None:
        """104 with an address, 104s of progress, a cut; HEAD, PATCH, and it is complete."""
        before = self.metric(RECEIVED)
        with closing(socket.create_connection(("127.0.0.1", self.daemon.file_port))) as wire:
            wire.settimeout(PATIENCE)
            wire.sendall(
                f"POST /files HTTP/1.1\r\nHost: h\r\nUpload-Complete: ?1\r\n"
                f'Content-Disposition: inline; filename="{self.name}"\r\n'
                f"Upload-Draft-Interop-Version: 8\r\nContent-Length: {SIZE}\r\n\r\n".encode()
            )
            status, fields = self.interim(wire)
            self.assertEqual((status, fields["upload-draft-interop-version"]), (104, "8"))
            path = fields["location"]
            wire.sendall(content(1, 0, 2 * MIB))
            status, fields = self.interim(wire)
            self.assertEqual(status, 104)
            self.assertGreater(int(fields["upload-offset"]), 0)
            until(lambda: self.metric(RECEIVED) >= before + 2 * MIB, "it came")
        reply = self.request("HEAD", path)
        self.assertEqual((reply.status, reply.headers["upload-complete"]), (204, "?0"))
        offset = int(reply.headers["upload-offset"])
        self.assertEqual(offset, 2 * MIB)
        fields = {
            "upload_offset": offset, "upload_complete": "?1",
            "content_type": "application/partial-upload",
        }  # fmt: skip
        reply = self.request("PATCH", path, content(1, offset, SIZE - offset), **fields)
        self.assertEqual((reply.status, reply.headers["upload-complete"]), (201, "?1"))
        self.assertEqual(reply.headers["location"], f"/files/{self.name}")
        self.assert_received()


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode()
