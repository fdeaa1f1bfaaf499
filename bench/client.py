"""A client of the control API that costs next to nothing itself: one connection, raw HTTP."""

from __future__ import annotations

import json
import socket
from typing import Any

from tests.integration.daemon import DaemonProcess


class Wire:
    """One connection that is kept."""

    def __init__(self, daemon: DaemonProcess) -> None:
        self.token = daemon.api.token
        self._socket = socket.create_connection(("127.0.0.1", daemon.port), 60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._fields = (
            f"Host: 127.0.0.1\r\nAuthorization: Bearer {self.token}\r\n"
            "Content-Type: application/json\r\n"
        ).encode()

    def ask(self, method: str, path: str, body: object = None) -> bytes:
        """The body of the answer, which must be a good one."""
        octets = b"" if body is None else json.dumps(body).encode()
        head = f"{method} {path} HTTP/1.1\r\nContent-Length: {len(octets)}\r\n".encode()
        self._socket.sendall(head + self._fields + b"\r\n" + octets)
        status, answer = self._answer()
        if status >= 300:
            raise AssertionError(f"{method} {path}: {status} {answer[:500]!r}")
        return answer

    def _answer(self) -> tuple[int, bytes]:
        octets = b""
        while b"\r\n\r\n" not in octets:
            octets += self._more()
        head, _, body = octets.partition(b"\r\n\r\n")
        length = int(head.lower().split(b"content-length: ")[1].split(b"\r\n")[0])
        parts, have = [body], len(body)
        while have < length:
            parts.append(self._more())
            have += len(parts[-1])
        return int(head[9:12]), b"".join(parts)

    def _more(self) -> bytes:
        octets = self._socket.recv(1 << 18)
        if not octets:
            raise AssertionError("the daemon closed the connection")
        return octets

    def call(self, method: str, *params: Any) -> Any:
        """The result of an aria2 method."""
        token = [] if method.startswith("system.") else [f"token:{self.token}"]
        body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": [*token, *params]}
        answer = json.loads(self.ask("POST", "/jsonrpc", body))
        if "error" in answer:
            raise AssertionError(f"{method}: {answer['error']}")
        return answer["result"]

    def events(self) -> socket.socket:
        """Ask for the event stream instead; the connection belongs to it from now on."""
        self._socket.sendall(b"GET /api/v1/events HTTP/1.1\r\n" + self._fields + b"\r\n")
        return self._socket

    def close(self) -> None:
        """Let go."""
        self._socket.close()
