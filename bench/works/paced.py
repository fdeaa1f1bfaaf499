"""
An origin that gives each connection so much and no more: who uses all of them to the end?

The ideal is the time in which the allowed connections, all busy until the last
octet, would bring the file.
"""

from __future__ import annotations

from bench.stage import MIB, Stage
from bench.works.compare import compare, shown

_EACH = 4 * MIB
_CONNECTIONS = 8


def capped(stage: Stage) -> str:
    """Every connection gets 4 MiB/s, eight are allowed."""
    size = stage.size_or(256 * MIB)
    _, url = stage.nginx(size, rate=_EACH, connections=_CONNECTIONS)
    title = f"{size // MIB} MiB, 4 MiB/s for each of {_CONNECTIONS} connections, nginx"
    return _shown(stage, title, url, size, _CONNECTIONS * _EACH)


def one_slow(stage: Stage) -> str:
    """The second connection that asks gets a fiftieth of that."""
    size = stage.size_or(256 * MIB)
    origin = stage.origin()
    path = f"/rate={_EACH}/rate={_EACH // 50}~conn2/source.bin"
    title = f"{size // MIB} MiB, 4 MiB/s per connection, one of them at a fiftieth"
    url = origin.url(f"{path}?size={size}")
    return _shown(stage, title, url, size, (_CONNECTIONS - 1) * _EACH)


def _shown(stage: Stage, title: str, url: str, size: int, ideal_rate: int) -> str:
    ours = None
    if stage.ours:
        ours = stage.daemon(segments=_CONNECTIONS, connections_per_host=_CONNECTIONS)
    summaries = compare(stage, url, size, _CONNECTIONS, ours)
    title = f"{title}, median of {stage.rounds}"
    return shown(title, summaries, size, ideal=size / ideal_rate)
