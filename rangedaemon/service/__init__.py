"""The one place where everything is put together: configuration in, service out."""

from __future__ import annotations

from typing import Any

from rangedaemon.config import Config
from rangedaemon.service.daemon import Daemon
from rangedaemon.service.ports import StartFailed

__all__ = ["Daemon", "StartFailed", "build"]


def build(config: Config, reactor: Any, *, source: str | None = None) -> Daemon:
    """
    The daemon that *config* describes; nothing runs and nothing is on disk yet.

    :param source: the configuration's path, for whoever asks the daemon.
    """
    return Daemon(config, reactor, source=source)
