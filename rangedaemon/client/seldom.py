"""News that may come by the hundred: a line at once, then one for all of a while."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

from twisted.internet.interfaces import IReactorTime

T = TypeVar("T")
QUIET_SECONDS = 60.0
"""Between two lines, at least."""


class Seldom(Generic[T]):
    """Counts what happens, and seldom writes a line."""

    def __init__(self, clock: IReactorTime, write: Callable[[int, T], None]) -> None:
        """:param write: called with how often it happened since, and what it was last."""
        self._clock = clock
        self._write = write
        self._count = 0
        self._latest: list[T] = []
        self._written_at: float | None = None

    def happened(self, what: T) -> None:
        """Once more; *what* is for the line."""
        self._count += 1
        self._latest = [what]
        now = self._clock.seconds()
        if self._written_at is None or now - self._written_at >= QUIET_SECONDS:
            self.sum_up()

    def sum_up(self) -> None:
        """Write what no line has told yet."""
        if self._count:
            count, self._count = self._count, 0
            self._written_at = self._clock.seconds()
            self._write(count, *self._latest)
