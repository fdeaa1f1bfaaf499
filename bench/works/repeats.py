"""Repeats: many files that have not changed, asked for again; one request each."""

from __future__ import annotations

import re
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

from bench.client import Wire
from bench.contenders import Failed
from bench.proc import cpu_seconds
from bench.stage import Stage
from bench.table import table
from tests.integration.daemon import DaemonProcess
from tests.integration.waiting import until

FILES = 10_000
_BATCH = 1000
LIMIT = 600.0
"""Seconds that a round of all jobs may take."""
FOLDER = 100
"""Files in each folder."""
ANSWERS = re.compile(r'^rangedaemon_origin_answers_total\{status="(\d+)"\} (\S+)', re.M)


def repeats(stage: Stage) -> str:
    """Ten thousand jobs whose turn comes at once, from an origin of ours, nothing changed."""
    if not stage.ours:
        return ""
    origin = origin_of(stage)
    daemon = stage.daemon().daemon
    first = _round(daemon, origin, lambda: _add(daemon, origin), "206")
    daemon.terminate()
    _have_turns_come(daemon)
    again = _round(daemon, origin, daemon.start, "304")
    columns = ["", "s", "CPU s", "CPU s of the origin", "jobs/s"]
    title = f"{FILES} repeated jobs, one request each"
    return table(title, columns, [["fetched", *first], ["unchanged", *again]])


def origin_of(stage: Stage) -> DaemonProcess:
    """A daemon that serves, and lists, all the files."""
    root = stage.place("origin-root")
    for number in range(FILES):
        path = root / _name(number)
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"%d\n" % number * 100)
    mounts = [{"path": "/", "root": str(root), "listing": True}]
    origin = DaemonProcess(stage.directory / "origin", {"server": {"mounts": mounts}}).start()
    stage.stack.callback(origin.close)
    return origin


def _name(number: int) -> str:
    return f"{number // FOLDER}/{number}.txt"


def _add(daemon: DaemonProcess, origin: DaemonProcess) -> None:
    wire, base = Wire(daemon), f"http://127.0.0.1:{origin.file_port}"
    jobs = [
        {"url": f"{base}/{_name(number)}", "repeat": {"every": 86400}} for number in range(FILES)
    ]
    for at in range(0, FILES, _BATCH):
        wire.ask("POST", "/api/v1/jobs", jobs[at : at + _BATCH])


def _have_turns_come(daemon: DaemonProcess) -> None:
    """As if the turns had come while the daemon was down; nobody waits for a day here."""
    with closing(sqlite3.connect(daemon.directory / "state" / "journal.sqlite")) as journal:
        journal.execute("UPDATE jobs SET retry_at = ?", (time.time(),))
        journal.commit()


def _round(
    daemon: DaemonProcess, origin: DaemonProcess, begin: Callable[[], object], status: str
) -> list[str]:
    """What it takes until each job was answered once, with *status*, and waits again.

    The daemon's CPU seconds are all that it has used, its start included.
    """
    theirs, began = cpu_seconds(origin.pid), time.perf_counter()
    begin()
    until(lambda: _is_over(daemon), "all jobs wait for their next turn", LIMIT)
    wall = time.perf_counter() - began
    answers = dict(ANSWERS.findall(metrics(daemon)))
    if answers != {status: f"{FILES}.0"}:
        raise Failed(f"answers of the origin by status: {answers}")
    times = wall, cpu_seconds(daemon.pid), cpu_seconds(origin.pid) - theirs
    return [*(f"{each:.1f}" for each in times), f"{FILES / wall:.0f}"]


def _is_over(daemon: DaemonProcess) -> bool:
    time.sleep(0.25)  # the question costs the daemon something, too
    page = metrics(daemon)
    answered = sum(float(count) for _, count in ANSWERS.findall(page))
    return answered >= FILES and f'rangedaemon_jobs{{state="waiting"}} {FILES}.0' in page


def metrics(daemon: DaemonProcess) -> str:
    """What the daemon counts."""
    return daemon.api.request("GET", "/metrics").body.decode()
