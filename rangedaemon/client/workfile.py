"""
A job's part file as its story sees it: opened, checkpointed, checked, published.

The rule of the checkpoint lives here: first the data is synced, then the octets
that were written *before* the sync began may be claimed in the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from twisted.internet.defer import Deferred

from rangedaemon.client.habits import Habits
from rangedaemon.client.sink import Sink
from rangedaemon.client.space import insist_on_room
from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import JobRecord, JobSpec, OnConflict
from rangedaemon.core.naming import finished_name
from rangedaemon.errors import Fault, PartFileLost, StateForbids
from rangedaemon.storage.hashes import HashState
from rangedaemon.storage.ledger import LedgeredFile, Recovered, remove_logs
from rangedaemon.storage.partfile import discard, part_path
from rangedaemon.storage.publishing import settle_name
from rangedaemon.storage.space import Room, dress, room_of
from rangedaemon.storage.versions import keep_former

HASH_BLOCK = 1024 * 1024
OLD_SUFFIX = ".old"


class Workfile:
    """The part file of one running job."""

    def __init__(
        self, file: LedgeredFile, final: Path, habits: Habits, wanted: Path | None = None
    ) -> None:
        """
        :param final: the name that the part file is named after.
        :param wanted: the name that the finished file gets, where that is another.
        """
        self.final = final
        self.wanted = wanted or final
        self.sink: Sink | None = None
        self._file = file
        self._in_thread = habits.in_thread
        self._rules, self._space = habits.disk, habits.space
        self._in_lane = habits.in_lane
        self._kept = False
        self._published = False

    @classmethod
    async def create(cls, habits: Habits, record: JobRecord, name: str) -> Workfile:
        """A new part file for *name*, or for another name where that is taken.

        :raises NameTaken, NoSpace, NotWritable, StorageFault: there can be none.
        """
        final, file = await habits.in_thread(
            LedgeredFile.create,
            habits.state_dir,
            record.id,
            record.changes,
            wanted := Path(record.spec.directory) / name,
            policy := record.spec.on_taken,
        )
        return cls(file, final, habits, wanted if policy is OnConflict.OVERWRITE else None)

    @classmethod
    async def reopen(cls, habits: Habits, record: JobRecord) -> Workfile:
        """The part file that *record* speaks of.

        :raises PartFileLost: it is gone, or somebody else's.
        """
        final = final_path(record)
        where = (habits.state_dir, record.id, record.changes, final)
        try:
            file = await habits.in_thread(LedgeredFile.reopen, *where)
        except PartFileLost:
            return await cls._reopen_published(habits, record)
        return cls(file, final, habits, finished_path(record))

    @classmethod
    async def _reopen_published(cls, habits: Habits, record: JobRecord) -> Workfile:
        """The finished file, where a kill came between its publication and the journal.

        That it is ours, and whole, is what its own log says: by what it was to be known,
        or by all of its octets.
        """
        final, size = finished_path(record), record.size
        where = (habits.state_dir, record.id, record.changes, final)
        file = await habits.in_thread(LedgeredFile.reopen_published, *where)
        whole = IntervalSet([ByteRange(0, size or 0)])
        ours = await habits.in_thread(lambda: file.intended)
        found = await habits.in_thread(file.recover, whole if ours else EMPTY)
        if size is None or found.covered != whole:
            await habits.in_thread(file.close)
            raise PartFileLost(f"{part_path(final)} is gone")
        published = cls(file, final, habits)
        published._published = True
        return published

    async def recover(self, claimed: IntervalSet) -> Recovered:
        """What it holds by the testimony of its own octets."""
        return await self._in_thread(self._file.recover, claimed)

    async def read(self, offset: int, length: int) -> bytes:
        """Octets from the disk, fewer where it ends before."""
        return await self._in_thread(self._file.part.read, offset, length)

    async def another_descriptor(self) -> int:
        """A descriptor of its own for somebody who reads along."""
        return await self._in_thread(self._file.part.duplicate)

    async def reserve(self, length: int) -> None:
        """Claim room for *length* octets beside what all other jobs need.

        :raises NoSpace: there is none.
        """
        rules, room = self._rules, await self._room()

        def missing() -> int:
            return max(0, length - max(self.written.total, there))

        there = length if rules.preallocate else room.allocated
        where = str(self.final.parent)
        self._space.claim(self, room, length, missing, rules.keep_free, where=where)
        if rules.preallocate and length:
            await self._in_thread(self._file.part.allocate, length)

    async def watch_room(self) -> None:
        """:raises NoSpace: less is free by now than is to be kept free."""
        if self._rules.keep_free:
            where = str(self.final.parent)
            insist_on_room(await self._room(), self._rules.keep_free, where)

    def _room(self) -> Deferred[Room]:
        return self._in_thread(self._file.part.ask, room_of)

    def begin(self, covered: IntervalSet, on_fault: Callable[[Fault], None]) -> Sink:
        """The sink for a new attempt; *covered* is there already."""
        self.sink = Sink(self._file, self._in_thread, covered, on_fault, self._in_lane)
        return self.sink

    @property
    def written(self) -> IntervalSet:
        """What the present attempt has covered."""
        return self.sink.written if self.sink is not None else EMPTY

    async def sync(self, *, prove: bool) -> IntervalSet:
        """Sync; the octets that may be claimed now.

        :param prove: whether the file will still be needed, so that its hashes pay.
        """
        written = self.written
        await self._in_thread(lambda: self._file.sync(prove=prove))
        return written

    async def lost(self, length: int) -> IntervalSet:
        """Which of its *length* octets, all of them written, somebody has cut off."""
        return await self._in_thread(self._file.lost, length)

    async def truncate(self, length: int = 0) -> None:
        """Cut to *length* octets, unless it was kept as it is."""
        if self._kept or self._published:
            return
        await self._in_thread(self._file.part.truncate, length)

    def hash_into(self, state: HashState, start: int, stop: int) -> Deferred[None]:
        """Feed *state* the octets ``[start, stop)``."""
        return self._in_thread(self._hash, state, start, stop)

    def _hash(self, state: HashState, start: int, stop: int) -> None:
        for offset in range(start, stop, HASH_BLOCK):
            state.update(self._file.part.read(offset, min(HASH_BLOCK, stop - offset)))

    async def publish(self, spec: JobSpec, modified: float | None) -> Path:
        """Sync it and give it its final name; which name that is.

        :param modified: when the origin's file was, in seconds since the epoch.
        """
        # Its time is what tells a part file that somebody else wrote to: not before.
        time = modified if self._rules.origin_time else None
        await self._in_thread(self._file.settle, time)
        if self._published:  # by a life that may have ended before its name was on the disk
            await self._in_thread(settle_name, self.final)
        else:
            await self._in_thread(keep_former, self.wanted, spec.versions if spec.replaces else 0)
            self.final = await self._in_thread(self._file.publish, self.wanted, spec.on_taken)
        await self._in_thread(self._file.part.ask, lambda file: dress(file, self._rules.mode, time))
        return self.final

    async def keep_old(self) -> None:
        """Keep what came so far as ``NAME.old``, and go on with an unnamed file."""
        if self.sink is not None:
            await self.sink.settled()
        await self._in_thread(self._file.part.sync)
        aside = self.final.with_name(self.final.name + OLD_SUFFIX)
        await self._in_thread(self._file.publish, aside, OnConflict.RENAME)
        self._kept = True

    async def close(self, *, forget: bool = False) -> None:
        """Let go when no write is under way; with *forget* the log goes for good."""
        self._space.release(self)
        if self.sink is not None:
            self.sink.end(StateForbids("the job has stopped"))
            await self.sink.settled()
        await self._in_thread(lambda: self._file.close(prove=not forget))
        if forget:
            await self._in_thread(self._file.forget)


def finished_path(record: JobRecord) -> Path:
    """Where the job's finished file is or will be, whatever its part file is called.

    :raises ValueError: its name is not settled yet.
    """
    return final_path(record).with_name(finished_name(record) or "")


def final_path(record: JobRecord) -> Path:
    """The path that the job's part file is named after; once it is published, its file's.

    :raises ValueError: its name is not settled yet.
    """
    if record.filename is None:
        raise ValueError("the job has no file name yet")
    return Path(record.spec.directory) / record.filename


async def forget_files(habits: Habits, record: JobRecord, *, delete: bool) -> None:
    """Remove the log of a job that is forgotten, and with *delete* what it fetched.

    What an upload pushed was here before it, and stays.
    """
    await habits.in_thread(remove_logs, habits.state_dir, record.id)
    if delete and record.filename is not None and not record.spec.is_upload:
        final = final_path(record)
        own = final if record.verified is not None else part_path(final)
        await habits.in_thread(discard, own)
