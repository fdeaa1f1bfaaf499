"""
Whether a transfer is too slow to hold its slot: fewer octets than a floor asks for.

What we hold back ourselves, by a limit, for the disk, for a place at a host, is never
slow: the time begins anew behind it.  Pure: times are arguments, in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Floor:
    """The least that is expected."""

    rate: int
    """Octets per second."""
    period: float
    """Seconds for which it may be less."""


USUAL_PERIOD = 60.0
"""For a job that names a rate of its own, where nothing is said for all."""


def floor_of(own: int | None, of_all: Floor | None) -> Floor | None:
    """What is expected of a job; None: nothing.

    :param own: what it says itself, in octets per second; 0: nothing. None: as all.
    """
    if own is None:
        return of_all
    return Floor(own, of_all.period if of_all is not None else USUAL_PERIOD) if own else None


class Patience:
    """How one transfer has done lately."""

    def __init__(self, floor: Floor) -> None:
        self.floor = floor
        self._since: float | None = None
        self._had = 0

    def exhausted(self, now: float, total: int, *, held_back: bool) -> bool:
        """
        Whether it was too slow for a whole period.

        :param total: octets that have come so far; where it shrank the count begins anew.
        :param held_back: whether we ourselves were in its way since the last call.
        """
        if self._since is None or held_back or total < self._had:
            self._since, self._had = now, total
            return False
        waited = now - self._since
        if waited < self.floor.period:
            return False
        slow = total - self._had < self.floor.rate * waited
        self._since, self._had = now, total
        return slow
