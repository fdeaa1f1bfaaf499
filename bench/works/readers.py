"""Two thousand readers that hardly read: what each costs, and how others are answered."""

from __future__ import annotations

import http.client
import resource
import socket
import time
from contextlib import ExitStack
from statistics import quantiles

from bench.servers import OURS, Server, present, start
from bench.stage import MIB, Stage
from bench.table import table

READERS = 2000
_ASKS = 200
_REQUEST = b"GET /f.bin HTTP/1.1\r\nHost: h\r\n\r\n"


def readers(stage: Stage) -> str:
    """Memory for each reader, and how long a small file takes before and meanwhile."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    root = stage.place("root")
    size = stage.size_or(2048 * MIB)
    with (root / "f.bin").open("wb") as file:
        file.truncate(size)
    (root / "small").write_bytes(bytes(1000))
    rows = []
    for name in present():
        if (name == OURS and not stage.ours) or (stage.servers and name not in stage.servers):
            continue
        server = start(name, root, stage.directory / "servers" / name)
        try:
            rows.append([name, *_measure(server)])
        finally:
            server.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    title = f"{READERS} slow readers of a file of {size // MIB} MiB; beside them, 1 kB each"
    header = ["", "KiB each", "median ms", "99 % ms", "alone: median ms", "99 % ms"]
    return table(title, header, rows)


def _measure(server: Server) -> list[str]:
    alone = _times(server)
    before = server.resident()
    with ExitStack() as stack:
        peers = [stack.enter_context(_begun(server.place.port)) for _ in range(READERS)]
        _sip(peers)
        each = (server.resident() - before) / READERS / 1024
        beside = _times(server)
    return [f"{each:.1f}", *beside, *alone]


def _begun(port: int) -> socket.socket:
    """A reader that has asked."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.settimeout(20)
    peer.connect(("127.0.0.1", port))
    peer.sendall(_REQUEST)
    return peer


def _sip(peers: list[socket.socket]) -> None:
    """Each reads a little now and then."""
    for _ in range(3):
        for peer in peers:
            if not peer.recv(1024):
                raise AssertionError("a reader was cut off")
        time.sleep(0.3)


def _times(server: Server) -> list[str]:
    """Milliseconds that a small file takes, one after the other: median, 99 %."""
    wire = http.client.HTTPConnection("127.0.0.1", server.place.port, timeout=20)
    times = []
    for _ in range(_ASKS):
        began = time.perf_counter()
        wire.request("GET", "/small")
        wire.getresponse().read()
        times.append((time.perf_counter() - began) * 1000)
    wire.close()
    cuts = quantiles(times, n=100)
    return [f"{cuts[49]:.1f}", f"{cuts[98]:.1f}"]
