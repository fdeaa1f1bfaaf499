"""
A process that serves the mounts beside the daemon: ``python -m rangedaemon.worker``.

The daemon starts it (`rangedaemon.service.workers`) with its listening sockets as
descriptors 3, 4, … .  Over standard input comes one line that says what to do; its end
is the daemon's end, and ours.  What the daemon should know goes to standard output,
one JSON object on each line: ``ready``, totals once a second, and log events.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import suppress
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall
from twisted.logger import (
    FilteringLogObserver,
    ILogObserver,
    LogEvent,
    LogLevel,
    LogLevelFilterPredicate,
    formatEvent,
    globalLogBeginner,
)
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool
from zope.interface import provider

from rangedaemon.server.adoption import adopt
from rangedaemon.server.setup import SiteSetup
from rangedaemon.storage.threads import pooled

_FIRST_SOCKET = 3
_THREADS = 8


class Lifeline(FileDescriptor):
    """Standard input, which ends when the daemon does, however it does."""

    def fileno(self) -> int:
        """Which descriptor it is."""
        return 0

    def doRead(self) -> None:  # noqa: N802 - Twisted's interface
        """There is something to read: the end, as nobody writes any more."""
        if not os.read(0, 4096):
            os._exit(1)

    def connectionLost(self, _reason: Failure) -> None:
        """Nobody has the other end any more."""
        os._exit(1)


class Worker:
    """One worker: its site, and its way to the daemon."""

    def __init__(self, reactor: Any, told: dict[str, Any]) -> None:
        self._reactor = reactor
        self._endpoints: list[str] = told["endpoints"]
        setup = SiteSetup.from_json(told["setup"])
        self._patience = setup.drain_timeout
        self._disk = ThreadPool(1, _THREADS, name="disk")
        self._site = setup.site(reactor, pooled(reactor, self._disk))
        self._site.noisy = False
        self._ports: list[Any] = []
        self._ending: Deferred[None] | None = None
        self._totals = LoopingCall(self._tell_totals)
        self._totals.clock = reactor

    def start(self) -> None:
        """Serve, once the reactor runs."""
        self._disk.start()
        reactor = self._reactor
        reactor.addReader(Lifeline(reactor))
        reactor.addSystemEventTrigger("before", "shutdown", self._drain)
        began = Deferred.fromCoroutine(self._serve())
        began.addErrback(lambda failure: (failure.printTraceback(), reactor.stop()))

    async def _serve(self) -> None:
        for number, description in enumerate(self._endpoints, _FIRST_SOCKET):
            taken = socket.socket(fileno=number)
            self._ports.append(await adopt(self._reactor, description, taken, self._site))
        tell(ready=True)
        self._totals.start(1.0, now=False)

    def _tell_totals(self) -> None:
        tell(sent=self._site.sent, connections=self._site.crowd.total)

    def _drain(self) -> Deferred[None]:
        return Deferred.fromCoroutine(self._end())

    async def _end(self) -> None:
        """Accept no more, finish what was begun."""
        for port in self._ports:
            port.stopReading()
        await self._site.drain(self._patience)
        await self._site.logged()
        self._tell_totals()
        self._disk.stop()


def tell(**facts: Any) -> None:
    """Tell the daemon; where it does not listen at the moment, it misses that."""
    with suppress(OSError):
        os.write(1, json.dumps(facts).encode() + b"\n")


@provider(ILogObserver)
def log_to_daemon(event: LogEvent) -> None:
    """A log event as a line to the daemon."""
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text += "\n" + failure.getTraceback()
    tell(log=event["log_level"].name, text=text[:16384])


def main() -> None:
    """Run until told to end (SIGTERM), or until the daemon is gone."""
    from twisted.internet import reactor  # noqa: PLC0415

    # Whoever presses Ctrl-C means the daemon, which then tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    os.set_blocking(1, False)
    levels = LogLevelFilterPredicate(LogLevel.info)
    observer = FilteringLogObserver(log_to_daemon, [levels])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    worker = Worker(reactor, json.loads(sys.stdin.buffer.readline()))
    reactor.callWhenRunning(worker.start)
    reactor.run()


if __name__ == "__main__":
    main()
