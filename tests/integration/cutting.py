"""A proxy on a real socket that breaks connections in the middle of what is sent."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterable

_BLOCK = 65536


class CuttingProxy:
    """
    Carries octets to *target*, and breaks the connection that reaches one of *cuts*.

    *cuts* are counts of octets that clients have sent, over all connections; each breaks
    one connection.  `close` ends it.
    """

    def __init__(self, target: int, cuts: Iterable[int]) -> None:
        self._target = target
        self._cuts = sorted(cuts)
        self._carried = 0
        self._lock = threading.Lock()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.broken = 0
        """Connections that were broken."""
        self._threads: list[threading.Thread] = []
        self._sockets: set[socket.socket] = set()
        self._start(self._accept)

    @property
    def carried(self) -> int:
        """Octets that clients have sent so far."""
        return self._carried

    def close(self) -> None:
        """End all connections, and accept no more."""
        with contextlib.suppress(OSError):
            self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        with self._lock:
            sockets = list(self._sockets)
        for each in sockets:
            _break(each)
        for thread in self._threads:
            thread.join(10)

    def _start(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            with self._lock:
                self._sockets |= {client, server}
            self._start(self._up, client, server)
            self._start(self._down, server, client)

    def _up(self, client: socket.socket, server: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := client.recv(_BLOCK):
                allowed = self._allowed(len(octets))
                server.sendall(octets[:allowed])
                if allowed < len(octets):
                    self.broken += 1
                    break
        _break(client)
        _break(server)

    def _allowed(self, count: int) -> int:
        """How many of *count* octets may pass before the next cut."""
        with self._lock:
            edge = self._cuts[0] if self._cuts else None
            if edge is None or self._carried + count <= edge:
                self._carried += count
                return count
            allowed = max(0, edge - self._carried)
            self._carried = edge
            self._cuts.pop(0)
            return allowed

    def _down(self, server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while octets := server.recv(_BLOCK):
                client.sendall(octets)
            client.shutdown(socket.SHUT_WR)


def _break(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)
    end.close()
