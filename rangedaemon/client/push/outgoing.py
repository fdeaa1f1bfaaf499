"""
A local file on its way out, as its story sees it: opened, known again, read, let go of.

All of it happens in threads.  The file is closed when nobody reads it any more, however
the reading ended for who asked for it.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from twisted.internet.defer import Deferred

from rangedaemon.client.habits import Habits
from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import JobRecord
from rangedaemon.errors import ChecksumMismatch, StorageFault
from rangedaemon.storage.hashes import new_hash
from rangedaemon.storage.localfile import Allowed, LocalFile

T = TypeVar("T")
HASH_BLOCK = 1024 * 1024


class Outgoing:
    """The open local file of one running upload."""

    def __init__(self, file: LocalFile, habits: Habits) -> None:
        self.stamp = file.stamp
        self._file = file
        self._in_thread = habits.in_thread
        self._busy = 0
        self._idle: Deferred[None] | None = None

    @classmethod
    async def open(cls, habits: Habits, allowed: Allowed, record: JobRecord) -> Outgoing:
        """:raises FileMissing: the job's file cannot be had."""
        path = local_path(record)
        file = await habits.in_thread(LocalFile.open, allowed, path)
        try:
            await habits.in_thread(file.keep_log, habits.state_dir, record.id, record.changes)
        except BaseException:
            await habits.in_thread(file.close)
            raise
        return cls(file, habits)

    async def read(self, offset: int, length: int) -> bytes:
        """Exactly those octets. :raises FileChanged: it is another file by now."""
        return await self._at_work(self._file.read, offset, length)

    async def proved(self) -> tuple[IntervalSet, IntervalSet]:
        """Of the octets that were read before, those still the same, and those that may not be."""
        return await self._at_work(self._file.proved)

    async def insist_on_same(self) -> None:
        """:raises FileChanged: under its name there is another file by now."""
        await self._at_work(self._file.insist_on_same)

    async def insist_on_digest(self, checksum: str, go_on: Callable[[], bool]) -> None:
        """Hash it as a whole, or until *go_on* says no.

        :param checksum: ``algorithm=hex``.
        :raises ChecksumMismatch: it is not the file that is meant.
        """
        algorithm, _, wanted = checksum.partition("=")
        state = new_hash(algorithm)

        def feed(offset: int) -> None:
            state.update(self._file.peek(offset, min(HASH_BLOCK, self.stamp.size - offset)))

        for offset in range(0, self.stamp.size, HASH_BLOCK):
            if not go_on():
                return
            await self._at_work(feed, offset)
        if state.hexdigest() != wanted:
            raise ChecksumMismatch(f"the local file's {algorithm} is {state.hexdigest()}")

    async def sync(self) -> None:
        """Return when the log of what was read is on the disk."""
        await self._at_work(self._file.sync)

    async def close(self, *, forget: bool = False) -> None:
        """Close it when nobody reads; with *forget* its log goes for good."""
        if self._busy:
            self._idle = Deferred()
            await self._idle
        await self._in_thread(lambda: self._file.close(forget=forget))

    def _at_work(self, function: Callable[..., T], *args: object) -> Deferred[T]:
        """Run *function*; who asked may lose interest, the file is kept open till its end."""
        self._busy += 1
        answer: Deferred[T] = Deferred()
        self._in_thread(function, *args).addBoth(self._done, answer)
        return answer

    def _done(self, outcome: object, answer: Deferred[T]) -> None:
        self._busy -= 1
        if not answer.called:
            answer.callback(outcome)  # type: ignore[arg-type] # a Failure becomes an errback
        idle, self._idle = self._idle, None
        if idle is not None and not self._busy:
            idle.callback(None)
        elif idle is not None:
            self._idle = idle


def local_path(record: JobRecord) -> Path:
    """Where the file is that an upload pushes.

    :raises StorageFault: the job names none.
    """
    if record.spec.filename is None:
        raise StorageFault("the upload names no file")
    return Path(record.spec.directory) / record.spec.filename
