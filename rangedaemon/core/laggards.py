"""
Which connections are far behind the others, so that asking anew may do better.

A connection that was held back by ourselves is never called slow.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

GRACE_SECONDS = 5.0
SLOW_SHARE = 0.3
"""Of the mean rate of all; below it a connection is a laggard."""
WORTH_SECONDS = 3.0
"""A claim that ends within so long at its own rate is left to its holder."""


@dataclass(frozen=True, slots=True)
class Pulse:
    """One connection at one moment."""

    age: float
    """Seconds since its first octet was due."""
    rate: float
    """Octets per second."""
    left: int
    """Octets still to come."""
    held_back: bool
    """Whether a limit or the disk of ours slowed it down."""


def laggards(pulses: Sequence[Pulse]) -> list[int]:
    """The positions in *pulses* of the connections to give up; never all of them."""
    measured = [p for p in pulses if p.age >= GRACE_SECONDS]
    if len(measured) < 2 or any(p.held_back for p in measured):
        return []
    bound = SLOW_SHARE * sum(p.rate for p in measured) / len(measured)
    return [
        at
        for at, p in enumerate(pulses)
        if p.age >= GRACE_SECONDS and p.rate < bound and p.left > p.rate * WORTH_SECONDS
    ]
