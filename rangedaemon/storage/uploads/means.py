"""What the upload store works with, and small things to wait with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from twisted.internet.defer import Deferred, DeferredLock, succeed
from twisted.internet.interfaces import IReactorTime

from rangedaemon.core.uploadfaults import UnknownUpload
from rangedaemon.core.uploadrules import Limits
from rangedaemon.core.uploads import Scope, Upload
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.threads import InThread
from rangedaemon.storage.uploads.files import UploadFiles
from rangedaemon.storage.uploads.mounts import UploadMount


@dataclass(frozen=True, slots=True)
class Means:
    """Disk, journal, time and settings."""

    files: UploadFiles
    journal: Transactions
    in_thread: InThread
    in_lane: InThread
    """Where octets are moved from sockets into files."""
    clock: IReactorTime
    wall: Callable[[], float]
    """Seconds since the epoch."""
    mounts: Mapping[str, UploadMount]
    new_id: Callable[[], str]
    """32 hex digits that nobody can guess."""
    checkpoint_interval: float
    keep_free: int
    on_published: Callable[[Upload], None]
    """Told of each upload whose file is there, before the journal knows of it."""

    def mount(self, scope: Scope) -> UploadMount:
        """:raises UnknownUpload: there is none that takes uploads."""
        mount = self.mounts.get(scope.mount)
        if mount is None:
            raise UnknownUpload("no uploads are taken here")
        return mount

    def limits(self, scope: Scope) -> Limits:
        """What the mount of *scope* allows; nothing is limited where it is gone."""
        mount = self.mounts.get(scope.mount)
        if mount is None:
            return Limits()
        return Limits(mount.quota, mount.quota_per_owner, mount.max_unfinished)

    async def in_steps(self, steps: Iterator[None]) -> None:
        """Work through *steps* in threads, one at a time, so that others get theirs between."""
        while await self.in_thread(_one_more, steps):
            pass


def _one_more(steps: Iterator[None]) -> bool:
    for _ in steps:
        return True
    return False


class Signal:
    """Something that happens once, and that any number may wait for."""

    def __init__(self) -> None:
        self.happened = False
        self._waiting: list[Deferred[None]] = []

    def fire(self) -> None:
        """It has happened."""
        self.happened = True
        waiting, self._waiting = self._waiting, []
        for waiter in waiting:
            waiter.callback(None)

    def wait(self) -> Deferred[None]:
        """Fires when it has happened."""
        if self.happened:
            return succeed(None)
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        return waiter


class KeyedLocks:
    """One lock for each key that anybody holds."""

    def __init__(self) -> None:
        self._locks: dict[str, DeferredLock] = {}

    @asynccontextmanager
    async def hold(self, key: str) -> AsyncIterator[None]:
        """Be the only one within, for that key."""
        lock = self._locks.setdefault(key, DeferredLock())
        await lock.acquire()
        try:
            yield
        finally:
            lock.release()
            if not lock.locked:
                self._locks.pop(key, None)
