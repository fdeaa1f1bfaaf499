"""Limits of the configuration, as readers of a real daemon meet them."""

from __future__ import annotations

import contextlib
import resource
import socket
import time
from pathlib import Path
from typing import Any

from tests.integration.case import IntegrationCase
from tests.integration.waiting import PATIENCE, until


class LimitsTests(IntegrationCase):
    """``server.limits`` and a mount's rate."""

    def serve(self, limits: dict[str, Any], workers: int = 0, **mount: Any) -> None:
        """A daemon with these limits that serves a file of 400,000 octets."""
        root = self.make_directory()
        (root / "f").write_bytes(bytes(400_000))
        server = {
            "mounts": [{"path": "/", "root": str(root), **mount}],
            "limits": limits,
            "workers": workers,
        }
        self.daemon = self.make_daemon({"server": server}).start()

    def connect(self) -> socket.socket:
        """A connection."""
        peer = socket.create_connection(("127.0.0.1", self.daemon.file_port), timeout=PATIENCE)
        self.addCleanup(peer.close)
        return peer

    def test_connections(self) -> None:
        """One more than there may be is told so; when one goes there is room again."""
        self.serve({"connections": 2})
        first, _ = self.connect(), self.connect()
        self.assertTrue(self.connect().recv(100).startswith(b"HTTP/1.1 503 "))
        first.close()

        def has_room() -> bool:
            peer = self.connect()
            with contextlib.suppress(ConnectionError):  # the answer may come before the question
                peer.sendall(b"HEAD /f HTTP/1.1\r\nHost: h\r\n\r\n")
                return peer.recv(100).startswith(b"HTTP/1.1 200 ")
            return False

        until(has_room, "there is room again")

    def test_head_timeout(self) -> None:
        """A head that drips is given up."""
        self.serve({"head_timeout": 0.5})
        peer = self.connect()
        peer.sendall(b"GET /f HTTP/1.1\r\n")
        began = time.monotonic()
        peer.recv(1000)
        self.assertLess(time.monotonic() - began, 25)  # by default it is 30

    def test_total_rate(self) -> None:
        """Two readers at once get no more than the mount's rate, by one process or by two."""
        for workers in (0, 2):
            self.serve({}, workers, rate_limit_total=400_000)
            began = time.monotonic()
            peers = [self.connect(), self.connect()]
            for peer in peers:
                peer.sendall(b"GET /f HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            for peer in peers:
                while peer.recv(1 << 16):
                    pass
            self.assertGreater(time.monotonic() - began, 1.5)

    def test_open_files(self) -> None:
        """The daemon and its workers may open as many files as the system lets them."""
        self.serve({}, workers=1)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        limits = Path(f"/proc/{self.daemon.pid}/limits").read_text()
        (line,) = (line for line in limits.splitlines() if line.startswith("Max open files"))
        most = 1 << 20 if hard == resource.RLIM_INFINITY else min(hard, 1 << 20)
        self.assertEqual(int(line.split()[3]), most)
