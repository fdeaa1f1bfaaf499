"""Memory and descriptors of the daemon, seen from outside."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from bench.proc import resident_memory

MIB = 1 << 20


@dataclass
class Meter:
    """Samples of one process' memory over a time without restarts."""

    samples: list[tuple[float, int]] = field(default_factory=list)

    def take(self, pid: int) -> None:
        """One sample."""
        self.samples.append((time.monotonic(), resident_memory(pid)))

    @property
    def growth(self) -> int:
        """Octets by which the peak of the second half is above that of the first."""
        middle = len(self.samples) // 2
        halves = self.samples[:middle], self.samples[middle:]
        first, second = (max((octets for _, octets in half), default=0) for half in halves)
        return second - first

    @property
    def peak(self) -> int:
        """The most octets."""
        return max((octets for _, octets in self.samples), default=0)


def descriptors(pid: int) -> int:
    """How many are open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
