"""
Which uploads somebody is busy with, and the way to them.

An upload that nobody touches is a row of the journal and nothing in memory; its file is
opened by the first writer.  Where the file is shorter than what the journal claims
(somebody has cut or removed it), the file is right: those octets have to come again.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import partial

from twisted.internet.defer import ensureDeferred

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.uploadfaults import UnknownUpload
from rangedaemon.core.uploads import Upload, UploadState
from rangedaemon.errors import Fault
from rangedaemon.storage.uploads import queries
from rangedaemon.storage.uploads.live import Live
from rangedaemon.storage.uploads.means import KeyedLocks, Means


class Registry:
    """The uploads that are touched, by key."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._locks = KeyedLocks()
        self._live: dict[str, Live] = {}

    def writing_to(self, mount: str) -> int:
        """How many requests write to uploads of that mount."""
        return sum(len(x.writers) for x in self._live.values() if x.upload.scope.mount == mount)

    def is_busy(self, key: str) -> bool:
        """Whether somebody writes to that upload."""
        live = self._live.get(key)
        return live is not None and bool(live.writers)

    async def look(self, key: str) -> Upload:
        """What is on the disk of it, whoever is busy with it.

        :raises UnknownUpload: there is none.
        """
        live = self._live.get(key)
        if live is not None and live.broken is None:
            return live.upload
        return await self.load(key)

    async def load(self, key: str) -> Upload:
        """What the journal and the file say of it.

        :raises UnknownUpload: there is none.
        """
        upload = await self._means.journal.transact(partial(queries.get, key=key))
        if upload is None:
            raise UnknownUpload("there is no such upload")
        if upload.state is UploadState.OPEN and upload.arrived:
            size = await self._means.in_thread(self._means.files.size, upload.file)
            there = upload.arrived & IntervalSet([ByteRange(0, size)])
            upload = replace(upload, arrived=there)
        return upload

    @asynccontextmanager
    async def alone(self, key: str) -> AsyncIterator[Live]:
        """Be the only one who changes that upload; its writers go on.

        :raises UnknownUpload: there is none.
        """
        async with self._locks.hold(key):
            live = await self._enter(key)
            try:
                yield live
            finally:
                live.leave()

    @asynccontextmanager
    async def vacant(self, key: str) -> AsyncIterator[None]:
        """Be the only one who changes what may be there under that key."""
        async with self._locks.hold(key):
            live = self._live.get(key)
            if live is not None and live.unused:
                await live.closed.wait()
            yield

    async def _enter(self, key: str) -> Live:
        live = self._live.get(key)
        while live is not None and (live.unused or live.broken is not None):
            if live.broken is not None:
                await live.end_writers(live.broken)
            await live.closed.wait()
            live = self._live.get(key)
        if live is None:
            upload = await self.load(key)
            live = Live(upload, self._means, self._dropper(key))
            self._live[key] = live
        live.enter()
        return live

    def _dropper(self, key: str) -> Callable[[], None]:
        def drop() -> None:
            ensureDeferred(self._drop(key))

        return drop

    async def _drop(self, key: str) -> None:
        live = self._live[key]
        try:
            await live.close()
        finally:
            del self._live[key]
            live.closed.fire()

    async def end_all(self, fault: Fault) -> None:
        """End every writer, and return when every file is closed."""
        for live in list(self._live.values()):
            await live.end_writers(fault)
            await live.closed.wait()
