"""
How jobs look on a terminal: tables, bars, maps; and as plain lines where it is none.

Pure: API objects in, things that rich can print out.  Every text that came from
outside goes through `units.safe` and never is markup.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Column, Table
from rich.text import Text

from rangedaemon.control.cli.picking import Job, label
from rangedaemon.control.cli.units import (
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
_MAP_SIGNS = {"done": "█", "active": "▒", "missing": "·"}
_BAR = 24


def state_text(job: Job) -> Text:
    """The state in its colour."""
    state = safe(job.get("state", "?"))
    return Text(state, style=STYLES.get(state, ""))


def jobs_table(jobs: Sequence[Job]) -> Table:
    """What ``list`` shows."""
    table = _plain_table("ID", "STATE", ">DONE", ">SIZE", ">RATE", ">LEFT", "NAME")
    for job in jobs:
        table.add_row(
            Text(safe(job["id"])),
            state_text(job),
            show_percent(job["received"], job["size"]),
            show_size(job["size"]),
            show_rate(job["rate"]),
            show_seconds(job["eta_s"]),
            Text(label(job)),
        )
    return table


def _plain_table(*titles: str) -> Table:
    """A table without frames; a title that starts with ``>`` stands to the right."""
    columns = [
        Column(title.lstrip(">"), justify="right" if title[0] == ">" else "left", no_wrap=True)
        for title in titles
    ]
    columns[-1].overflow = "ellipsis"
    return Table(*columns, box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def details(job: Job) -> Table:
    """What ``show`` shows: every field that says something."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for key, value in _facts(job):
        table.add_row(Text(key, style="bold"), value if isinstance(value, Text) else Text(value))
    return table


def _facts(job: Job) -> list[tuple[str, str | Text]]:
    """The fields of *job* in words."""
    facts: list[tuple[str, str | Text]] = [("id", safe(job["id"])), ("name", label(job))]
    facts.append(("state", state_text(job)))
    if job.get("error"):
        facts.append(("error", Text(error_text(job), style="red")))
    facts += [("url", safe(url)) for url in job.get("urls", [])]
    done = f"{show_size(job['received'])} of {show_size(job['size'])}"
    facts.append(("received", f"{done} {show_percent(job['received'], job['size'])}".rstrip()))
    sizes = [("refetched", show_size), ("rate", show_rate), ("rate_limit", show_rate)]
    facts += [(key, show(job[key])) for key, show in sizes if job.get(key)]
    if job.get("eta_s") is not None:
        facts.append(("left", show_seconds(job["eta_s"])))
    facts += [(key, safe(job[key])) for key in _OTHER_FACTS if job.get(key) not in (None, "")]
    return facts


_OTHER_FACTS = (
    "kind",
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
    about = f" ({safe(url)})" if url and str(url) not in message else ""
    return f"{safe(error.get('code', 'failed'))}: {message}{about}"


def state_line(job: Job) -> str:
    """One line for one change of state, where no terminal shows bars."""
    line = f"{safe(job['id'])} {safe(job['state'])} {label(job)}"
    state = job["state"]
    if state in {"failed", "waiting"} and job.get("error"):
        line += f": {error_text(job)}"
    if state == "waiting" and job.get("retry_at"):
        line += f"; next try {safe(job['retry_at'])}"
    if state == "complete":
        verified = f", verified by {safe(job['verified'])}" if job.get("verified") else ""
        line += f" ({show_size(job['size'])}{verified}) {safe(job.get('path') or '')}"
    return line.rstrip()


def progress_table(jobs: Sequence[Job], height: int, now: float) -> RenderableType:
    """
    The bars that ``watch`` shows, what runs first; at most *height* lines.

    :param now: seconds by any clock: moves the bars of jobs of unknown size.
    """
    ordered = sorted(jobs, key=lambda job: _ORDER.get(job["state"], 0))
    room = max(1, height - 2)
    table = Table.grid(padding=(0, 1, 0, 0))
    table.add_column(no_wrap=True, overflow="ellipsis", ratio=1, min_width=8)
    for width in (_BAR, 5):
        table.add_column(no_wrap=True, min_width=width, justify="right")
    for _ in range(4):
        table.add_column(no_wrap=True, justify="right")
    for job in ordered[:room]:
        table.add_row(*_progress_row(job, now))
    hidden = len(ordered) - room
    rows: list[RenderableType] = [table]
    if hidden > 0:
        rows.append(Text(f"… and {hidden} more", style="dim"))
    return Group(*rows, summary(jobs))


def _progress_row(job: Job, now: float) -> list[RenderableType]:
    """The cells of one bar's line."""
    size, received = job["size"], job["received"]
    pulse = size is None and job["state"] in {"active", "probing"}
    total = float(size) if size else 1.0
    done = float(received) if size else float(job["state"] == "complete")
    bar = ProgressBar(total, done, width=_BAR, pulse=pulse, animation_time=now)
    amount = f"{show_size(received)}/{show_size(size)}" if size is not None else show_size(received)
    cells = [show_percent(received, size), amount, show_rate(job["rate"])]
    cells.append(show_seconds(job["eta_s"]))
    return [Text(label(job)), bar, *map(Text, cells), state_text(job)]


def summary(jobs: Sequence[Job]) -> Text:
    """One line about all of them."""
    counts = {state: sum(job["state"] == state for job in jobs) for state in _ORDER}
    told = ", ".join(f"{count} {state}" for state, count in counts.items() if count)
    rate = sum(job["rate"] or 0 for job in jobs)
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


def segments_view(segments: Sequence[Mapping[str, Any]], width: int) -> RenderableType:
    """What ``segments`` shows: the map, and each segment on its line."""
    table = _plain_table(">START", ">END", ">RECEIVED", "STATE", "URL")
    for segment in segments:
        table.add_row(
            str(segment["start"]),
            str(segment["end"]),
            show_percent(segment["received"], segment["end"] - segment["start"]),
            safe(segment["state"]),
            Text(safe(segment.get("url") or "")),
        )
    return Group(Text(segment_map(segments, max(8, min(width, 72)))), table)


def status_view(status: Mapping[str, Any]) -> Table:
    """What ``status`` shows."""
    table = Table.grid(padding=(0, 2, 0, 0))
    for key, value in _status_facts(status):
        table.add_row(Text(key, style="bold"), Text(value))
    return table


def _status_facts(status: Mapping[str, Any]) -> list[tuple[str, str]]:
    """The daemon's state in words; fields that we do not know are shown as they are."""
    facts = []
    for key, value in status.items():
        title, show = _KNOWN_FACTS.get(key, (safe(key), safe))
        facts.append((title, "-" if value is None else safe(show(value))))
    return facts


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
