"""
How jobs look on a terminal: columns, bars, maps; and as plain lines where it is none.

Pure: API objects in, rich texts out.  Every text that came from outside goes through
`units.safe` and never is markup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.text import Text

from rangedaemon.control.cli.columns import Column, aligned, facts, lines, titled
from rangedaemon.control.cli.mirrored import amounts, extent, round_text
from rangedaemon.control.cli.picking import Job, label
from rangedaemon.control.cli.units import (
    plain,
    safe,
    show_percent,
    show_rate,
    show_seconds,
    show_size,
)

STYLES: Mapping[str, str] = {
    "queued": "",
    "probing": "cyan",
    "active": "cyan",
    "verifying": "cyan",
    "waiting": "yellow",
    "paused": "yellow",
    "complete": "green",
    "failed": "red",
}
_ORDER = {
    state: place
    for place, state in enumerate(
        ("active", "verifying", "probing", "waiting", "queued", "paused", "failed", "complete")
    )
}
_MOVING = frozenset({"probing", "active", "verifying"})
_MAP_SIGNS = {"done": "█", "active": "▒", "missing": "·"}
_BAR = 20
_PIECE = 6
_STEPS = 8
"""Cells a second that the bar of an unknown size moves by."""


def state_text(job: Job) -> Text:
    """The state in its colour."""
    state = safe(job.get("state", "?"))
    return Text(state, style=STYLES.get(state, ""))


_JOB_COLUMNS = (
    Column("ID"),
    Column("STATE"),
    Column("DONE", right=True),
    Column("SIZE", right=True, goes=3),
    Column("RATE", right=True, goes=2),
    Column("LEFT", right=True, goes=1),
    Column("NAME"),
)


def jobs_table(jobs: Sequence[Job], width: int) -> Text:
    """What ``list`` shows."""
    rows = [titled(_JOB_COLUMNS), *map(_job_row, jobs)]
    return lines(aligned(rows, _JOB_COLUMNS, width, flexible=len(_JOB_COLUMNS) - 1))


def _job_row(job: Job) -> list[Text]:
    """The cells of one job."""
    cells = [*amounts(job), show_rate(_rate(job)), show_seconds(job["eta_s"]), _titled(job)]
    return [Text(safe(job["id"])), state_text(job), *map(Text, cells)]


def _rate(job: Job) -> float:
    """Octets per second now; the last event of a job that ended still tells of its speed."""
    return float(job["rate"] or 0) if job["state"] in _MOVING else 0.0


def details(job: Job) -> Text:
    """What ``show`` shows: every field that says something."""
    return facts(
        [(key, value if isinstance(value, Text) else Text(value)) for key, value in _facts(job)]
    )


def _facts(job: Job) -> list[tuple[str, str | Text]]:
    """The fields of *job* in words."""
    told: list[tuple[str, str | Text]] = [("id", safe(job["id"])), ("name", label(job))]
    told.append(("state", state_text(job)))
    if job.get("error"):
        told.append(("error", Text(error_text(job), style="red")))
    told += [("url", safe(url)) for url in job.get("urls", [])]
    told.append(_done(job))
    sizes = [("refetched", show_size), ("rate", show_rate), ("rate_limit", show_rate)]
    told += [(key, show(job[key])) for key, show in sizes if job.get(key)]
    if job.get("eta_s") is not None:
        told.append(("left", show_seconds(job["eta_s"])))
    told += [(key, plain(job[key])) for key in _OTHER_FACTS if job.get(key) not in (None, "")]
    return told


def _done(job: Job) -> tuple[str, str]:
    if job.get("mirror") is not None:
        return "files", round_text(job)
    done = f"{show_size(job['received'])} of {show_size(job['size'])}"
    percent = show_percent(job["received"], job["size"])
    return "sent" if is_upload(job) else "received", f"{done} {percent}".rstrip()


_OTHER_FACTS = (
    "kind",
    "parent",
    "protocol",
    "path",
    "connections",
    "segments",
    "priority",
    "etag",
    "last_modified",
    "accepts_ranges",
    "checksum",
    "verified",
    "attempts",
    "retry_at",
    "created",
    "started",
    "finished",
)


def error_text(job: Job) -> str:
    """Why *job* failed or waits, on one line."""
    error = job.get("error") or {}
    message = safe(error.get("message") or "no reason given")
    url = error.get("url")
    told = f"{label(job)} {message}"
    about = f" ({safe(url)})" if url and safe(url) not in told else ""
    return f"{safe(error.get('code', 'failed'))}: {message}{about}"


def state_line(job: Job) -> str:
    """One line for one change of state, where no terminal shows bars."""
    line = f"{safe(job['id'])} {safe(job['state'])} {label(job)}"
    state = job["state"]
    if state in {"failed", "waiting"} and job.get("error"):
        line += f": {error_text(job)}"
    if state == "waiting" and job.get("retry_at"):
        line += f"; next try {safe(job['retry_at'])}"
    if job.get("mirror") is not None and state not in {"queued", "probing"}:
        line += f" ({round_text(job)})"
    elif state == "complete":
        verified = f", verified by {safe(job['verified'])}" if job.get("verified") else ""
        line += f" ({show_size(job['size'])}{verified}) {_whereto(job)}"
    return line.rstrip()


def _whereto(job: Job) -> str:
    """Where the octets of a complete job are now."""
    return safe(job["urls"][0] if is_upload(job) else job.get("path") or "")


def is_upload(job: Job) -> bool:
    """Whether octets leave by *job*."""
    return job.get("kind") == "upload"


def _titled(job: Job) -> str:
    """What people call *job*, with an arrow where it pushes."""
    return f"↑ {label(job)}" if is_upload(job) else label(job)


_BAR_COLUMNS = (
    Column("name"),
    Column("bar", goes=3),
    Column("percent", right=True),
    Column("size", right=True, goes=1),
    Column("rate", right=True),
    Column("left", right=True, goes=2),
    Column("state"),
)


def progress(jobs: Sequence[Job], width: int, height: int, now: float) -> Text:
    """
    The bars that ``watch`` shows, what runs first; at most *height* lines.

    :param now: seconds by any clock: moves the bars of jobs of unknown size.
    """
    ordered = sorted(jobs, key=lambda job: _ORDER.get(job["state"], 0))
    room = max(1, height - 1)
    if len(ordered) > room:
        room = max(1, room - 1)
    rows = [_progress_row(job, now) for job in ordered[:room]]
    shown = aligned(rows, _BAR_COLUMNS, width, flexible=0)
    if len(ordered) > room:
        shown.append(Text(f"… and {len(ordered) - room} more", style="dim"))
    last = summary(jobs)
    last.truncate(width, overflow="ellipsis")
    return lines([*shown, last])


def _progress_row(job: Job, now: float) -> list[Text]:
    """The cells of one bar's line."""
    percent, amount = amounts(job)
    if job["size"] is None and job.get("mirror") is None:
        amount = f"{show_size(job['received'])}/?"
    cells = [percent, amount, show_rate(_rate(job)), show_seconds(job["eta_s"])]
    return [Text(_titled(job)), _bar(job, now), *map(Text, cells), state_text(job)]


def _bar(job: Job, now: float) -> Text:
    """A line that fills; where the size is not known, a piece that wanders."""
    start, stop = 0, _BAR
    done, whole = extent(job)
    if whole:
        stop = min(_BAR, _BAR * done // whole)
    elif job["state"] in {"active", "probing"}:
        start = int(now * _STEPS) % (_BAR - _PIECE + 1)
        stop = start + _PIECE
    elif job["state"] != "complete":
        stop = 0
    style = STYLES.get(job["state"], "") or "cyan"
    return Text.assemble(
        ("─" * start, "dim"), ("━" * (stop - start), style), ("─" * (_BAR - stop), "dim")
    )


def summary(jobs: Sequence[Job]) -> Text:
    """One line about all of them."""
    counts = {state: sum(job["state"] == state for job in jobs) for state in _ORDER}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    rate = sum(map(_rate, jobs))
    return Text(f"{told or 'no jobs'}{' · ' + show_rate(rate) if rate else ''}", style="bold")


def segment_map(segments: Sequence[Mapping[str, Any]], width: int) -> str:
    """
    The file as a line of *width* signs: ``█`` there, ``▒`` being fetched, ``·`` missing.

    A cell shows the least of what lies in it, so that a full line is a whole file.
    """
    end = max((segment["end"] for segment in segments), default=0)
    if end <= 0:
        return ""
    cells = ["█"] * width
    for segment in segments:
        covered = segment["start"] + segment["received"]
        _paint(cells, covered, segment["end"], end, _sign_of(segment))
    return "".join(cells)


def _sign_of(segment: Mapping[str, Any]) -> str:
    """The sign for the octets of *segment* that are not there yet."""
    return _MAP_SIGNS["active" if segment["state"] == "active" else "missing"]


def _paint(cells: list[str], start: int, stop: int, end: int, sign: str) -> None:
    """Put *sign* where octets ``[start, stop)`` of *end* lie; missing hides active."""
    if start >= stop:
        return
    width = len(cells)
    for cell in range(start * width // end, min(width, -(-stop * width // end))):
        if cells[cell] != _MAP_SIGNS["missing"]:
            cells[cell] = sign


_SEGMENT_COLUMNS = (
    Column("START", right=True),
    Column("END", right=True),
    Column("RECEIVED", right=True),
    Column("STATE"),
    Column("URL"),
)


def segments_view(segments: Sequence[Mapping[str, Any]], width: int) -> Text:
    """What ``segments`` shows: the map, and each segment on its line."""
    rows = [titled(_SEGMENT_COLUMNS), *map(_segment_row, segments)]
    table = aligned(rows, _SEGMENT_COLUMNS, width, flexible=len(_SEGMENT_COLUMNS) - 1)
    return lines([Text(segment_map(segments, max(8, min(width, 72)))), *table])


def _segment_row(segment: Mapping[str, Any]) -> list[Text]:
    """The cells of one segment."""
    cells = [
        safe(segment["start"]),
        safe(segment["end"]),
        show_percent(segment["received"], segment["end"] - segment["start"]),
        safe(segment["state"]),
        safe(segment.get("url") or ""),
    ]
    return [Text(cell) for cell in cells]


def status_view(status: Mapping[str, Any]) -> Text:
    """What ``status`` shows."""
    return facts([(key, Text(value)) for key, value in _status_facts(status)])


def _status_facts(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The daemon's state in words; fields that we do not know are shown as they are."""
    told = []
    for key, value in status.items():
        title, show = _KNOWN_FACTS.get(key, (safe(key), plain))
        told.append((title, "-" if value is None else safe(show(value))))
    return told


def limits_view(limits: Mapping[str, Any]) -> Text:
    """What ``limits`` shows."""
    told = [(safe(key.replace("_", " ")), _limit(key, value)) for key, value in limits.items()]
    return facts([(key, Text(safe(value))) for key, value in told])


def _limit(key: str, value: Any) -> str:
    if isinstance(value, Mapping):
        return "; ".join(f"{window} {_limit(key, rate)}" for window, rate in value.items())
    if value is None:
        return "none"
    return f"{show_size(value)}/s" if key.startswith("rate") else str(value)


def _counts(counts: Any) -> str:
    """Jobs by state, the states that nobody is in left out."""
    if not isinstance(counts, Mapping):
        return str(counts)
    told = ", ".join(f"{number} {state}" for state, number in counts.items() if number)
    return told or "none"


_KNOWN_FACTS: Mapping[str, tuple[str, Callable[[Any], str]]] = {
    "uptime_s": ("up", lambda value: show_seconds(value) or f"{value / 86400:.1f} days"),
    "rate_in": ("in", lambda value: f"{show_size(value)}/s"),
    "rate_out": ("out", lambda value: f"{show_size(value)}/s"),
    "jobs": ("jobs", _counts),
}
