"""Sockets that systemd listens at for the file server, with workers and without."""

from __future__ import annotations

import contextlib
import fcntl
import signal
import socket
import subprocess
import sys

from tests.hostile import content, write_content
from tests.integration.case import IntegrationCase
from tests.integration.daemon import environment
from tests.integration.waiting import PATIENCE, until

SIZE = 3 << 20
SEED = 11
_REQUEST = b"GET /files/f.bin HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
_HAND_OVER = """
import os, sys
names, *numbers = sys.argv.pop(1).split(",")
for place, number in enumerate(numbers, 3):
    os.dup2(int(number), place, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS=str(len(numbers)), LISTEN_FDNAMES=names)
from twisted.scripts.twistd import run
run()
"""


def receive(peer: socket.socket) -> bytes:
    """The body of an answer to its end."""
    blocks = []
    while block := peer.recv(1 << 20):
        blocks.append(block)
    return b"".join(blocks).partition(b"\r\n\r\n")[2]


class HandedOverTests(IntegrationCase):
    """One process serves at them."""

    workers = 0

    def setUp(self) -> None:
        """Listen as systemd would, and start the daemon with what listens."""
        root = self.make_directory()
        write_content(root / "f.bin", SEED, SIZE)
        self.path = root.with_name(f"{root.name}.sock")
        self.addCleanup(self.path.unlink, missing_ok=True)
        self.network = self.listening(socket.AF_INET, ("127.0.0.1", 0))
        self.local = self.listening(socket.AF_UNIX, str(self.path))
        self.path.chmod(0o660)
        self.daemon = self.make_daemon(
            {
                "server": {
                    "listen": ["systemd:domain=INET:name=net", "systemd:domain=UNIX:name=local"],
                    "mounts": [{"path": "/files", "root": str(root)}],
                    "workers": self.workers,
                }
            }
        )
        self.process = self.start()

    def listening(self, family: int, address: object) -> socket.socket:
        """A socket that a test closes at its end."""
        made = socket.socket(family)
        self.addCleanup(made.close)
        made.bind(address)  # type: ignore[arg-type]
        made.listen()
        return made

    def start(self) -> subprocess.Popen[bytes]:
        """The daemon, which finds them at 11 and above, so that no number is in the way."""
        with contextlib.ExitStack() as stack:
            high = [stack.enter_context(_moved_up(each)) for each in (self.network, self.local)]
            numbers = [each.fileno() for each in high]
            told = ",".join(["net:local", *map(str, numbers)])
            process = subprocess.Popen(
                [sys.executable, "-c", _HAND_OVER, told,
                 "-n", "--pidfile=", "rangedaemon", "-c", "conf.yaml"],
                cwd=self.daemon.directory, env=environment(), pass_fds=numbers,
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        until(self.daemon.api.healthy, "the daemon is ready")
        return process

    def fetch(self, family: int, address: object) -> bytes:
        """The file by a new connection."""
        with socket.socket(family) as peer:
            peer.settimeout(PATIENCE)
            peer.connect(address)  # type: ignore[arg-type]
            peer.sendall(_REQUEST)
            return receive(peer)

    def test_served(self) -> None:
        """Files are served at both, and again by the daemon's successor."""
        for _ in range(2):
            self.assert_served()
            self.stop()
            self.assertEqual(self.network.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
            self.assertEqual(self.local.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN), 1)
            self.process = self.start()
        self.assert_served()

    def assert_served(self) -> None:
        whole = content(SEED, 0, SIZE)
        for _ in range(3):
            self.assertEqual(self.fetch(socket.AF_INET, self.network.getsockname()), whole)
            self.assertEqual(self.fetch(socket.AF_UNIX, str(self.path)), whole)

    def stop(self) -> None:
        """As systemd does."""
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE)

    def test_file_is_not_ours(self) -> None:
        """The Unix socket keeps its permissions, and its file when the daemon stops."""
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o660)
        self.assertEqual(self.fetch(socket.AF_UNIX, str(self.path)), content(SEED, 0, SIZE))
        self.stop()
        self.assertTrue(self.path.is_socket())
        self.assertEqual(self.path.stat().st_mode & 0o777, 0o660)


class HandedOverToWorkersTests(HandedOverTests):
    """Workers do, at the sockets of the daemon."""

    workers = 2


def _moved_up(given: socket.socket) -> socket.socket:
    """The same socket under a number that is none of those which the daemon expects."""
    return socket.socket(fileno=fcntl.fcntl(given.fileno(), fcntl.F_DUPFD_CLOEXEC, 11))
