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
from contextlib import closing

from tests.hostile.content import content
from tests.integration.ops_case import OpsCase, child_pids, make_certificate
from tests.integration.ports import free_port
from tests.integration.readers import get, receive
from tests.integration.test_relay_same import TUS, WORKER, ask, last
from tests.integration.waiting import PATIENCE, until


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
