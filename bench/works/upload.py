"""
One large file into servers, by curl over one connection: tus, and PUT.

The clock runs from the creation to the last answer.  Ours answers when the octets are
synced and the file has its name; nginx and @tus/server do not sync.
"""

from __future__ import annotations

import filecmp
import http.client
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from urllib.parse import urlsplit

from bench.contenders import Failed
from bench.proc import cpu_seconds, peak_memory, reset_peak, tree_of
from bench.stage import MIB, Stage
from bench.table import mib, table
from tests.integration import nginx
from tests.integration.daemon import DaemonProcess
from tests.integration.nginx import Nginx
from tests.integration.ports import accepts, free_port
from tests.integration.waiting import until

_SCRIPTS = Path(__file__).parents[1] / "npm"
_OCTETS = "application/offset+octet-stream"


@dataclass(frozen=True)
class Sample:
    """What one upload came to."""

    wall: float
    cpu: float
    memory: int


@dataclass(frozen=True)
class Receiver:
    """A server, a way to send it a file, and where the file is then."""

    pid: int
    send: Callable[[Path], Path]

    def run(self, source: Path) -> Sample:
        """Send *source*; what came of it has to be the same."""
        pids = tree_of(self.pid)
        for pid in pids:
            reset_peak(pid)
        cpu, began = sum(map(cpu_seconds, pids)), time.perf_counter()
        received = self.send(source)
        wall = time.perf_counter() - began
        sample = Sample(wall, sum(map(cpu_seconds, pids)) - cpu, max(map(peak_memory, pids)))
        if not filecmp.cmp(source, received, shallow=False):
            raise Failed(f"{received} is another file")
        received.unlink()
        return sample


def upload(stage: Stage) -> str:
    """The work: servers down."""
    size = stage.size_or(1024 * MIB)
    source = stage.place("source") / "f.bin"
    _fill(source, size)
    receivers = _receivers(stage)
    runs: dict[str, list[Sample]] = {name: [] for name in receivers}
    for receiver in receivers.values():
        receiver.run(source)  # to warm up
    for turn in range(stage.rounds):
        names = list(receivers)
        for name in names if turn % 2 == 0 else reversed(names):
            runs[name].append(receivers[name].run(source))
    header = ["", "MiB/s", "tus of ours/its", "CPU s/GiB", "peak MiB"]
    ours = runs.get("rangedaemon, tus")
    rows = [_row(name, each, size, ours) for name, each in runs.items()]
    return table(f"Receiving one file of {size // MIB} MiB, by curl", header, rows)


def _fill(path: Path, size: int) -> None:
    block = os.urandom(MIB)
    with path.open("wb") as out:
        for _ in range(size // MIB):
            out.write(block)
        out.write(block[: size % MIB])


def _row(name: str, runs: list[Sample], size: int, ours: list[Sample] | None) -> list[str]:
    rate = median(size / MIB / run.wall for run in runs)
    cpu = median(run.cpu / (size / 2**30) for run in runs)
    pairs = zip(ours or (), runs, strict=ours is not None)
    ratios = [its.wall / own.wall for own, its in pairs]
    faster = f"{median(ratios):.2f}" if ratios else ""
    return [name, f"{rate:.0f}", faster, f"{cpu:.2f}", mib(max(run.memory for run in runs))]


def _receivers(stage: Stage) -> dict[str, Receiver]:
    receivers: dict[str, Receiver] = {}
    if stage.ours:
        receivers |= _ours(stage)
    if nginx.available() is not None:
        receivers["nginx, PUT"] = _nginx(stage)
    if shutil.which("npm") and shutil.which("node"):
        receivers["@tus/server, tus"] = _tus_server(stage)
    return receivers


def _ours(stage: Stage) -> dict[str, Receiver]:
    root = stage.place("ours-root")
    mount = {"path": "/files", "root": str(root), "uploads": {"anonymous": True}}
    daemon = DaemonProcess(stage.directory / "ours", {"server": {"mounts": [mount]}})
    stage.stack.callback(daemon.close)
    daemon.start()
    url = f"http://127.0.0.1:{daemon.file_port}/files"
    return {
        "rangedaemon, tus": Receiver(daemon.pid, lambda path: _by_tus(url, path, root)),
        "rangedaemon, PUT": Receiver(daemon.pid, lambda path: _by_put(url, path, root)),
    }


def _nginx(stage: Stage) -> Receiver:
    root = stage.place("nginx-root")
    more = "dav_methods PUT; client_max_body_size 0;"
    server = Nginx(stage.directory / "nginx", root, access_log=False, more=more)
    stage.stack.callback(server.close)
    server.start()
    pid = int((stage.directory / "nginx" / "nginx.pid").read_text())
    return Receiver(pid, lambda path: _by_put(server.url("")[:-1], path, root))


def _tus_server(stage: Stage) -> Receiver:
    scripts, root, port = stage.directory / "npm", stage.place("tus-root"), free_port()
    shutil.copytree(_SCRIPTS, scripts)
    command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
    subprocess.run(command, cwd=scripts, check=True, capture_output=True)
    server = subprocess.Popen(["node", "tus_server.mjs", str(port), str(root)], cwd=scripts)
    stage.stack.callback(server.wait)
    stage.stack.callback(server.terminate)
    until(lambda: accepts(port), "@tus/server listens")
    url = f"http://127.0.0.1:{port}/files"
    return Receiver(server.pid, lambda path: _by_tus(url, path, root))


def _by_put(url: str, path: Path, root: Path) -> Path:
    _curl("-T", str(path), f"{url}/{path.name}")
    return root / path.name


def _by_tus(url: str, path: Path, root: Path) -> Path:
    place = urlsplit(url)
    wire = http.client.HTTPConnection(place.hostname or "", place.port)
    fields = {"Tus-Resumable": "1.0.0", "Upload-Length": str(path.stat().st_size)}
    wire.request("POST", place.path, None, {**fields, "Upload-Metadata": "filename Zi5iaW4="})
    location = wire.getresponse().headers["Location"]
    wire.close()
    _curl(
        "-X", "PATCH", "-H", "Tus-Resumable: 1.0.0", "-H", "Upload-Offset: 0",
        "-H", f"Content-Type: {_OCTETS}", "-H", "Expect:", "-T", str(path), location,
    )  # fmt: skip
    named, by_id = root / path.name, root / location.rpartition("/")[2]
    return named if named.exists() else by_id


def _curl(*arguments: str) -> None:
    command = ["curl", "-q", "-sf", "-o", os.devnull, *arguments]
    if subprocess.run(command, check=False).returncode != 0:
        raise Failed("curl failed")
