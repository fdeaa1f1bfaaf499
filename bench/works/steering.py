"""Steering: how fast jobs are taken, listed, told of, and what it costs."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from bench.client import Wire
from bench.proc import cpu_seconds
from bench.stage import Stage
from bench.table import table
from tests.hostile import HostileOrigin
from tests.integration.daemon import DaemonProcess

JOBS = 10_000
BATCH = 100
CROWD = 100_000
READERS = 200
ACTIVE = 50
_POLLS_PER_SECOND = 200
_KEYS = ["gid", "status", "totalLength", "completedLength", "downloadSpeed", "connections"]


def posts(stage: Stage) -> str:
    """Jobs one by one on one connection, and in batches; each durable when answered."""
    if not stage.ours:
        return ""
    with _silent() as url:
        daemon = stage.daemon().daemon
        wire = Wire(daemon)
        token = f"token:{wire.token}"

        def batch(at: int) -> None:
            wire.ask("POST", "/api/v1/jobs", [{"url": f"{url}/{at}-{n}"} for n in range(BATCH)])

        def multicall(at: int) -> None:
            calls = [
                {"methodName": "aria2.addUri", "params": [token, [f"{url}/{at}-{n}"]]}
                for n in range(BATCH)
            ]
            wire.call("system.multicall", calls)

        works: list[tuple[str, int, int, Callable[[int], object]]] = [
            ("POST", JOBS, 1, lambda at: wire.ask("POST", "/api/v1/jobs", {"url": f"{url}/{at}"})),
            ("aria2.addUri", JOBS, 1, lambda at: wire.call("aria2.addUri", [f"{url}/{at}"])),
            (f"list of {BATCH}", JOBS // BATCH, BATCH, batch),
            (f"multicall of {BATCH}", JOBS // BATCH, BATCH, multicall),
        ]
        rows = [_rate(daemon, *work) for work in works]
    title = f"Adding {JOBS} jobs on one connection"
    return table(title, ["", "jobs/s", "CPU ms each"], rows)


def _rate(
    daemon: DaemonProcess, name: str, times: int, each: int, act: Callable[[int], object]
) -> list[str]:
    cpu, began = cpu_seconds(daemon.pid), time.perf_counter()
    for at in range(times):
        act(at)
    wall, count = time.perf_counter() - began, times * each
    cpu = cpu_seconds(daemon.pid) - cpu
    return [name, f"{count / wall:.0f}", f"{cpu / count * 1000:.2f}"]


def crowd(stage: Stage) -> str:
    """A hundred thousand jobs: a page, a start, the memory of each, and polling."""
    if not stage.ours:
        return ""
    with _silent() as url:
        daemon = stage.daemon().daemon
        wire = Wire(daemon)
        before = _resident(daemon)
        for at in range(CROWD // 1000):
            wire.ask("POST", "/api/v1/jobs", [{"url": f"{url}/{at}-{n}"} for n in range(1000)])
        each = (_resident(daemon) - before) / CROWD
        pages = [_timed(lambda: wire.ask("GET", "/api/v1/jobs?limit=100")) for _ in range(100)]
        polls = _polling(daemon, wire)
        daemon.terminate()
        start = _timed(daemon.start)
    rows = [
        ["page of 100, median ms", f"{median(pages) * 1000:.1f}"],
        ["page of 100, worst ms", f"{max(pages) * 1000:.1f}"],
        ["octets of memory for each job", f"{each:.0f}"],
        [f"% of a core at {_POLLS_PER_SECOND} polls/s", f"{polls:.1f}"],
        ["start until ready, s", f"{start:.2f}"],
    ]
    return table(f"With {CROWD} jobs", ["", "rangedaemon"], rows)


def _polling(daemon: DaemonProcess, wire: Wire) -> float:
    """Per cent of a core that a client costs which asks again and again, for five seconds."""
    count = 5 * _POLLS_PER_SECOND
    cpu, began = cpu_seconds(daemon.pid), time.perf_counter()
    for at in range(count):
        if at % 2:
            wire.call("aria2.getGlobalStat")
        else:
            wire.call("aria2.tellActive", _KEYS)
        time.sleep(max(0.0, began + at / _POLLS_PER_SECOND - time.perf_counter()))
    wall = time.perf_counter() - began
    return (cpu_seconds(daemon.pid) - cpu) / wall * 100


def events(stage: Stage) -> str:
    """Two hundred readers of events while fifty jobs run: when has each reader heard?"""
    if not stage.ours:
        return ""
    origin = stage.origin()
    daemon = stage.daemon(max_active=ACTIVE, segments=1, connections_per_host=ACTIVE).daemon
    wire = Wire(daemon)
    _run_jobs(origin, wire)
    readers = [Wire(daemon).events() for _ in range(READERS)]
    times: list[float] = []
    cpu, began = cpu_seconds(daemon.pid), time.perf_counter()
    for at in range(10):
        times += _heard(wire, readers, f"bench-{at}-end")
        time.sleep(0.5)
    wall = time.perf_counter() - began
    cpu = (cpu_seconds(daemon.pid) - cpu) / wall * 100
    for reader in readers:
        reader.close()
    cells = [f"{median(times) * 1000:.0f}", f"{max(times) * 1000:.0f}", f"{cpu:.0f}"]
    title = f"{READERS} readers of events, {ACTIVE} active jobs"
    return table(title, ["", "median ms", "worst ms", "% of a core"], [["rangedaemon", *cells]])


def _run_jobs(origin: HostileOrigin, wire: Wire) -> None:
    urls = [origin.url(f"/rate=65536/{at}.bin?size=64MiB") for at in range(ACTIVE)]
    wire.ask("POST", "/api/v1/jobs", [{"url": url} for url in urls])
    deadline = time.monotonic() + 30
    while len(wire.call("aria2.tellActive", ["gid"])) < ACTIVE:
        if time.monotonic() > deadline:
            raise AssertionError(f"{ACTIVE} jobs do not run")
        time.sleep(0.1)


def _heard(wire: Wire, readers: list[socket.socket], name: str) -> list[float]:
    """Seconds from the post of a job to its event, for each reader."""
    times: list[float] = []
    tails = dict.fromkeys(readers, b"")
    with selectors.DefaultSelector() as selector:
        for reader in readers:
            selector.register(reader, selectors.EVENT_READ)
        began = time.perf_counter()
        wire.ask("POST", "/api/v1/jobs", {"url": "http://h/", "name": name, "paused": True})
        while selector.get_map():
            ready = selector.select(10)
            if not ready:
                raise AssertionError(f"{len(selector.get_map())} readers hear nothing")
            for key, _ in ready:
                reader: socket.socket = key.fileobj  # type: ignore[assignment]
                octets = tails[reader] + reader.recv(1 << 18)
                if name.encode() in octets:
                    times.append(time.perf_counter() - began)
                    selector.unregister(reader)
                tails[reader] = octets[-len(name) :]
    return times


@contextmanager
def _silent() -> Iterator[str]:
    """The address of an origin that takes connections and says nothing: jobs go on waiting."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as server:
        yield f"http://127.0.0.1:{server.getsockname()[1]}"


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _resident(daemon: DaemonProcess) -> int:
    for line in Path(f"/proc/{daemon.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    return 0
