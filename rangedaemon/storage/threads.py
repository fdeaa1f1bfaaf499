"""
Where blocking work runs: a callable that takes a function off the reactor thread.

Everything that may block (disk, SQL, hashing) is handed to an `InThread`; who
builds the service decides which threads it runs in, and tests run it inline.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from queue import SimpleQueue
from threading import Thread
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.failure import Failure
from twisted.python.threadpool import ThreadPool

T = TypeVar("T")


class InThread(Protocol):
    """Runs ``function(*args)`` where blocking is allowed and answers in the reactor."""

    def __call__(self, function: Callable[..., T], /, *args: object) -> Deferred[T]:
        """Start it; the Deferred fires in the reactor thread."""


def pooled(reactor: IReactorFromThreads, pool: ThreadPool) -> InThread:
    """Run in one of *pool*'s threads (the pool's owner starts and stops it)."""

    def run(function: Callable[..., T], /, *args: object) -> Deferred[T]:
        return deferToThreadPool(reactor, pool, function, *args)

    return run


class OwnThreads:
    """
    An `InThread` with a few threads of its own; with one, it does one thing after the other.

    A pool would do, but handing work over costs it ten times as much, and the journal
    is handed a piece for each job that is added, a lane one for each haul.
    """

    def __init__(self, reactor: IReactorFromThreads, name: str, count: int = 1) -> None:
        self._reactor = reactor
        self._work: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._name = name
        self._count = count
        self._threads: list[Thread] = []

    def start(self) -> None:
        """Begin; what was asked for before waits for this."""
        # Not made before: Python takes those that a fork (of twistd's) left for stopped.
        self._threads = [Thread(target=self._do_all, name=self._name) for _ in range(self._count)]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Finish what was asked for before, and end; blocks until then."""
        alive = [thread for thread in self._threads if thread.is_alive()]
        for _ in alive:
            self._work.put(None)
        for thread in alive:
            thread.join()

    def __call__(self, function: Callable[..., T], /, *args: object) -> Deferred[T]:
        """Do it when its turn comes."""
        answer: Deferred[T] = Deferred()
        self._work.put(lambda: self._do(answer, function, args))
        return answer

    def _do(self, answer: Deferred[T], function: Callable[..., T], args: Iterable[object]) -> None:
        outcome: T | Failure
        try:
            outcome = function(*args)
        except BaseException:  # noqa: BLE001 - handed on: it is the caller's answer
            outcome = Failure()
        self._reactor.callFromThread(_answer, answer, outcome)

    def _do_all(self) -> None:
        while (work := self._work.get()) is not None:
            work()


def _answer(answer: Deferred[T], outcome: T | Failure) -> None:
    if not answer.called:  # else it was cancelled
        answer.callback(outcome)


def inline(function: Callable[..., T], /, *args: object) -> Deferred[T]:
    """Run at once in the caller's thread: for tests and command-line tools."""
    return maybeDeferred(function, *args)
