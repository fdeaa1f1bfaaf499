"""
A job's part file as its story sees it: opened, checkpointed, checked, published.

The rule of the checkpoint lives here: first the data is synced, then the octets
that were written *before* the sync began are claimed in the journal.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

from rangedaemon.client.sink import Sink
from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import JobRecord, OnConflict
from rangedaemon.errors import Fault
from rangedaemon.storage.partfile import PartFile, claim_name, discard, part_path, publish
from rangedaemon.storage.threads import InThread

HASH_STEP = 16 * 1024 * 1024
"""Octets hashed in one go in a thread; between two the job may be stopped."""
HASH_BLOCK = 1024 * 1024


class Workfile:
    """The part file of one running job."""

    def __init__(self, part: PartFile, final: Path, in_thread: InThread) -> None:
        self.final = final
        self._part = part
        self._in_thread = in_thread
        self.sink: Sink | None = None

    @classmethod
    async def create(cls, in_thread: InThread, wanted: Path, on_conflict: OnConflict) -> Workfile:
        """A new part file beside *wanted*, or beside another name where that is taken.

        :raises NameTaken, NoSpace, NotWritable, StorageFault: there can be none.
        """
        final, part = await in_thread(claim_name, wanted, on_conflict)
        return cls(part, final, in_thread)

    @classmethod
    async def reopen(cls, in_thread: InThread, record: JobRecord) -> Workfile:
        """The part file that *record* speaks of.

        :raises PartFileLost: it is gone, or shorter than what was claimed.
        """
        final = final_path(record)
        part = await in_thread(PartFile.reopen, part_path(final))
        return cls(part, final, in_thread)

    async def size(self) -> int:
        """Octets from its start to its end."""
        return await self._in_thread(lambda: self._part.size)

    async def reserve(self, length: int) -> None:
        """:raises NoSpace: *length* octets would not fit on the disk."""
        await self._in_thread(self._part.reserve, length)

    def begin(self, covered: IntervalSet, on_fault: Callable[[Fault], None]) -> Sink:
        """The sink for a new attempt; *covered* is there already."""
        self.sink = Sink(self._part, self._in_thread, covered, on_fault)
        return self.sink

    async def sync(self) -> IntervalSet:
        """Sync; the octets that may be claimed now."""
        written = self.sink.written if self.sink is not None else IntervalSet()
        await self._in_thread(self._part.sync)
        return written

    async def truncate(self, length: int = 0) -> None:
        """Cut to *length* octets."""
        await self._in_thread(self._part.truncate, length)

    async def digest(self, algorithm: str, length: int, go_on: Callable[[], bool]) -> str | None:
        """The hex digest of the first *length* octets, None where *go_on* said no."""
        state = hashlib.new(algorithm)
        for start in range(0, length, HASH_STEP):
            if not go_on():
                return None
            await self._in_thread(self._hash, state, start, min(length, start + HASH_STEP))
        return state.hexdigest()

    def _hash(self, state: hashlib._Hash, start: int, stop: int) -> None:
        for offset in range(start, stop, HASH_BLOCK):
            state.update(self._part.read(offset, min(HASH_BLOCK, stop - offset)))

    async def publish(self, on_conflict: OnConflict) -> Path:
        """Sync it and give it its final name; which name that is."""
        await self._in_thread(self._part.sync)
        self.final = await self._in_thread(publish, self._part.path, self.final, on_conflict)
        return self.final

    async def close(self) -> None:
        """Let go of the file when no write is under way any more."""
        if self.sink is not None:
            await self.sink.settled()
        await self._in_thread(self._part.close)


def final_path(record: JobRecord) -> Path:
    """Where the job's finished file is or will be.

    :raises ValueError: its name is not settled yet.
    """
    if record.filename is None:
        raise ValueError("the job has no file name yet")
    return Path(record.spec.directory) / record.filename


async def discard_files(in_thread: InThread, record: JobRecord) -> None:
    """Remove what a job left on the disk, its finished file included."""
    if record.filename is not None:
        final = final_path(record)
        own = [final] if record.finished is not None and record.error is None else []
        await in_thread(discard, part_path(final), *own)
