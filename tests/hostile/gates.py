"""Gates that hold answers back until a test opens them: exact places to stop a transfer at."""

from __future__ import annotations

import threading
from collections import Counter


class Gates:
    """Named gates; each lets a budget of octets through, and all once it is open."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._open: set[str] = set()
        self._used: Counter[str] = Counter()
        self._closing = False

    def take(self, gate: tuple[str, int], count: int) -> int:
        """How many of *count* octets may go out now; waits while there are none.

        Zero only when the origin closes.
        """
        name, budget = gate
        with self._changed:
            self._changed.wait_for(
                lambda: self._closing or name in self._open or self._used[name] < budget
            )
            if name in self._open:
                return count
            granted = 0 if self._closing else min(count, budget - self._used[name])
            self._used[name] += granted
            return granted

    def give_back(self, gate: tuple[str, int], count: int) -> None:
        """Octets that were granted could not be sent: another connection may have them."""
        with self._changed:
            self._used[gate[0]] -= count
            self._changed.notify_all()

    def open(self, name: str) -> None:
        """Let everything through from now on."""
        with self._changed:
            self._open.add(name)
            self._changed.notify_all()

    def close_down(self) -> None:
        """Let all who wait go with nothing."""
        with self._changed:
            self._closing = True
            self._changed.notify_all()
