"""Two thousand readers that hardly read: what each costs, and how others are answered."""

from __future__ import annotations

import http.client
import re
import resource
import socket
import ssl
import time
from collections.abc import Callable
from contextlib import ExitStack
from statistics import quantiles

from bench.servers import OURS, Server, present, start
from bench.stage import MIB, Stage
from bench.table import table

READERS = 2000
_ASKS = 200
_TRUSTING = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
_TRUSTING.check_hostname = False
_TRUSTING.verify_mode = ssl.CERT_NONE
_WHOLE = re.compile(rb"(?i)\r\ncontent-length: *[1-9]\d{6,}\r\n")
_REQUEST = b"GET /f.bin HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def _readers(*, tls: bool) -> Callable[[Stage], str]:
    def work(stage: Stage) -> str:
        return _run(stage, tls=tls)

    return work


readers = _readers(tls=False)
readers_tls = _readers(tls=True)


def _run(stage: Stage, *, tls: bool) -> str:
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
            rows.append([name, *_measure(server, tls=tls)])
        finally:
            server.close()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    way = "TLS, " if tls else ""
    title = f"{way}{READERS} slow readers of a file of {size // MIB} MiB; beside them, 1 kB each"
    header = ["", "KiB each", "median ms", "99 % ms", "alone: median ms", "99 % ms"]
    return table(title, header, rows)


def _measure(server: Server, *, tls: bool) -> list[str]:
    alone = _times(server)
    before = server.resident()
    with ExitStack() as stack:
        peers = [stack.enter_context(_begun(server, tls=tls)) for _ in range(READERS)]
        _sip(peers)
        each = (server.resident() - before) / READERS / 1024
        beside = _times(server)
    return [f"{each:.1f}", *beside, *alone]


def _begun(server: Server, *, tls: bool) -> socket.socket:
    """A reader that has asked."""
    peer = socket.socket()
    peer.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    peer.settimeout(20)
    peer.connect(("127.0.0.1", server.place.tls_port if tls else server.place.port))
    if tls:
        peer = _TRUSTING.wrap_socket(peer)
    peer.sendall(_REQUEST)
    begun = peer.recv(512)
    if not begun.startswith(b"HTTP/1.1 200 ") or not _WHOLE.search(begun):
        raise AssertionError(f"not the file: {begun!r}")
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
