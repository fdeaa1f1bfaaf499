"""
How many connections a host gets: fewer at once when it is overloaded, more slowly after.

Additive increase, multiplicative decrease, for all jobs together.  Pure: the time is
an argument, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass

ROUND_SECONDS = 2.0
"""Refusals within so long of each other are one and the same overload."""
GROWTH_SECONDS = 10.0
"""After so long without a refusal one more connection is allowed, and so on."""


@dataclass(frozen=True, slots=True)
class Pace:
    """What one host is good for at present."""

    limit: int
    """Connections that are allowed at the most, ever."""
    ceiling: int | None = None
    """Connections allowed since the last overload, at its time; None: there was none."""
    since: float = 0.0

    def allowed(self, now: float) -> int:
        """Connections that may be open at *now*; never below one."""
        if self.ceiling is None:
            return self.limit
        grown = self.ceiling + int(max(0.0, now - self.since) / GROWTH_SECONDS)
        return max(1, min(self.limit, grown))

    def overloaded(self, now: float, used: int) -> Pace:
        """After a refusal while *used* connections were open: half of them, once a round."""
        if self.ceiling is not None and now - self.since < ROUND_SECONDS:
            return self
        return Pace(self.limit, max(1, min(used, self.allowed(now)) // 2), now)
