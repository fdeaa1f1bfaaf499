"""The threads of a daemon: the reactor waits for no disk."""

from __future__ import annotations

from typing import Any

from twisted.python.threadpool import ThreadPool

from rangedaemon.storage import lanes
from rangedaemon.storage.threads import OwnThreads, pooled

DISK_THREADS = 4


class Threads:
    """All of them, started and ended together."""

    def __init__(self, reactor: Any) -> None:
        self._pool = ThreadPool(1, DISK_THREADS, name="disk")
        self.disk = pooled(reactor, self._pool)
        """For files, in no order."""
        self.journal = OwnThreads(reactor, "journal")
        """For the journal alone, one thing after the other."""
        self.lanes = OwnThreads(reactor, "lane", lanes.COUNT)
        """For octets between sockets and files."""

    def start(self) -> None:
        """Begin."""
        self._pool.start()
        self.journal.start()
        self.lanes.start()

    def stop(self) -> None:
        """End, once what was asked for before is done; blocks until then."""
        self._pool.stop()
        self.journal.stop()
        self.lanes.stop()
