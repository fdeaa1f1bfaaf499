"""What servers do for one file: whole, in eight ranges, over TLS, in very small ranges."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from statistics import median

from bench.contenders import Failed
from bench.servers import OURS, Server, present, start
from bench.stage import MIB, Stage
from bench.table import table

_CURL = (
    "curl",
    "-q",
    "-sfk",
    "--http1.1",
    "--tlsv1.3",
    "--tls13-ciphers",
    "TLS_AES_256_GCM_SHA384",
)
"""With the same version and cipher for all, whatever each would choose."""
_LUA = """
local at = 0
request = function()
  at = (at * 1103515245 + 12345) % 2147483648
  local first = (at % {blocks}) * 4096
  local range = "bytes=" .. first .. "-" .. (first + 4095)
  return wrk.format("GET", nil, {{["Range"] = range}})
end
"""


@dataclass(frozen=True)
class Run:
    """What one run came to: a rate (whatever is counted, each second) and CPU seconds."""

    rate: float
    cpu: float


Act = Callable[[Server], Run]


def _full(stage: Stage, size: int) -> Path:
    """A folder with a file that has no holes and is on its disk, so that nothing writes later."""
    root = stage.place("root")
    block = os.urandom(MIB)
    with (root / "f.bin").open("wb") as file:
        for number in range(0, size, MIB):
            file.write((number.to_bytes(8, "big") + block)[: min(MIB, size - number)])
        file.flush()
        os.fsync(file.fileno())
    return root


def _servers(stage: Stage, root: Path) -> dict[str, Server]:
    running = {}
    for name in present():
        if (name == OURS and not stage.ours) or (stage.servers and name not in stage.servers):
            continue
        server = start(name, root, stage.directory / "servers" / name)
        stage.stack.callback(server.close)
        _check(server, tls=False)
        _check(server, tls=True)
        running[name] = server
    return running


def _check(server: Server, *, tls: bool) -> None:
    """It serves that very file, on both ports: what is measured is what all of them do."""
    path = server.place.root / "f.bin"
    start = path.stat().st_size // 2
    url = server.url("f.bin", tls=tls)
    got = subprocess.run(
        [*_CURL, "-r", f"{start}-{start + 8191}", url], capture_output=True, check=True
    ).stdout
    with path.open("rb") as file:
        file.seek(start)
        if got != file.read(8192):
            raise Failed(f"{url}: not the octets of the file")


def _fetch(size: int, ranges: int, *, tls: bool) -> Act:
    """Fetch *size* octets by as many curls as there are ranges."""
    edges = [size * number // ranges for number in range(ranges + 1)]

    def act(server: Server) -> Run:
        url = server.url("f.bin", tls=tls)
        cpu, began = server.cpu(), time.perf_counter()
        curls = [
            subprocess.Popen(
                [*_CURL, "-o", "/dev/null", "-w", "%{size_download}",
                 *(["-r", f"{a}-{b - 1}"] if ranges > 1 else []), url],
                stdout=subprocess.PIPE, text=True,
            )
            for a, b in pairwise(edges)
        ]  # fmt: skip
        got = sum(int(curl.communicate()[0]) for curl in curls)
        wall = time.perf_counter() - began
        if got != size or any(curl.returncode for curl in curls):
            raise Failed(f"{got} octets of {size}")
        return Run(size / MIB / wall, (server.cpu() - cpu) / (size / 2**30))

    return act


def _small(script: Path, seconds: int) -> Act:
    def act(server: Server) -> Run:
        cpu = server.cpu()
        done = subprocess.run(
            ["wrk", "-t1", "-c16", f"-d{seconds}", "-s", str(script), server.url("f.bin")],
            capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        count = re.search(r"(\d+) requests in", done)
        rate = re.search(r"Requests/sec:\s+([\d.]+)", done)
        if count is None or rate is None or "Non-2xx" in done or "Socket errors" in done:
            raise Failed(done)
        return Run(float(rate[1]), (server.cpu() - cpu) / int(count[1]) * 1e6)

    return act


def _compare(stage: Stage, title: str, units: tuple[str, str], root: Path, act: Act) -> str:
    """Medians of runs that alternate, after one of each to warm up, and their ratios."""
    servers = _servers(stage, root)
    runs: dict[str, list[Run]] = {name: [] for name in servers}
    for server in servers.values():
        act(server)  # to warm up
    for turn in range(stage.rounds):
        order = list(servers)
        for name in order if turn % 2 == 0 else reversed(order):
            runs[name].append(act(servers[name]))
    ours = runs.get(OURS)
    header = ["", units[0], "ours/its", units[1], "ours/its"]
    return table(title, header, [_row(name, each, ours) for name, each in runs.items()])


def _row(name: str, runs: list[Run], ours: list[Run] | None) -> list[str]:
    rate, cpu = median(run.rate for run in runs), median(run.cpu for run in runs)
    if ours is None:
        return [name, f"{rate:.0f}", "", f"{cpu:.2f}", ""]
    faster = median(run.rate for run in ours) / rate
    dearer = median(run.cpu for run in ours) / max(cpu, 0.001)
    return [name, f"{rate:.0f}", f"{faster:.2f}", f"{cpu:.2f}", f"{dearer:.2f}"]


def _throughput(title: str, ranges: int, *, tls: bool) -> Callable[[Stage], str]:
    def work(stage: Stage) -> str:
        size = stage.size_or(2048 * MIB)
        act = _fetch(size, ranges, tls=tls)
        told = f"{title}, {size // MIB} MiB, by curl"
        return _compare(stage, told, ("MiB/s", "CPU s/GiB"), _full(stage, size), act)

    return work


serve = _throughput("Serving one file over one connection", 1, tls=False)
serve8 = _throughput("Serving one file in eight ranges at once", 8, tls=False)
serve_tls = _throughput("Serving one file over one TLS connection", 1, tls=True)


def small(stage: Stage) -> str:
    """Answers each second, and what one costs."""
    if shutil.which("wrk") is None:
        return "small: wrk is not installed\n"
    size = stage.size_or(64 * MIB)
    root = _full(stage, size)
    script = stage.directory / "range.lua"
    script.write_text(_LUA.format(blocks=size // 4096))
    title = "Serving 4 KiB ranges, keep-alive, 16 connections, by wrk"
    return _compare(stage, title, ("answers/s", "CPU us each"), root, _small(script, 3))
