"""Several processes at the same sockets: what readers see when one dies, and at a stop."""

from __future__ import annotations

import contextlib
import errno
import http.client
import os
import re
import signal
import socket
import ssl
import subprocess
import time
from pathlib import Path

from tests.hostile import content, write_content
from tests.integration.case import IntegrationCase
from tests.integration.ops_case import children_of
from tests.integration.ports import free_port
from tests.integration.readers import Reader, get, receive
from tests.integration.waiting import PATIENCE, gone, until

SIZE = 48 << 20
SEED = 7
DRAIN = 60.0
"""Seconds for which a stop would wait for readers, far more than a stop takes."""
REQUEST = b"GET /files/f.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"


def holds(pid: int, port: int) -> bool:
    """Whether the process has the connection whose other end is *port* here."""
    inodes = {
        fields[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if int((fields := line.split())[2].rpartition(":")[2], 16) == port
    }
    return any(f"socket:[{inode}]" in open_files(pid) for inode in inodes)


def open_files(pid: int) -> set[str]:
    """What the process has open; it may open and close files meanwhile."""
    found = set()
    for link in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):
            found.add(str(link.readlink()))
    return found


def refused(port: int) -> bool:
    """Whether nobody listens there: the last thread of a process that ends may do so for long."""
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == errno.ECONNREFUSED


class ServedCase(IntegrationCase):
    """A daemon that serves one folder."""

    workers = 2
    limits: dict[str, object] = {"drain_timeout": DRAIN}

    def setUp(self) -> None:
        """Start it; the folder holds ``f.bin``."""
        self.root = self.make_directory()
        write_content(self.root / "f.bin", SEED, SIZE)
        self.log = self.root.with_name(f"{self.root.name}.log")
        self.addCleanup(self.log.unlink, missing_ok=True)
        server = {
            "mounts": [{"path": "/files", "root": str(self.root)}],
            "workers": self.workers,
            "limits": self.limits,
            "access_log": {"path": str(self.log)},
            **self.listening(),
        }
        self.daemon = self.make_daemon({"server": server}).start()
        self.pids = children_of(self.daemon.pid)
        self.addCleanup(self.end_strays)

    def listening(self) -> dict[str, object]:
        """Where, if not at the usual port."""
        return {}

    def end_strays(self) -> None:
        """No worker outlives its test."""
        for pid in self.pids:
            if not gone(pid):
                os.kill(pid, signal.SIGKILL)

    def replaced(self, victim: int) -> None:
        """Kill a worker and wait until another is there."""
        os.kill(victim, signal.SIGKILL)
        until(lambda: len(children_of(self.daemon.pid) - {victim}) == 2, "there are two again")
        self.pids |= children_of(self.daemon.pid)

    def begin(self) -> Reader:
        """A connection with a transfer under way that nobody reads yet."""
        reader = Reader(self.daemon.file_port, "/files/f.bin")
        self.addCleanup(reader.close)
        self.assertEqual(reader.status, "200")
        return reader

    def holder(self, peer: Reader) -> int:
        """Which worker serves it."""
        return until(
            lambda: next((pid for pid in self.pids if holds(pid, peer.port)), None),
            "a worker has it",
        )

    def get(self, path: str = "/files/f.bin") -> bytes:
        """The file by a new connection."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.daemon.file_port, timeout=PATIENCE
        )
        self.addCleanup(connection.close)
        connection.request("GET", path)
        return connection.getresponse().read()

    def assert_whole(self, octets: bytes) -> None:
        """An answer has the whole file."""
        self.assertTrue(octets.endswith(content(SEED, 0, SIZE)))

    def all_gone(self) -> None:
        """No worker is left."""
        until(lambda: all(map(gone, self.pids)), "all workers have ended")


class WorkersTests(ServedCase):
    """Two workers at one TCP port."""

    def test_death_beside(self) -> None:
        """A worker dies: the transfer of the other one goes on, and another takes its place."""
        self.assertEqual(len(self.pids), 2)
        peer = self.begin()
        (victim,) = self.pids - {self.holder(peer)}
        os.kill(victim, signal.SIGKILL)
        self.assert_whole(peer.rest())
        until(lambda: len(children_of(self.daemon.pid) - {victim}) == 2, "there are two again")
        self.assertIn(f"worker {victim} is gone", self.daemon.log)
        self.pids |= children_of(self.daemon.pid)

    def test_death_under(self) -> None:
        """The worker of a transfer dies: that ends short, and the next request is answered."""
        peer = self.begin()
        victim = self.holder(peer)
        os.kill(victim, signal.SIGKILL)
        self.assertLess(len(peer.rest()), SIZE)
        self.assert_whole(self.get())
        until(lambda: len(children_of(self.daemon.pid) - {victim}) == 2, "there are two again")
        self.pids |= children_of(self.daemon.pid)
        self.assert_whole(self.get())

    def test_daemon_killed(self) -> None:
        """SIGKILL of the daemon ends its workers too, in the middle of a transfer."""
        peer = self.begin()
        self.daemon.kill()
        self.all_gone()
        self.assertLess(len(peer.rest()), SIZE)
        until(lambda: refused(self.daemon.file_port), "nobody listens any more")

    def test_counts(self) -> None:
        """Octets that workers sent are in the daemon's metrics, also those of a dead one."""
        peer = self.begin()
        victim = self.holder(peer)
        self.assert_whole(peer.rest())
        self.assert_whole(self.get())

        def sent() -> bool:
            found = re.search(r"^rangedaemon_sent_bytes_total (.+)$", self.metrics(), re.MULTILINE)
            return found is not None and float(found[1]) == 2 * SIZE

        until(sent, "all octets are counted")
        os.kill(victim, signal.SIGKILL)
        until(lambda: "rangedaemon_workers 2.0" in self.metrics(), "another has come")
        self.assertTrue(sent())
        self.assertIn('rangedaemon_file_answers_total{status="200"} 2.0', self.metrics())
        self.pids |= children_of(self.daemon.pid)

    def test_access_log(self) -> None:
        """Both write whole lines into one log."""
        for _ in range(20):
            self.get("/files/none")
        until(lambda: self.log.exists() and self.log.read_text().count("\n") == 20, "the lines")
        for line in self.log.read_text().splitlines():
            self.assertIn('"GET /files/none HTTP/1.1" 404 ', line)

    def metrics(self) -> str:
        """The page for Prometheus."""
        connection = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=PATIENCE)
        self.addCleanup(connection.close)
        token = (self.daemon.directory / "state" / "control.token").read_text().strip()
        connection.request("GET", "/metrics", headers={"Authorization": f"Bearer {token}"})
        return connection.getresponse().read().decode()


class DrainTests(ServedCase):
    """A stop while a reader is served, by workers."""

    def test_finishes(self) -> None:
        """What was begun is finished; new readers are refused meanwhile; then all end well."""
        peer = self.begin()
        os.kill(self.daemon.pid, signal.SIGTERM)

        def refused() -> bool:
            try:
                status, fields, _ = get(self.daemon.file_port, "/files/f.bin")
            except OSError:  # the answer may come before the question
                return False
            return status == 503 and "Retry-After" in fields

        until(refused, "readers are told to come back later")
        health = self.daemon.api.request("GET", "/healthz")
        self.assertEqual(health.status, 503)
        self.assertIn("Retry-After", health.headers)
        self.assertEqual(self.daemon.api.request("GET", "/api/v1/jobs").status, 503)
        self.assert_whole(peer.rest())
        self.assertEqual(self.daemon.wait_ended(), 0)
        self.all_gone()

    def test_twice(self) -> None:
        """A second signal ends it at once, and well: the journal is closed in order."""
        peer = self.begin()
        os.kill(self.daemon.pid, signal.SIGTERM)
        until(lambda: "stopping" in self.daemon.log, "the first is heard")
        began = time.monotonic()
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertLess(time.monotonic() - began, DRAIN / 2)
        self.assertLess(len(peer.rest()), SIZE)
        self.assertFalse(list((self.daemon.directory / "state").glob("*-wal")))
        self.all_gone()


class DrainInProcessTests(DrainTests):
    """The same by the daemon itself."""

    workers = 0


class ImpatientTests(ServedCase):
    """A stop while a reader takes nothing, by workers."""

    limits = {"drain_timeout": 0.5}

    def test_cut(self) -> None:
        """After its time the answer is cut short, and the daemon ends well."""
        peer = self.begin()
        began = time.monotonic()
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertLess(time.monotonic() - began, DRAIN / 2)
        self.assertLess(len(peer.rest()), SIZE)
        self.all_gone()


class ImpatientInProcessTests(ImpatientTests):
    """The same by the daemon itself."""

    workers = 0


class OtherSocketsTests(ServedCase):
    """Workers at a Unix socket and behind TLS."""

    def listening(self) -> dict[str, object]:
        place = self.make_directory()
        self.unix = place / "files.sock"
        self.pem = place / "tls.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost",
             "-keyout", str(self.pem), "-out", str(place / "cert.pem"), "-days", "2"],
            check=True, capture_output=True,
        )  # fmt: skip
        self.pem.write_text(self.pem.read_text() + (place / "cert.pem").read_text())
        self.tls_port = free_port()
        return {
            "listen": [
                f"unix:{self.unix}:mode=600",
                f"ssl:{self.tls_port}:interface=127.0.0.1:privateKey={self.pem}:certKey={self.pem}",
            ]
        }

    def test_unix(self) -> None:
        """The socket keeps its mode; a worker's death does not take its file away."""
        for _ in range(2):
            self.assertEqual(self.unix.stat().st_mode & 0o777, 0o600)
            self.assert_whole(self.over(self.connected_unix()))
            self.replaced(children_of(self.daemon.pid).pop())
        self.daemon.terminate()
        self.assertFalse(self.unix.exists())

    def test_tls(self) -> None:
        """Each worker speaks TLS with the certificate of the endpoint."""
        context = ssl.create_default_context(cafile=str(self.pem))
        context.check_hostname = False
        for _ in range(4):
            plain = socket.create_connection(("127.0.0.1", self.tls_port), timeout=PATIENCE)
            with context.wrap_socket(plain) as peer:
                self.assert_whole(self.over(peer))

    def connected_unix(self) -> socket.socket:
        """A connection to the Unix socket."""
        peer = socket.socket(socket.AF_UNIX)
        peer.settimeout(PATIENCE)
        peer.connect(str(self.unix))
        self.addCleanup(peer.close)
        return peer

    def over(self, peer: socket.socket) -> bytes:
        """The whole answer over a connection."""
        peer.sendall(REQUEST)
        return receive(peer)
