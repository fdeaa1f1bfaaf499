"""
The hostile origin itself: a listening socket, a thread for each connection.

It runs inside the test's process, so a test can read the ledger, open gates and
change files while a daemon in another process talks to it.
"""

from __future__ import annotations

import socket
import threading
from types import TracebackType
from typing import Self

from tests.hostile.answers import Answer, text
from tests.hostile.asks import Ask
from tests.hostile.faults import compose
from tests.hostile.gates import Gates
from tests.hostile.instead import Passes
from tests.hostile.ledger import Ledger
from tests.hostile.wire import Wire

_SEND_BUFFER = 64 * 1024
"""Small, so that octets counted as sent are nearly the octets that the peer read."""


class HostileOrigin:
    """Listens on a free port of 127.0.0.1 from construction until `close`."""

    def __init__(self, port: int = 0) -> None:
        """:param port: where to listen; 0: at any free port."""
        self.ledger = Ledger()
        self.gates = Gates()
        self.complaints: list[str] = []
        """Addresses that ask for faults which do not exist; a test's own mistake."""
        self._seeds: dict[str, int] = {}
        self._removed: set[str] = set()
        self._passes = Passes()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._wires: dict[threading.Thread, socket.socket] = {}
        self._listener = socket.create_server(("127.0.0.1", port), backlog=128)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        self.port: int = self._listener.getsockname()[1]
        self._acceptor = threading.Thread(target=self._accept, name="hostile-accept", daemon=True)
        self._acceptor.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def url(self, target: str) -> str:
        """The address of a target."""
        return f"http://127.0.0.1:{self.port}{target}"

    def change(self, path: str, seed: int) -> None:
        """Put another version of the same size at *path* (faults and all, no query)."""
        with self._lock:
            self._seeds[path] = seed

    def remove(self, path: str) -> None:
        """Answer 404 for *path* from now on."""
        with self._lock:
            self._removed.add(path)

    def close(self) -> None:
        """End every connection and thread, if that was not done before."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self.gates.close_down()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._acceptor.join(10)
        with self._lock:
            wires = list(self._wires.items())
        for thread, sock in wires:
            _shut(sock)
            thread.join(10)
        if self.complaints:
            raise AssertionError("; ".join(self.complaints))

    def _accept(self) -> None:
        serial = 0
        while not self._stopping.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            serial += 1
            self._start(sock, serial)

    def _start(self, sock: socket.socket, serial: int) -> None:
        wire = Wire(sock, serial, self.ledger, self.gates, self._stopping, self._answer)
        thread = threading.Thread(target=self._serve, args=(wire,), daemon=True)
        with self._lock:
            self._wires[thread] = sock
        thread.start()

    def _serve(self, wire: Wire) -> None:
        try:
            wire.serve()
        finally:
            with self._lock:
                self._wires.pop(threading.current_thread(), None)

    def _answer(self, ask: Ask) -> Answer:
        with self._lock:
            if ask.path in self._removed:
                return text(404, "it was here")
            try:
                return compose(ask, self._seeds.get(ask.path), self._passes)
            except (KeyError, ValueError) as error:
                self.complaints.append(f"{ask.target}: {error}")
                return text(500, f"bad address: {error}")


def _shut(sock: socket.socket) -> None:
    """Wake a thread that waits in this socket, closed or not."""
    try:
        sock.shutdown(socket.SHUT_RDWR)
    except OSError:
        return
