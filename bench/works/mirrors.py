"""A mirror of many files: fetched once, then looked at again where nothing has changed."""

from __future__ import annotations

import json
import time
from typing import Any

from bench.client import Wire
from bench.contenders import Failed
from bench.proc import cpu_seconds
from bench.stage import Stage
from bench.table import table
from bench.works.repeats import ANSWERS, FILES, FOLDER, LIMIT, metrics, origin_of
from tests.integration.daemon import DaemonProcess
from tests.integration.waiting import until

_LISTINGS = FILES // FOLDER + 1


def mirror(stage: Stage) -> str:
    """Ten thousand files of an origin of ours, in a hundred folders."""
    if not stage.ours:
        return ""
    origin = origin_of(stage)
    daemon = stage.daemon().daemon
    url = f"http://127.0.0.1:{origin.file_port}/"
    body = {"kind": "mirror", "url": url, "repeat": {"every": 86400}}
    began = time.perf_counter()
    job = json.loads(Wire(daemon).ask("POST", "/api/v1/jobs", body))["id"]
    first = _round(daemon, origin, job, began, {"200": _LISTINGS, "206": FILES})
    began = time.perf_counter()
    Wire(daemon).ask("POST", f"/api/v1/jobs/{job}/retry")
    again = _round(daemon, origin, job, began, {"200": 2 * _LISTINGS, "206": FILES, "304": FILES})
    columns = ["", "s", "CPU s", "CPU s of the origin", "files/s"]
    title = f"A mirror of {FILES} files, one request each, and {_LISTINGS} listings"
    return table(title, columns, [["fetched", *first], ["unchanged", *again]])


def _round(
    daemon: DaemonProcess, origin: DaemonProcess, job: str, began: float, answers: dict[str, int]
) -> list[str]:
    """What it takes until the round is over; *answers* is what the origin has answered by then."""
    ours, theirs = cpu_seconds(daemon.pid), cpu_seconds(origin.pid)
    until(lambda: _is_over(daemon, job), "the round is over", LIMIT)
    wall = time.perf_counter() - began
    told = {status: round(float(count)) for status, count in ANSWERS.findall(metrics(daemon))}
    if told != answers:
        raise Failed(f"answers of the origin by status: {told}, not {answers}")
    times = wall, cpu_seconds(daemon.pid) - ours, cpu_seconds(origin.pid) - theirs
    return [*(f"{each:.1f}" for each in times), f"{FILES / wall:.0f}"]


def _is_over(daemon: DaemonProcess, job: str) -> bool:
    time.sleep(0.25)  # the question costs the daemon something, too
    now: dict[str, Any] = daemon.api.job(job)
    if now["state"] == "failed":
        raise Failed(f"the mirror failed: {now['error']}")
    return bool(now["state"] == "waiting")
