"""One connection of the hostile origin: heads come in, answers go out with their faults."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from http import HTTPStatus
from time import monotonic

from tests.hostile.answers import Answer
from tests.hostile.asks import Ask
from tests.hostile.gates import Gates
from tests.hostile.ledger import Exchange, Ledger

_BLOCK = 65536
_HEAD_LIMIT = 65536
_TICKS_PER_SECOND = 20


class Hangup(Exception):
    """The connection ends here, on purpose or because the origin closes."""


@dataclass
class Wire:
    """A connection; `serve` runs in a thread of its own until it ends."""

    sock: socket.socket
    serial: int
    ledger: Ledger
    gates: Gates
    stopping: threading.Event
    answer: Callable[[Ask], Answer]

    def serve(self) -> None:
        """Answer requests until the peer or a fault ends it."""
        with contextlib.suppress(Hangup, OSError), self.sock:
            buffered = b""
            while True:
                head, buffered = self._head(buffered)
                self._exchange(_ask(head))

    def _head(self, buffered: bytes) -> tuple[bytes, bytes]:
        """The next head and what came after it."""
        while b"\r\n\r\n" not in buffered:
            block = self.sock.recv(_BLOCK)
            if not block or len(buffered) > _HEAD_LIMIT:
                raise Hangup
            buffered += block
        head, _, rest = buffered.partition(b"\r\n\r\n")
        return head, rest

    def _exchange(self, ask: Ask) -> None:
        exchange = self.ledger.open(ask.method, ask.target, ask.fields, self.serial)
        try:
            ask = replace(ask, number=exchange.number, connection=exchange.connection)
            answer = self.answer(ask)
            exchange.status = answer.status
            self._send(answer, ask, exchange)
        finally:
            self.ledger.note(exchange, finished=True)

    def _send(self, answer: Answer, ask: Ask, exchange: Exchange) -> None:
        self.sock.sendall(answer.raw if answer.raw is not None else _head_of(answer))
        if answer.raw is None and ask.method != "HEAD" and answer.status != 304:
            self._body(answer, exchange)
        if answer.raw is not None and answer.stall is not None:
            self._silence()
        if answer.reset:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        if answer.close or ask.fields.get("connection", "").lower() == "close":
            raise Hangup

    def _body(self, answer: Answer, exchange: Exchange) -> None:
        for at, count in self._pieces(answer):
            piece = answer.read(at, count)
            try:
                self._send_piece(answer, piece)
            except OSError:
                if answer.gate is not None:
                    self.gates.give_back(answer.gate, count)
                raise
            self.ledger.note(exchange, sent=len(piece))
        if answer.framing == "chunked" and answer.cut is None:
            self.sock.sendall(b"0\r\n\r\n")

    def _send_piece(self, answer: Answer, piece: bytes) -> None:
        chunked = answer.framing == "chunked"
        self.sock.sendall(b"%x\r\n%b\r\n" % (len(piece), piece) if chunked else piece)

    def _pieces(self, answer: Answer) -> Iterator[tuple[int, int]]:
        """``(position, count)`` of each piece when its time has come."""
        end = min(n for n in (answer.length, answer.cut, answer.stall) if n is not None)
        at, began = 0, monotonic()
        while at < end:
            count = min(_piece_size(answer), end - at)
            if answer.gate is not None:
                count = self.gates.take(answer.gate, count)
            if count == 0 or self.stopping.is_set():
                raise Hangup
            yield at, count
            at += count
            if answer.rate is not None:
                self._pause(began + at / answer.rate - monotonic())
        if answer.stall is not None:
            self._silence()

    def _pause(self, seconds: float) -> None:
        if seconds > 0 and self.stopping.wait(seconds):
            raise Hangup

    def _silence(self) -> None:
        self.stopping.wait()
        raise Hangup


def _piece_size(answer: Answer) -> int:
    """Octets to send at once, so that a throttled answer flows evenly."""
    if answer.rate is None:
        return _BLOCK
    return max(1, min(_BLOCK, answer.rate // _TICKS_PER_SECOND))


def _ask(head: bytes) -> Ask:
    """The request of a head; any that cannot be read ends the connection."""
    request_line, *lines = head.decode("latin-1").split("\r\n")
    words = request_line.split(" ")
    if len(words) != 3:
        raise Hangup
    fields: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        name, value = name.strip().lower(), value.strip()
        fields[name] = f"{fields[name]}, {value}" if name in fields else value
    return Ask(words[0], words[1], fields)


def _head_of(answer: Answer) -> bytes:
    """Status line and fields as they go out."""
    version = "1.0" if answer.http10 else "1.1"
    lines = [f"HTTP/{version} {answer.status} {_phrase(answer.status)}"]
    lines += [f"{name}: {value}" for name, value in answer.fields]
    if answer.framing == "chunked":
        lines.append("Transfer-Encoding: chunked")
    elif answer.framing == "length" and answer.status != 304:
        length = answer.length if answer.declared is None else answer.declared
        lines.append(f"Content-Length: {length}")
    if answer.close:
        lines.append("Connection: close")
    return "\r\n".join([*lines, "", ""]).encode("latin-1")


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Odd"
