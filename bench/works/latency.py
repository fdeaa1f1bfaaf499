"""Does the daemon still answer while it fetches at full speed?"""

from __future__ import annotations

import http.client
import threading
import time
from contextlib import closing
from statistics import quantiles

from bench.peers import Fetch
from bench.stage import MIB, Stage
from bench.table import table

_EVERY = 0.01
_CONNECTIONS = 8


class Pulse(threading.Thread):
    """Asks for /healthz every 10 ms and keeps how long each answer took."""

    def __init__(self, port: int) -> None:
        super().__init__(daemon=True)
        self.times: list[float] = []
        self._port = port
        self._stopping = threading.Event()

    def run(self) -> None:
        wire = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
        with closing(wire):
            while not self._stopping.wait(_EVERY):
                began = time.perf_counter()
                wire.request("GET", "/healthz")
                wire.getresponse().read()
                self.times.append(time.perf_counter() - began)

    def stop(self) -> list[float]:
        """End it; the seconds that the answers took."""
        self._stopping.set()
        self.join(20)
        return self.times


def latency(stage: Stage) -> str:
    """The 50th and 99th percentile and the worst, over all rounds."""
    if not stage.ours:
        return ""
    size = stage.size_or(1024 * MIB)
    _, url = stage.nginx(size, workers=2)
    ours = stage.daemon(segments=_CONNECTIONS, connections_per_host=_CONNECTIONS)
    fetch = Fetch(url, stage.place("fetched") / "rangedaemon.bin", _CONNECTIONS)
    times: list[float] = []
    for _ in range(stage.rounds):
        pulse = Pulse(ours.daemon.port)
        pulse.start()
        ours.run(fetch, size)
        times += pulse.stop()
    cuts = quantiles(times, n=100)
    cells = [f"{value * 1000:.1f}" for value in (cuts[49], cuts[98], max(times))]
    title = f"GET /healthz every 10 ms during {stage.rounds} pulls of {size // MIB} MiB"
    header = ["", "answers", "median ms", "99 % ms", "worst ms"]
    return table(title, header, [["rangedaemon", str(len(times)), *cells]])
