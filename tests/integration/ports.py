"""Free TCP ports of the loopback interface."""

from __future__ import annotations

import itertools
import os
import socket
from collections.abc import Iterator
from random import Random

_LOWEST, _HIGHEST = 20000, 32000


def _candidates(worker: int, workers: int) -> Iterator[int]:
    """
    The ports of one of the suite's processes, in an order of its own, over and over.

    A port is asked for long before it is listened at, and is free while a daemon is started
    again: no two processes of a run have one in common, and none is given again before all were.
    """
    ports = list(range(_LOWEST + worker, _HIGHEST, workers))
    Random(os.getpid()).shuffle(ports)
    return itertools.cycle(ports)


_mine = _candidates(
    int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")),
    int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")),
)


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to clients.

    So no outgoing connection can take it between now and its use.
    """
    while True:
        port = next(_mine)
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return port


def accepts(port: int) -> bool:
    """Whether something accepts connections on *port*."""
    with socket.socket() as trial:
        trial.settimeout(1)
        return trial.connect_ex(("127.0.0.1", port)) == 0
