"""
A process that serves the mounts beside the daemon: ``python -m rangedaemon.worker``.

The daemon starts it (`rangedaemon.service.workers`) with its listening sockets as
descriptors 3, 4, … .  Over standard input comes a line that says what to do, later
others that change it; its end is the daemon's end, and ours.  What the daemon should know
goes to standard output, one JSON object on each line: ``ready``, ``changed``, totals once
a second, and log events.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.defer import Deferred
from twisted.internet.error import ReactorNotRunning
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
from rangedaemon.server.certificates import read_certificate, renew
from rangedaemon.server.listening import has_certificate
from rangedaemon.server.relaying import Relay
from rangedaemon.server.setup import SiteSetup
from rangedaemon.server.steady import keep_steady
from rangedaemon.storage.threads import pooled

_FIRST_SOCKET = 3
_THREADS = 8


class Lifeline(FileDescriptor):
    """Standard input, which ends when the daemon does, however it does."""

    def __init__(self, reactor: Any, begun: bytes, hear: Callable[[dict[str, Any]], None]) -> None:
        """
        :param begun: what was read of it already.
        :param hear: is told what each line says.
        """
        super().__init__(reactor)
        self._buffer = begun
        self._hear = hear

    def fileno(self) -> int:
        """Which descriptor it is."""
        return 0

    def doRead(self) -> None:  # noqa: N802 - Twisted's interface
        """A piece of a line, or the end."""
        octets = os.read(0, 1 << 16)
        if not octets:
            os._exit(1)
        self.take(octets)

    def take(self, octets: bytes) -> None:
        """Hear the lines that are whole now."""
        *lines, self._buffer = (self._buffer + octets).split(b"\n")
        for line in lines:
            self._hear(json.loads(line))

    def connectionLost(self, _reason: Failure) -> None:
        """Nobody has the other end any more."""
        os._exit(1)


class Worker:
    """One worker: its site, and its way to the daemon."""

    def __init__(self, reactor: Any, told: dict[str, Any], begun: bytes) -> None:
        self._reactor = reactor
        self._begun = begun
        self._endpoints: list[str] = told["endpoints"]
        setup = SiteSetup.from_json(told["setup"])
        self._patience = setup.drain_timeout
        self._disk = ThreadPool(1, _THREADS, name="disk")
        self._in_thread = pooled(reactor, self._disk)
        self._site = setup.site(reactor, self._in_thread)
        self._site.noisy = False
        self._relay = Relay(reactor, self._site)
        self._relay.lead(setup.relay, setup.limits.stall_timeout)
        self._site.protocol = self._relay.channel  # type: ignore[assignment]
        self._ports: list[Any] = []
        self._ending: Deferred[None] | None = None
        self._totals = LoopingCall(self._tell_totals)
        self._totals.clock = reactor

    def start(self) -> None:
        """Serve, once the reactor runs."""
        self._disk.start()
        reactor = self._reactor
        lifeline = Lifeline(reactor, self._begun, self._hear)
        reactor.addReader(lifeline)
        lifeline.take(b"")
        reactor.addSystemEventTrigger("before", "shutdown", self._drain)
        began = Deferred.fromCoroutine(self._serve())
        began.addErrback(lambda failure: (failure.printTraceback(), reactor.stop()))

    async def _serve(self) -> None:
        for number, description in enumerate(self._endpoints, _FIRST_SOCKET):
            taken = socket.socket(fileno=number)
            self._ports.append(await adopt(self._reactor, description, taken, self._site))
        tell(ready=True)
        self._totals.start(1.0, now=False)

    def _hear(self, told: dict[str, Any]) -> None:
        """What the daemon wants: another way to serve, or our end."""
        if "retire" in told:
            acting = Deferred.fromCoroutine(self._retire())
        else:
            acting = Deferred.fromCoroutine(self._change(told["change"], told["setup"]))
        acting.addErrback(self._broke)

    def _broke(self, failure: Failure) -> None:
        """End: the daemon puts another in our place, which does as it is told now."""
        failure.printTraceback()
        self._stop()

    async def _change(self, number: int, text: str) -> None:
        """Serve otherwise; connections and what is under way on them go on."""
        setup = SiteSetup.from_json(text)
        renewed = [
            (port, await self._in_thread(read_certificate, description))
            for description, port in zip(self._endpoints, self._ports, strict=False)
            if has_certificate(description)
        ]
        setup.change(self._site, self._in_thread)
        self._relay.lead(setup.relay, setup.limits.stall_timeout)
        self._patience = setup.drain_timeout
        for port, context in renewed:
            renew(port, context)
        tell(changed=number)

    async def _retire(self) -> None:
        """Others serve whoever comes now: finish what was begun, however long, and end."""
        ports, self._ports = self._ports, []
        for port in ports:
            port.leave()
        await self._site.crowd.drain()
        self._stop()

    def _stop(self) -> None:
        with suppress(ReactorNotRunning):
            self._reactor.stop()

    def _tell_totals(self) -> None:
        site = self._site
        tell(sent=site.sent, connections=site.crowd.total, answers=site.answers)

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


def first_line() -> tuple[dict[str, Any], bytes]:
    """What we are told first, and what was read beyond it; waits for it."""
    octets = b""
    while b"\n" not in octets:
        more = os.read(0, 1 << 16)
        if not more:
            sys.exit(1)
        octets += more
    line, _, rest = octets.partition(b"\n")
    return json.loads(line), rest


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

    # Whoever presses Ctrl-C, or closes the terminal, means the daemon, which then tells us.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    os.set_blocking(1, False)
    levels = LogLevelFilterPredicate(LogLevel.info)
    observer = FilteringLogObserver(log_to_daemon, [levels])
    globalLogBeginner.beginLoggingTo([observer], redirectStandardIO=False)
    keep_steady(reactor)
    worker = Worker(reactor, *first_line())
    reactor.callWhenRunning(worker.start)
    reactor.run()


if __name__ == "__main__":
    main()
