"""
How long to wait so that a rate is kept: a token bucket that may go into debt.

Octets are counted after they came (a read cannot be unread); the wait that follows
pays the debt.  Pure: the time is an argument, in seconds.
"""

from __future__ import annotations

import sys


class Bucket:
    """Octets per second, with up to a quarter of a second's worth saved up."""

    BURST_SECONDS = 0.25

    def __init__(self, rate: int | None, now: float) -> None:
        """:param rate: octets per second; None: no limit."""
        self._rate = rate
        self._level = 0.0
        self._at = now

    @property
    def rate(self) -> int | None:
        """Octets per second, None: no limit."""
        return self._rate

    @property
    def step(self) -> int:
        """Octets that may come at once: a burst's worth."""
        return sys.maxsize if self._rate is None else int(self._rate * self.BURST_SECONDS)

    def set_rate(self, rate: int | None, now: float) -> None:
        """Change the rate; debts stay, at the new rate."""
        self._refill(now)
        self._rate = rate
        if rate is None:
            self._level = 0.0

    def take(self, count: int, now: float) -> float:
        """Count *count* octets; how many seconds to wait before the next ones."""
        if self._rate is None:
            return 0.0
        self._refill(now)
        self._level -= count
        return max(0.0, -self._level / self._rate)

    def _refill(self, now: float) -> None:
        if self._rate is not None:
            burst = self._rate * self.BURST_SECONDS
            self._level = min(burst, self._level + max(0.0, now - self._at) * self._rate)
        self._at = now
