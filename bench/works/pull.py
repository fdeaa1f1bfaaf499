"""At full speed from nginx: plain, over TLS, with sixteen connections."""

from __future__ import annotations

from pathlib import Path

from bench.contenders import Ours
from bench.stage import MIB, Stage
from bench.works.compare import compare, shown

_WORKERS = 2


def plain(stage: Stage) -> str:
    """Eight connections, no TLS."""
    return _pull(stage, 8)


def sixteen(stage: Stage) -> str:
    """Sixteen connections: what does memory do?"""
    return _pull(stage, 16)


def tls(stage: Stage) -> str:
    """Eight connections over TLS."""
    return _pull(stage, 8, tls=True)


def _pull(stage: Stage, connections: int, *, tls: bool = False) -> str:
    size = stage.size_or(1024 * MIB)
    server, url = stage.nginx(size, workers=_WORKERS, tls=tls)
    ours = _ours(stage, connections, server.certificate if tls else None)
    summaries = compare(stage, lambda: url, size, connections, ours)
    title = (
        f"{size // MIB} MiB {'over TLS' if tls else 'plain'}, {connections} connections, "
        f"nginx with {_WORKERS} workers, median of {stage.rounds}"
    )
    return shown(title, summaries, size)


def _ours(stage: Stage, connections: int, trust: Path | None) -> Ours | None:
    if not stage.ours:
        return None
    return stage.daemon(trust=trust, segments=connections, connections_per_host=connections)
