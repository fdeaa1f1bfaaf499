"""
Where blocking work runs: a callable that takes a function off the reactor thread.

Everything that may block (disk, SQL, hashing) is handed to an `InThread`; who
builds the service decides which threads it runs in, and tests run it inline.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
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


def inline(function: Callable[..., T], /, *args: object) -> Deferred[T]:
    """Run at once in the caller's thread: for tests and command-line tools."""
    return maybeDeferred(function, *args)
