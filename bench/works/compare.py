"""One file, all contenders, in turns: the table that most works end in."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from bench.contenders import Ours, run_peer
from bench.peers import Fetch
from bench.samples import Sample, Summary, alternate
from bench.stage import MIB, Stage
from bench.table import mib, table

OURS = "rangedaemon"


def compare(
    stage: Stage, address: Callable[[], str], size: int, connections: int, ours: Ours | None
) -> dict[str, Summary]:
    """Medians of every contender; *address* is asked for the file's address before each run."""
    place = stage.place("fetched")

    def fetch(name: str) -> Fetch:
        return Fetch(address(), place / f"{name}.bin", connections)

    runs: dict[str, Callable[[], Sample]] = {}
    if ours is not None:
        runs[OURS] = lambda: ours.run(fetch(OURS), size)

    def run(name: str) -> Sample:
        return run_peer(name, fetch(name), size)

    runs |= {name: partial(run, name) for name in stage.peers}
    return alternate(runs, stage.rounds)


def shown(title: str, summaries: dict[str, Summary], size: int, ideal: float | None = None) -> str:
    """The table of those medians; *ideal* in seconds adds a column of shares of it."""
    header = ["", "MiB/s", "ours/its", "seconds", "CPU s", "peak MiB", "spread", "wrong"]
    if ideal is not None:
        header.append("of ideal")
    ours = summaries.get(OURS)
    rows = [_row(name, each, ours, size, ideal) for name, each in summaries.items()]
    return table(title, header, rows)


def _row(
    name: str, each: Summary, ours: Summary | None, size: int, ideal: float | None
) -> list[str]:
    cells = [
        name,
        f"{size / MIB / each.wall:.0f}",
        f"{each.wall / ours.wall:.2f}" if ours else "",
        f"{each.wall:.2f}",
        f"{each.cpu:.2f}",
        mib(each.memory),
        f"{each.spread:.0%}",
        str(each.wrong),
    ]
    return cells if ideal is None else [*cells, f"{ideal / each.wall:.0%}"]
