"""
How fast it goes: octets per second over the last few seconds.

Pure: times are arguments, in seconds of a clock that only goes forward.
"""

from __future__ import annotations

from collections import deque

WINDOW_SECONDS = 5.0


class RateMeter:
    """Remembers totals over a short window."""

    def __init__(self, window: float = WINDOW_SECONDS) -> None:
        self._window = window
        self._marks: deque[tuple[float, int]] = deque()

    def note(self, now: float, total: int) -> bool:
        """At *now* the running total was *total* octets; whether a whole second has begun.

        A total that shrank begins a new count.
        """
        if self._marks and total < self._marks[-1][1]:
            self._marks.clear()
        new_second = not self._marks or int(now) != int(self._marks[-1][0])
        self._marks.append((now, total))
        while len(self._marks) > 2 and self._marks[1][0] <= now - self._window:
            self._marks.popleft()
        return new_second

    def rate(self, now: float) -> float:
        """Octets per second over the window; 0 where nothing was noted lately."""
        if len(self._marks) < 2 or self._marks[-1][0] < now - self._window:
            return 0.0
        (first, low), (last, high) = self._marks[0], self._marks[-1]
        return (high - low) / (last - first) if last > first else 0.0
