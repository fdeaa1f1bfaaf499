"""What is done to the daemon meanwhile."""

from __future__ import annotations

import os
import signal
import time
from random import Random

from soak.stand import Stand, Wrong


def kill(stand: Stand, _: Random) -> None:
    """SIGKILL, and a start."""
    stand.daemon.kill()
    stand.daemon.start(60)
    stand.count("kills")


def restart(stand: Stand, _: Random) -> None:
    """SIGTERM, which ends it well, and a start."""
    status = stand.daemon.terminate()
    if status != 0:
        raise Wrong(f"a clean stop ended with {status}")
    stand.daemon.start(60)
    stand.count("clean restarts")


def reload(stand: Stand, chance: Random) -> None:
    """Another configuration, by the API."""
    with stand.file_turn:
        limits = {"idle_timeout": chance.randrange(5, 60)}
        stand.configure(limits=limits)
        reply = stand.daemon.api.request("POST", "/api/v1/reload")
    if reply.status != 200:
        raise Wrong(f"a reload was refused: {reply.body!r}")
    stand.count("reloads")


def bad_reload(stand: Stand, _: Random) -> None:
    """A file that cannot be used; it is refused, and the old one stays in force."""
    with stand.configuration() as file:
        file.write_text("sever: {}\n")
        reply = stand.daemon.api.request("POST", "/api/v1/reload")
    if reply.status != 422:
        raise Wrong(f"a bad file was answered with {reply.status}")
    stand.count("reloads refused")


def pause_process(stand: Stand, chance: Random) -> None:
    """The whole process stands still for a moment."""
    os.kill(stand.daemon.pid, signal.SIGSTOP)
    time.sleep(chance.uniform(0.1, 1.0))
    os.kill(stand.daemon.pid, signal.SIGCONT)
    stand.count("standstills")


HARD = (kill, kill, restart, reload, bad_reload, pause_process)
"""With ends of the process among them."""
SOFT = (reload, bad_reload, pause_process)
