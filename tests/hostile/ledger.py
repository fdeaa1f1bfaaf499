"""What was asked of the hostile origin and how many octets it gave: what tests assert on."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field


@dataclass
class Exchange:
    """One request and what was sent for it; ``sent`` grows while the body goes out."""

    number: int
    """Which request for this path it is, from 1."""
    connection: int
    """Which connection of this path it came on, from 1."""
    method: str
    target: str
    fields: dict[str, str]
    """Names in lower case; repeated lines joined by a comma."""
    status: int = 0
    sent: int = 0
    """Octets of the body given to the kernel."""
    finished: bool = False

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def range(self) -> str | None:
        """The Range field."""
        return self.fields.get("range")


@dataclass
class Ledger:
    """All exchanges in order of arrival; safe to use from any thread."""

    exchanges: list[Exchange] = field(default_factory=list)
    _changed: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _numbers: Counter[str] = field(default_factory=Counter)
    _connections: dict[str, list[int]] = field(default_factory=dict)

    def open(self, method: str, target: str, fields: dict[str, str], socket_id: int) -> Exchange:
        """Note a request that has just come in on the connection *socket_id*."""
        with self._changed:
            path = target.partition("?")[0]
            self._numbers[path] += 1
            known = self._connections.setdefault(path, [])
            if socket_id not in known:
                known.append(socket_id)
            number, connection = self._numbers[path], known.index(socket_id) + 1
            exchange = Exchange(number, connection, method, target, fields)
            self.exchanges.append(exchange)
            self._changed.notify_all()
            return exchange

    def note(self, exchange: Exchange, *, sent: int = 0, finished: bool = False) -> None:
        """Count octets that went out, or mark the end."""
        with self._changed:
            exchange.sent += sent
            exchange.finished |= finished
            self._changed.notify_all()

    def of(self, path: str) -> list[Exchange]:
        """The exchanges whose path (without the query) is or ends with *path*."""
        with self._changed:
            return [e for e in self.exchanges if e.path == path or e.path.endswith(path)]

    def octets(self, path: str) -> int:
        """How many octets of bodies went out for *path*."""
        return sum(e.sent for e in self.of(path))

    def active(self, path: str) -> int:
        """How many exchanges of *path* are not finished."""
        return sum(not e.finished for e in self.of(path))

    def connections(self, path: str) -> int:
        """How many connections asked for *path* (whole paths only)."""
        with self._changed:
            return len(self._connections.get(path, ()))

    def wait(self, reached: Callable[[Ledger], bool], what: str, timeout: float = 60.0) -> None:
        """Wait until *reached* holds.

        :raises TimeoutError: it did not in *timeout* seconds.
        """
        with self._changed:
            if not self._changed.wait_for(lambda: reached(self), timeout):
                raise TimeoutError(f"not within {timeout} s: {what}")
