"""
SIGKILL at 30, 60 and 90 % of a paced transfer: how many octets cross the wire twice?

Counted by the origin: everything that it sent over both lives, less the file.
"""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.contenders import Failed, Ours, clear
from bench.peers import PEERS, Fetch
from bench.stage import MIB, Stage
from bench.table import table
from tests.hostile import HostileOrigin, difference

_CONNECTIONS = 8
_EACH = 8 * MIB
_POINTS = (30, 60, 90)
_SKIPPED = frozenset({"wget2", "rclone"})
"""They have no resume of a segmented transfer to measure."""
_LIMIT = 120.0


@dataclass(frozen=True)
class Case:
    """One contender's file at the origin, and the count of octets at which to kill."""

    origin: HostileOrigin
    path: str
    size: int
    point: int

    def fetch(self, target: Path) -> Fetch:
        """What to fetch."""
        return Fetch(self.origin.url(f"{self.path}?size={self.size}"), target, _CONNECTIONS)

    def wait_point(self) -> None:
        """Wait until the origin has sent so much."""
        wanted = self.size * self.point // 100
        reached = f"{self.point} % of {self.path}"
        self.origin.ledger.wait(lambda ledger: ledger.octets(self.path) >= wanted, reached, _LIMIT)

    def again(self) -> int:
        """Octets that were sent more than once."""
        return self.origin.ledger.octets(self.path) - self.size


Killed = Callable[[Case], str | None]
"""Fetches the case's file with a kill in the middle; what is wrong with the result."""


def kill(stage: Stage) -> str:
    """The work: contenders down, points across."""
    size = stage.size_or(256 * MIB)
    origin = stage.origin()
    place = stage.place("fetched")
    runs: dict[str, Killed] = {}
    if stage.ours:
        ours = stage.daemon(segments=_CONNECTIONS, connections_per_host=_CONNECTIONS)
        runs["rangedaemon"] = partial(_ours, ours)
    for name in stage.peers:
        if name not in _SKIPPED:
            runs[name] = partial(_peer, name, place / f"{name}.bin")
    rows = [_row(origin, name, run, size) for name, run in runs.items()]
    header = ["", *(f"at {point} %" for point in _POINTS), "worst", "files"]
    title = f"MiB fetched again after SIGKILL, {size // MIB} MiB at {8 * _EACH // MIB} MiB/s"
    return table(title, header, rows)


def _row(origin: HostileOrigin, name: str, run: Killed, size: int) -> list[str]:
    again, wrong = [], []
    for point in _POINTS:
        case = Case(origin, f"/rate={_EACH}/{name}-{point}.bin", size, point)
        complaint = run(case)
        wrong += [complaint] if complaint else []
        again.append(case.again())
    cells = [f"{octets / MIB:.1f}" for octets in again]
    return [name, *cells, f"{max(again) / size:.1%}", "; ".join(wrong) or "right"]


def _peer(name: str, target: Path, case: Case) -> str | None:
    command = PEERS[name](case.fetch(target))
    first = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    try:
        case.wait_point()
    finally:
        first.kill()
        first.wait()
    subprocess.run(command, stdout=subprocess.DEVNULL, timeout=_LIMIT, check=False)
    complaint = difference(target, 1, case.size) if target.exists() else "no file"
    clear(target)
    return complaint


def _ours(ours: Ours, case: Case) -> str | None:
    daemon = ours.daemon
    target = daemon.downloads / Path(case.path).name
    job = daemon.api.add(case.fetch(target).url, filename=target.name)
    case.wait_point()
    daemon.kill()
    daemon.start()
    ended = daemon.api.wait_for(job["id"], "complete", "failed", timeout=_LIMIT)
    if ended["state"] == "failed":
        raise Failed(f"our job failed: {ended['error']}")
    complaint = difference(target, 1, case.size)
    clear(target)
    return complaint
