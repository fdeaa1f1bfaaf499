"""Memory, descriptors and lag of the daemon, seen from outside."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from bench.proc import resident_memory

MIB = 1 << 20


@dataclass
class Meter:
    """Samples of one process' memory over a time without restarts."""

    samples: list[tuple[float, int]] = field(default_factory=list)
    lag: list[tuple[float, float]] = field(default_factory=list)
    """What `lag_shares` says, of the time since the last restart."""

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

    def course(self, moments: int = 6) -> list[tuple[float, int]]:
        """Some samples, evenly in time: seconds after the first one, octets."""
        last = len(self.samples) - 1
        chosen = sorted({last * moment // (moments - 1) for moment in range(moments)})
        return [
            (self.samples[index][0] - self.samples[0][0], self.samples[index][1])
            for index in chosen
            if index >= 0
        ]

    @property
    def peak(self) -> int:
        """The most octets."""
        return max((octets for _, octets in self.samples), default=0)


def descriptors(pid: int) -> int:
    """How many are open."""
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


def lag_shares(page: str) -> list[tuple[float, float]]:
    """For each bound of the reactor's lag in seconds: the share of calls that were no later."""
    for family in text_string_to_metric_families(page):
        if family.name == "rangedaemon_reactor_lag_seconds":
            counts = [
                (float(sample.labels["le"]), sample.value)
                for sample in family.samples
                if sample.name.endswith("_bucket")
            ]
            most = counts[-1][1] or 1.0
            return [(bound, count / most) for bound, count in counts]
    raise ValueError("the daemon does not tell of its reactor's lag")
