"""TLS over lines that break, meddle or dribble: the file is right all the same."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.integration.api import Job
from tests.integration.case import IntegrationCase
from tests.integration.cutting import CuttingProxy

MIB = 1 << 20
SIZE = 12 * MIB
HEAD = 16 * 1024
"""Octets of an answer within which handshakes lie, and are left alone."""

Meddle = Callable[[socket.socket, bytes], None]
"""Passes octets on to the client, or does something else to it."""


class Meddler(CuttingProxy):
    """Carries what clients ask for, and lets *meddle* see to what they are answered.

    It is called instead of passing on where another *every* octets have come, over all
    connections, *times* times; never for the first octets of a connection.
    """

    def __init__(self, target: int, every: int, times: int, meddle: Meddle) -> None:
        self._every, self._due, self._times = every, every, times
        self._meddle = meddle
        self._answered = 0
        self._turn = threading.Lock()
        self.meddled = 0
        """How often that was done."""
        super().__init__(target, [])

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        first = 0
        with contextlib.suppress(OSError):
            while octets := server.recv(65536):
                first += len(octets)
                if first > HEAD and self._is_due(len(octets)):
                    self._meddle(client, octets)
                else:
                    client.sendall(octets)
            client.shutdown(socket.SHUT_WR)

    def _is_due(self, count: int) -> bool:
        with self._turn:
            self._answered += count
            due = self._answered >= self._due and self.meddled < self._times
            if due:
                self._due += self._every
                self.meddled += 1
            return due


def _end(client: socket.socket, octets: bytes) -> None:
    """Send a part, then say at the level of TCP that nothing follows."""
    client.sendall(octets[: len(octets) // 2])
    client.shutdown(socket.SHUT_WR)
    raise OSError


def _flip(client: socket.socket, octets: bytes) -> None:
    """One bit is another."""
    forged = bytearray(octets)
    forged[len(forged) // 2] ^= 1
    client.sendall(forged)


def _dribble(client: socket.socket, octets: bytes) -> None:
    """Pieces that have nothing to do with records."""
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    at, size = 0, 1
    while at < len(octets):
        client.sendall(octets[at : at + size])
        at, size = at + size, size % 997 + 1


class BrokenTlsTests(IntegrationCase):
    """A file over TLS from nginx, past somebody who meddles."""

    def fetch(
        self, every: int, times: int, meddle: Meddle, segments: int = 3
    ) -> tuple[Job, Meddler]:
        """Fetch it: it is whole and right."""
        root = self.make_directory()
        content = os.urandom(SIZE)
        (root / "file.bin").write_bytes(content)
        nginx = self.make_nginx(root, tls=True)
        meddler = Meddler(nginx.port, every, times, meddle)
        self.addCleanup(meddler.close)
        retry = {"attempts": 20, "initial_delay": "20ms", "max_delay": "50ms"}
        downloads = {"segments": segments, "min_segment_size": "1MiB", "retry": retry}
        trust = {"SSL_CERT_FILE": str(nginx.certificate)}
        daemon = self.make_daemon({"downloads": downloads}, env=trust).start()
        job = daemon.api.add(f"https://127.0.0.1:{meddler.port}/file.bin")
        job = daemon.api.wait_for(job["id"], "complete")
        self.assertEqual(Path(job["path"]).read_bytes(), content)
        return job, meddler

    def test_ended(self) -> None:
        """What came before an end that nobody announced is kept, and nothing else is believed."""
        job, meddler = self.fetch(2 * MIB, 4, _end)
        self.assertEqual(meddler.meddled, 4)
        self.assertLess(job["refetched"], SIZE // 10)

    def test_forged(self) -> None:
        """A bit that was changed on the way costs the connection, and reaches no file."""
        job, meddler = self.fetch(2 * MIB, 4, _flip)
        self.assertEqual(meddler.meddled, 4)
        self.assertLess(job["refetched"], SIZE // 10)

    def test_dribbling(self) -> None:
        """Octets that come in drops make up the same file, and nothing is fetched again.

        By one connection: where drops come slowly, another one would race for the same octets.
        """
        job, meddler = self.fetch(65536, 40, _dribble, segments=1)
        self.assertGreater(meddler.meddled, 10)
        self.assertEqual(job["refetched"], 0)
