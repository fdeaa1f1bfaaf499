"""
An origin that gives each connection so much and no more: who uses all of them to the end?

The ideal is the time in which the allowed connections, all busy until the last
octet, would bring the file.  The origin is our own: nginx's limit_rate grants every
request a second's worth at once, so that many small requests would beat the limit.
"""

from __future__ import annotations

from itertools import count

from bench.stage import MIB, Stage
from bench.works.compare import compare, shown

_EACH = 4 * MIB
_CONNECTIONS = 8


def capped(stage: Stage) -> str:
    """Every connection gets 4 MiB/s, eight are asked for."""
    title = f"4 MiB/s for each of {_CONNECTIONS} connections"
    return _shown(stage, title, f"/rate={_EACH}", _CONNECTIONS * _EACH)


def one_slow(stage: Stage) -> str:
    """The second connection that asks gets a fiftieth of that."""
    title = "4 MiB/s per connection, one of them at a fiftieth"
    faults = f"/rate={_EACH}/rate={_EACH // 50}~conn2"
    return _shown(stage, title, faults, (_CONNECTIONS - 1) * _EACH)


def _shown(stage: Stage, title: str, faults: str, ideal_rate: int) -> str:
    size = stage.size_or(256 * MIB)
    origin = stage.origin()
    ours = None
    if stage.ours:
        ours = stage.daemon(segments=_CONNECTIONS, connections_per_host=_CONNECTIONS)
    numbers = count(1)

    def address() -> str:
        """Another one for each run: the origin counts connections by path."""
        return origin.url(f"{faults}/source-{next(numbers)}.bin?size={size}")

    summaries = compare(stage, address, size, _CONNECTIONS, ours)
    title = f"{size // MIB} MiB, {title}, median of {stage.rounds}"
    return shown(title, summaries, size, ideal=size / ideal_rate)
