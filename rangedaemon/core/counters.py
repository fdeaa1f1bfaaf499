"""
What is counted while the daemon works: plain numbers that only grow.

Whoever works adds to them, whoever tells of them (metrics) reads them.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds of the classes of durations, in seconds."""


class Durations:
    """How long something took, in classes."""

    def __init__(self, bounds: Sequence[float] = BOUNDS) -> None:
        self.bounds = tuple(bounds)
        self.total = 0.0
        """Seconds, all together."""
        self._counts = [0] * (len(self.bounds) + 1)

    def note(self, seconds: float) -> None:
        """It took so long once more; a clock that was set back counts as no time."""
        seconds = max(0.0, seconds)
        self._counts[bisect_left(self.bounds, seconds)] += 1
        self.total += seconds

    def up_to(self) -> list[tuple[float, int]]:
        """For each bound, and for infinity, how often it took no longer."""
        pairs, so_far = [], 0
        for bound, count in zip((*self.bounds, float("inf")), self._counts, strict=True):
            so_far += count
            pairs.append((bound, so_far))
        return pairs


@dataclass(slots=True)
class Counters:
    """What fetching adds up to, over all jobs."""

    received: int = 0
    """Octets that came from origins and were kept."""
    compared: int = 0
    """Octets that came again only to be compared with those on the disk."""
    pushed: int = 0
    """Octets that other servers have acknowledged."""
    answers: Counter[int] = field(default_factory=Counter)
    """Answers of origins by status."""
    checkpoints: Durations = field(default_factory=Durations)
    """From the beginning of a sync to the claim in the journal."""
