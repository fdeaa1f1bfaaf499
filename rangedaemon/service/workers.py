"""
The processes that serve the mounts for us: started, counted, replaced, ended.

A worker that dies takes its own connections with it and nobody else's; another takes
its place, at once where it had lived for a while, with growing delays where workers
die young.  Its standard input is its lifeline: when this process ends, however it
does, that ends too, and the worker with it.
"""

from __future__ import annotations

import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, FirstError, gatherResults
from twisted.internet.error import ProcessExitedAlready
from twisted.internet.interfaces import IDelayedCall
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger, LogLevel
from twisted.python.failure import Failure

from rangedaemon.core.retry import RetryPolicy
from rangedaemon.errors import Fault

_FIRST_SOCKET = 3
_LONG_LIFE = 10.0
"""Seconds after which the death of a worker is no sign that the next will die too."""
_GRACE = 5.0
"""Seconds beyond its drain that a worker has to end."""
_MOST_WORDS = 4096
_LONGEST_LINE = 1 << 20

_log = Logger()


def _first_cause(failure: Failure) -> Failure:
    """What went wrong, out of the box that `gatherResults` puts it in."""
    first = failure.value
    return first.subFailure if isinstance(first, FirstError) else failure


class NoWorker(Fault):
    """A worker ended before it had served."""

    code = "no-worker"
    title = "A worker could not start"


class _Process(ProcessProtocol):
    """One worker, seen from here."""

    transport: Any

    def __init__(self, told: bytes, ended: Callable[[_Process], None]) -> None:
        self._told = told
        self._when_ended = ended
        self._buffer = b""
        self.words = b""
        """The end of what it wrote to standard error."""
        self.sent = 0
        self.answers: Counter[str] = Counter()
        self.connections = 0
        self.began = 0.0
        self.pid = 0
        self.reason = ""
        self._changes: dict[int, Deferred[None]] = {}
        self.ready: Deferred[None] = Deferred()
        self.gone: Deferred[None] = Deferred()

    def connectionMade(self) -> None:
        """It runs: tell it what to do."""
        self.pid = self.transport.pid
        self.transport.write(self._told)

    def outReceived(self, data: bytes) -> None:
        """It tells something."""
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        if len(self._buffer) > _LONGEST_LINE:
            self._buffer = b""

    def errReceived(self, data: bytes) -> None:
        """Words of a process that is in trouble."""
        self.words = (self.words + data)[-_MOST_WORDS:]

    def _take(self, facts: dict[str, Any]) -> None:
        if "log" in facts:
            level = LogLevel.lookupByName(facts["log"])
            _log.emit(level, "worker {pid}: {text}", pid=self.pid, text=facts["text"])
        elif "ready" in facts:
            if not self.ready.called:
                self.ready.callback(None)
        elif "changed" in facts:
            self._changes.pop(facts["changed"]).callback(None)
        else:
            self.sent, self.connections = facts["sent"], facts["connections"]
            self.answers = Counter(facts["answers"])

    def tell(self, **facts: Any) -> None:
        """Have it do something else."""
        self.transport.write(_line(facts))

    def change(self, number: int, setup: str) -> Deferred[None]:
        """Have it serve otherwise; fires when it does, or is gone."""
        self._changes[number] = done = Deferred[None]()
        self.tell(change=number, setup=setup)
        return done

    def signal(self, name: str) -> None:
        """Send a signal, if there is still somebody to get it."""
        try:
            self.transport.signalProcess(name)
        except ProcessExitedAlready:
            return

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's interface
        """It is gone."""
        self.connections = 0
        self.reason = reason.getErrorMessage()
        self._when_ended(self)
        if not self.ready.called:
            words = self.words.decode(errors="replace").strip().rpartition("\n")[2]
            self.ready.errback(NoWorker(words or self.reason))
        while self._changes:
            self._changes.popitem()[1].callback(None)
        self.gone.callback(None)


def _line(facts: dict[str, Any]) -> bytes:
    return json.dumps(facts).encode() + b"\n"


class Workers(Service):
    """
    *count* processes that serve what *setup* says at the sockets of *descriptors*.

    :param endpoints: the descriptions of the sockets, in their order.
    :param patience: seconds that a worker drains at a stop.
    """

    def __init__(
        self,
        reactor: Any,
        count: int,
        setup: str,
        endpoints: Sequence[str],
        descriptors: Callable[[], Sequence[int]],
        patience: float,
        jitter: Callable[[], float],
    ) -> None:
        self._reactor = reactor
        self._count = count
        self._endpoints = list(endpoints)
        self._setup = setup
        self._number = 0
        self._retired = False
        self._descriptors = descriptors
        self._patience = patience
        self._retry = RetryPolicy(attempts=1, initial_delay=0.2, max_delay=30.0)
        self._jitter = jitter
        self._processes: list[_Process] = []
        self._past = 0
        self._past_answers: Counter[str] = Counter()
        self._early_ends = 0
        self._calls: set[IDelayedCall] = set()

    @property
    def sent(self) -> int:
        """Octets of bodies that went out, of all workers that there ever were."""
        return self._past + sum(process.sent for process in self._processes)

    @property
    def answers(self) -> Counter[str]:
        """Answers by status, of all workers that there ever were."""
        return sum((process.answers for process in self._processes), self._past_answers)

    @property
    def connections(self) -> int:
        """Connections that are open now."""
        return sum(process.connections for process in self._processes)

    @property
    def alive(self) -> int:
        """Workers that run."""
        return len(self._processes)

    def begin(self) -> Deferred[Any]:
        """
        Start them all; fires when all serve.

        Fails with `NoWorker` where one ends instead.
        """
        begun = [self._spawn().ready for _ in range(self._count)]
        return gatherResults(begun, consumeErrors=True).addErrback(_first_cause)

    def change(self, setup: str, patience: float) -> Deferred[Any]:
        """Have all serve as *setup* says; fires when all do, or have made room for others."""
        self._setup, self._patience = setup, patience
        self._number += 1
        return gatherResults([each.change(self._number, setup) for each in self._processes])

    def retire(self) -> Deferred[Any]:
        """Others do the work: have each end when its last connection does; fires then."""
        self._retired = True
        self._forget_calls()
        for process in self._processes:
            process.tell(retire=True)
        return self._all_gone()

    def stopService(self) -> Deferred[Any]:
        """Have all finish what they have begun, and end."""
        super().stopService()  # type: ignore[no-untyped-call]
        self._forget_calls()
        for process in self._processes:
            process.signal("TERM")
        late = self._reactor.callLater(self._patience + _GRACE, self.kill)
        return self._all_gone().addCallback(lambda _: late.cancel() if late.active() else None)

    def kill(self) -> None:
        """End all at once, and what they have begun with them."""
        for process in self._processes:
            process.signal("KILL")

    def _forget_calls(self) -> None:
        for call in self._calls:
            call.cancel()
        self._calls.clear()

    def _all_gone(self) -> Deferred[Any]:
        waiters: list[Deferred[None]] = []
        for process in self._processes:
            waiter: Deferred[None] = Deferred()
            process.gone.chainDeferred(waiter)
            waiters.append(waiter)
        return gatherResults(waiters)

    def _spawn(self) -> _Process:
        told = _line({"setup": self._setup, "endpoints": self._endpoints})
        process = _Process(told, self._ended)
        process.began = self._reactor.seconds()
        # Where our modules are is not always where a new interpreter would look.
        path = os.pathsep.join(place for place in sys.path if place)
        sockets = dict(enumerate(self._descriptors(), _FIRST_SOCKET))
        self._processes.append(process)
        self._reactor.spawnProcess(
            process,
            sys.executable,
            [sys.executable, "-m", "rangedaemon.worker"],
            env={**os.environ, "PYTHONPATH": path},
            childFDs={0: "w", 1: "r", 2: "r", **sockets},
        )
        return process

    def _ended(self, process: _Process) -> None:
        self._processes.remove(process)
        self._past += process.sent
        self._past_answers += process.answers
        if not self.running or self._retired:
            return
        words = process.words.decode(errors="replace").strip()
        _log.error("worker {pid} is gone: {why}", pid=process.pid, why=words or process.reason)
        young = self._reactor.seconds() - process.began < _LONG_LIFE
        self._early_ends = self._early_ends + 1 if young else 0
        delay = self._retry.delay(self._early_ends, self._jitter()) if young else 0.0
        self._later(delay)

    def _later(self, delay: float) -> None:
        def replace() -> None:
            self._calls.discard(call)
            self._spawn().ready.addErrback(lambda _: None)  # its end is logged by itself

        call = self._reactor.callLater(delay, replace)
        self._calls.add(call)
