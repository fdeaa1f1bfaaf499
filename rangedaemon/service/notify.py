"""
What systemd is told by datagrams to ``$NOTIFY_SOCKET``, where there is one (sd_notify(3)).

The watchdog is fed by the reactor, so one that is stuck is noticed and restarted.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.control.cli.units import show_rate

STATUS_INTERVAL = 5.0
"""Seconds between two texts, at the least."""
LONGEST_STATUS = 500


def notify(environ: Mapping[str, str], *lines: str) -> None:
    """Send ``KEY=value`` lines; never waits, and never fails the one who tells."""
    path = environ.get("NOTIFY_SOCKET", "")
    if path[:1] not in ("/", "@"):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as wire:
        wire.setblocking(False)
        wire.sendto("\n".join(lines).encode(), address)


def watchdog_interval(environ: Mapping[str, str], pid: int) -> float | None:
    """
    Seconds between two signs of life: half of what systemd waits (sd_watchdog_enabled(3)).

    :param pid: ours; a watchdog may be somebody else's.
    :returns: None where nobody waits for them.
    """
    text = environ.get("WATCHDOG_USEC", "")
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 19 and int(text) > 0):
        return None
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return None
    return int(text) / 2_000_000


def status_text(active: int, rate_in: float, readers: int, rate_out: float) -> str:
    """What the daemon does at this moment: ``3 active, 12.0 MiB/s; 2 readers, 1.0 MiB/s``."""
    parts = []
    if active:
        parts.append(_part(f"{active} active", rate_in))
    if readers:
        parts.append(_part("1 reader" if readers == 1 else f"{readers} readers", rate_out))
    return "; ".join(parts) or "idle"


def _part(who: str, rate: float) -> str:
    return f"{who}, {show_rate(rate)}" if rate >= 1 else who


class Supervisor(Service):
    """
    Tells systemd: that we live, what we do, and what becomes of us.

    :param status: the text of the moment.
    """

    _log = Logger()

    def __init__(
        self, environ: Mapping[str, str], clock: Any, status: Callable[[], Awaitable[str]]
    ) -> None:
        self._environ = environ
        self._clock = clock
        self._status = status
        self._told = ""
        self._refusal = ""
        self._calls: list[LoopingCall] = []
        self._stopping = False

    def startService(self) -> None:
        """Begin to give signs of life."""
        super().startService()  # type: ignore[no-untyped-call]
        interval = watchdog_interval(self._environ, os.getpid())
        if interval is not None:
            self._repeat(interval, lambda: self._tell("WATCHDOG=1"))

    def stopService(self) -> None:
        """Fall silent."""
        super().stopService()  # type: ignore[no-untyped-call]
        while self._calls:
            self._calls.pop().stop()

    def _repeat(self, interval: float, act: Callable[[], Any]) -> None:
        call = LoopingCall(act)
        call.clock = self._clock
        call.start(interval)
        self._calls.append(call)

    def _tell(self, *lines: str) -> None:
        notify(self._environ, *lines)

    def ready(self) -> None:
        """The start is over."""
        self._tell("READY=1")
        if self._environ.get("NOTIFY_SOCKET"):
            self._repeat(STATUS_INTERVAL, self._tell_status)

    def _tell_status(self) -> Deferred[None] | None:
        if self._stopping:
            return None
        return Deferred.fromCoroutine(self._tell_news()).addErrback(self._failed)

    async def _tell_news(self) -> None:
        text = (await self._status() + self._refusal)[:LONGEST_STATUS]
        if text != self._told and not self._stopping:
            self._told = text
            self._tell(f"STATUS={text}")

    def _failed(self, failure: Failure) -> None:
        self._log.failure("the status for systemd could not be had", failure)

    def reloading(self) -> None:
        """Another configuration is read (``Type=notify-reload``)."""
        now = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._tell("RELOADING=1", f"MONOTONIC_USEC={now}")

    def reloaded(self, refused: str | None) -> None:
        """That is over; *refused* says why nothing has changed."""
        if self._stopping:
            return
        self._tell("READY=1")
        said = " ".join((refused or "").split())
        self._refusal = f"; the last reload was refused: {said}" if said else ""

    def stopping(self, seconds: float) -> None:
        """The stop begins, and may take so long."""
        self._stopping = True
        more = f"EXTEND_TIMEOUT_USEC={int(seconds * 1e6)}"
        self._tell("STOPPING=1", "STATUS=stopping", more)
