"""What one run of one contender cost, and the middle of many."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sample:
    """One fetch: seconds on the wall and on the CPU, peak of resident octets, right or not."""

    wall: float
    cpu: float
    memory: int
    right: bool


@dataclass(frozen=True)
class Summary:
    """The medians of a contender's samples."""

    wall: float
    cpu: float
    memory: int
    wrong: int
    """Runs whose file was not right."""
    spread: float
    """Slowest minus fastest, as a share of the median."""


def summary(samples: Sequence[Sample]) -> Summary:
    """Medians, the greatest memory, the number of wrong files."""
    walls = [sample.wall for sample in samples]
    return Summary(
        wall=median(walls),
        cpu=median(sample.cpu for sample in samples),
        memory=max(sample.memory for sample in samples),
        wrong=sum(not sample.right for sample in samples),
        spread=(max(walls) - min(walls)) / median(walls),
    )


def alternate(runs: dict[str, Callable[[], Sample]], rounds: int) -> dict[str, Summary]:
    """Run each contender *rounds* times, in turns, the order reversed every other round."""
    samples: dict[str, list[Sample]] = {name: [] for name in runs}
    for turn in range(rounds):
        names = list(runs) if turn % 2 == 0 else list(reversed(runs))
        for name in names:
            samples[name].append(runs[name]())
    return {name: summary(taken) for name, taken in samples.items()}
