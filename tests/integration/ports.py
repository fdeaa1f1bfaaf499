"""Free TCP ports of the loopback interface."""

from __future__ import annotations

import os
import socket
from random import Random

_LOWEST, _HIGHEST = 20000, 32000
_random = Random(os.getpid())


def free_port() -> int:
    """A port that nobody listens on, below those that the kernel gives to clients.

    So no outgoing connection can take it between now and its use.
    """
    while True:
        port = _random.randrange(_LOWEST, _HIGHEST)
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
