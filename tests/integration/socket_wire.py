"""
The real control site on real sockets, without a reactor: octets carried by threads.

For programs that block, such as the command line: each connection has a thread
that carries octets between its socket and the site on its wire in memory.  One
lock keeps the site single-threaded; its clock goes on with the time that passes.
"""

from __future__ import annotations

import select
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from tests.control.wire import Connection, Wire

T = TypeVar("T")
_TURN = 0.01


class SocketWire:
    """A control site that listens; `close` ends it."""

    def __init__(self, wire: Wire, unix: Path | None = None) -> None:
        self.wire = wire
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []
        self._last = time.monotonic()
        if unix is None:
            self._listening = socket.create_server(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        else:
            self._listening = socket.socket(socket.AF_UNIX)
            self._listening.bind(str(unix))
            self._listening.listen()
            self.url = f"unix:{unix}"
        self._listening.settimeout(_TURN)
        self._start(self._accept)

    def close(self) -> None:
        """End all connections and listen no more."""
        self._ended.set()
        for thread in self._threads:
            thread.join(10)
        self._listening.close()

    def do(self, step: Callable[..., T], *arguments: Any, **named: Any) -> T:
        """Do something with the site or its jobs while nobody else does."""
        with self._lock:
            return step(*arguments, **named)

    def _start(self, target: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._ended.is_set():
            try:
                carried, _ = self._listening.accept()
            except TimeoutError:
                continue
            self._start(self._carry, carried)

    def _carry(self, carried: socket.socket) -> None:
        connection = self.do(self.wire.connect)
        with carried:
            while not self._ended.is_set() and self._turn(carried, connection):
                pass
        self.do(connection.hang_up)

    def _turn(self, carried: socket.socket, connection: Connection) -> bool:
        """Carry what there is; whether the connection lives on."""
        octets: bytes | None = None
        if select.select([carried], [], [], _TURN)[0]:
            try:
                octets = carried.recv(1 << 16)
            except ConnectionError:
                octets = b""
        answer, over = self.do(self._exchange, connection, octets)
        try:
            carried.sendall(answer)
        except OSError:
            return False
        return octets != b"" and not over

    def _exchange(self, connection: Connection, octets: bytes | None) -> tuple[bytes, bool]:
        now = time.monotonic()
        self.wire.clock.advance(now - self._last)
        self._last = now
        if octets:
            connection.send(octets)
        return connection.received(), connection.transport.disconnecting
