"""
How fast a connection, or a mount, may be served: a rate kept over all its answers.

Pure: the time is an argument.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

_BURST_SECONDS: Final = 0.125
_SMALLEST_BURST: Final = 4096


class Pace:
    """At most *rate* octets per second, after a burst of an eighth of a second."""

    def __init__(self, rate: int) -> None:
        if rate <= 0:
            raise ValueError("a rate is a positive number of octets per second")
        self.rate = rate
        self.burst = max(_SMALLEST_BURST, int(rate * _BURST_SECONDS))
        """The most octets to send at once."""
        self._free_at = float("-inf")

    def delay(self, now: float) -> float:
        """Seconds until the next octets may go."""
        return max(0.0, self._free_at - now)

    def spend(self, octets: int, now: float) -> None:
        """Count *octets* that go at *now*, or as soon after it as the rate allows."""
        self._free_at = max(self._free_at, now) + octets / self.rate


class Paces:
    """Several rates to keep at once: the slowest counts at each moment."""

    def __init__(self, paces: Sequence[Pace]) -> None:
        self._paces = paces
        self.burst = min(pace.burst for pace in paces)
        """The most octets to send at once."""

    def delay(self, now: float) -> float:
        """Seconds until the next octets may go."""
        return max(pace.delay(now) for pace in self._paces)

    def spend(self, octets: int, now: float) -> None:
        """Count *octets* that go at *now*, or as soon after it as the rates allow."""
        for pace in self._paces:
            pace.spend(octets, now)
