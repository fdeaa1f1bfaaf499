"""How much of a job is done: octets of a file, or files of a mirror."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rangedaemon.control.cli.picking import Job
from rangedaemon.control.cli.units import show_percent, show_size

_TOLD = ("fetched", "unchanged", "failed", "left", "gone", "deleted")


def round_of(job: Job) -> Mapping[str, Any] | None:
    """The latest round of a mirror; None: it is no mirror, or has had none."""
    return (job.get("mirror") or {}).get("round")


def extent(job: Job) -> tuple[int, int | None]:
    """How much is done, and of how much, where that is known."""
    told = round_of(job)
    if job.get("mirror") is None:
        return job["received"], job["size"]
    return (0, None) if told is None else (told["fetched"] + told["unchanged"], told["found"])


def amounts(job: Job) -> tuple[str, str]:
    """The percentage, and the whole."""
    done, whole = extent(job)
    size = show_size(whole) if job.get("mirror") is None else f"{whole or 0} files"
    return show_percent(done, whole), size


def round_text(job: Job) -> str:
    """What became of a mirror's files in its latest round."""
    told = round_of(job)
    if told is None:
        return "no round yet"
    done, whole = extent(job)
    counts = [f"{told[name]} {name}" for name in _TOLD if told[name]]
    return f"{done} of {whole} files" + (f": {', '.join(counts)}" if counts else "")
