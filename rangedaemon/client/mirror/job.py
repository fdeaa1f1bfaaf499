"""
A mirror's story: read the listings, ask about what is here, fetch what is new or changed.

The files are jobs of their own, which wait for slots like any others; while they are
fetched the mirror itself holds none.  A round that is cut short begins again with the
listings: whatever it had found out is in the jobs of the files.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from pathlib import Path
from posixpath import dirname
from typing import Protocol, TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.task import deferLater

from rangedaemon.client.growing import GrowingFile
from rangedaemon.client.habits import Habits
from rangedaemon.client.interrupt import Stopped
from rangedaemon.client.life import Life
from rangedaemon.client.mirror.again import queued_again
from rangedaemon.client.mirror.asking import Asking
from rangedaemon.client.mirror.steering import forget
from rangedaemon.client.mirror.walking import Found, Walk
from rangedaemon.core.jobs import (
    FINISHED,
    JobEvent,
    JobRecord,
    JobSnapshot,
    JobSpec,
    JobState,
    Live,
    SegmentSnapshot,
)
from rangedaemon.core.mirroring import (
    as_folder,
    is_wanted,
    path_below,
    path_here,
    settled,
    spec_for,
)
from rangedaemon.core.mirrors import Family, Mirrored, MirrorSpec
from rangedaemon.core.transfer import Trigger
from rangedaemon.errors import Incomplete, StateForbids
from rangedaemon.storage.confined import folds_case, make_folders

T = TypeVar("T")

PAGE = 500
"""Jobs of files that are read, asked about and changed at once."""
LOOK_SECONDS = 0.5
"""Between two looks at how the files stand, at least."""
LONGEST_SILENCE = 30.0
"""Seconds after which is looked again, even where nobody told of a change."""


class Files(Protocol):
    """Who runs the jobs of the files."""

    async def add(self, specs: Sequence[JobSpec]) -> list[JobSnapshot]:
        """Add jobs, all or none."""

    def subscribe(self, listener: Callable[[JobEvent], None]) -> Callable[[], None]:
        """Call *listener* on each event, until the answer is called."""

    def look(self) -> None:
        """Slots or jobs are free: start what may start."""


class MirrorJob(Life):
    """A mirror while a round of it runs."""

    def __init__(self, record: JobRecord, habits: Habits, files: Files) -> None:
        super().__init__(record, habits)
        self._files = files
        self._jar = habits.around.new_jar()
        self._wishes = record.spec.mirror or MirrorSpec()
        self._base = Path(record.spec.directory)
        self._round = Mirrored(began=habits.around.wall())
        self._found = Found()
        self._taken: set[str] = set()
        """The paths here of files that are known."""
        self._blocked: set[str] = set()
        """Folders here that something is in the way of."""
        self._gone: set[str] = set()
        """The ids of files that are not listed any more."""
        self._failed_before = 0
        """Files that had failed and are not asked for now: they fail no round."""
        self.idle = False

    # -- seen from outside ------------------------------------------------------

    def _live(self) -> Live:
        return Live()

    def segments(self) -> list[SegmentSnapshot]:
        """None: those are the files'."""
        return []

    async def change(self, spec: JobSpec) -> None:
        """Take on other wishes, from the next round on."""
        await self._books.save(spec=spec)
        self._books.announce("job")

    async def reader(self) -> GrowingFile:
        """:raises StateForbids: always; it is the files that can be read."""
        raise StateForbids("a mirror has no content of its own: its files have")

    async def _last_checkpoint(self) -> None:
        """What was found out is in the jobs of the files."""

    async def _let_go(self) -> None:
        """Nothing is held."""

    def _progressed(self) -> bool:
        return False

    def _about(self) -> str:
        return self.record.spec.urls[0]

    # -- the story --------------------------------------------------------------

    async def _story(self) -> None:
        self._begin_round()
        walk = Walk(self._around, self.record.spec, self._jar, self._habits.in_thread)
        self._found = await self._network(walk.go())
        self._count(folders=self._found.folders, found=len(self._found.files))
        await self._books.move(Trigger.ANSWERED, mirrored=self._round)
        await self._make_folders()
        await self._go_through_known()
        await self._add_new()
        await self._until_settled()
        await self._delete_gone()
        await self._end_round()

    def _begin_round(self) -> None:
        """A round that was cut short goes on: what it has fetched already counts.

        One that was given up, or paused, does not: who knows how long ago that was.
        """
        before = self.record.mirrored
        if before is not None and before.ended is None and self.record.attempts > 1:
            self._round = Mirrored(began=before.began)

    def _count(self, **counts: int) -> None:
        self._round = replace(self._round, **counts)

    async def _network(self, story: Awaitable[T]) -> T:
        return await self._interrupt.cancellable(story)

    async def _make_folders(self) -> None:
        """All folders here, so that no link in the way of one leads elsewhere."""
        paths = self._found.files
        folders = {dirname(path) for path in paths.values()} - {""}
        self._blocked = set(await self._habits.in_thread(make_folders, self._base, folders))
        for url in [url for url, path in paths.items() if dirname(path) in self._blocked]:
            del paths[url]

    # -- files that are known -----------------------------------------------------

    async def _go_through_known(self) -> None:
        asking = Asking(
            self._habits, self.record.spec, self._jar, lambda: self._interrupt.by is None
        )
        async for records in self._pages():
            await self._go_through(asking, records)
            self._tell()

    async def _pages(self) -> AsyncIterator[Sequence[JobRecord]]:
        """The jobs of all files, so many at a time.

        :raises Stopped: the mirror was told to stop.
        """
        store, after = self._habits.store, 0
        while records := await store.children(self.record.id, after=after, limit=PAGE):
            after = records[-1].seq
            yield records
            self._insist_on_going_on()

    def _insist_on_going_on(self) -> None:
        if self.stopping:
            raise Stopped

    async def _go_through(self, asking: Asking, records: Sequence[JobRecord]) -> None:
        listed = [record for record in records if self._is_listed(record)]
        again = [
            queued_again(self.record.spec, record, anew=False)
            for record in listed
            if record.state is JobState.FAILED
        ]

        def judge(record: JobRecord, unchanged: bool | None) -> None:
            if unchanged:
                self._count(unchanged=self._round.unchanged + 1)
            else:
                anew = unchanged is not None
                again.append(queued_again(self.record.spec, record, anew=anew))

        await self._network(asking.ask([*filter(self._is_to_ask, listed)], judge))
        await self._queue(again)

    def _is_listed(self, record: JobRecord) -> bool:
        """Whether the origin lists it; if not, what that means."""
        url, here = record.spec.urls[0], path_here(self.record.spec, record)
        self._taken.add(here)
        if self._found.files.pop(url, None) is not None:
            return True
        self._failed_before += record.state is JobState.FAILED
        if self._would_be_listed(url, here):
            self._gone.add(record.id)
        return False

    def _would_be_listed(self, url: str, here: str) -> bool:
        """Whether a file would have been found, were it still at the origin."""
        path = path_below(as_folder(self._about()), url)
        unread = any(url.startswith(folder) for folder in self._found.unread)
        hidden = unread or dirname(here) in self._blocked
        return path is not None and is_wanted(self._wishes, path) and not hidden

    def _is_to_ask(self, record: JobRecord) -> bool:
        """What this very round has fetched before it was cut short is known to be new."""
        return record.state is JobState.COMPLETE and (record.finished or 0) < self._round.began

    async def _queue(self, records: Sequence[JobRecord]) -> None:
        await self._habits.store.requeue(records)
        for record in records:
            self._habits.announce("job", JobSnapshot(record))
        if records:
            self._files.look()

    # -- files that are new ---------------------------------------------------------

    async def _add_new(self) -> None:
        if not self._found.files:
            return
        folds = await self._habits.in_thread(folds_case, self._base)
        paths = settled(self._found.files, self._taken, folds=folds)
        new = [spec_for(self.record, url, path) for url, path in paths.items()]
        for start in range(0, len(new), PAGE):
            await self._files.add(new[start : start + PAGE])
            self._insist_on_going_on()

    # -- the end --------------------------------------------------------------------

    async def _until_settled(self) -> None:
        """Return when no file is fetched or waits for it."""
        self.idle = True
        self._files.look()
        while (family := await self._family()).pending:
            self._tell()
            await self._network(self._stirred())
        self._take(family)

    async def _family(self) -> Family:
        family = await self._habits.store.family(self.record.id, since=self._round.began)
        self._take(family)
        return family

    def _take(self, family: Family) -> None:
        self._count(
            fetched=family.fetched,
            failed=max(0, family.failed - self._failed_before),
            left=family.pending,
            gone=len(self._gone),
        )

    async def _stirred(self) -> None:
        """Return when there is news of a file, or there was none for long."""
        stirred: Deferred[None] = Deferred()

        def hear(event: JobEvent) -> None:
            record = event.snapshot.record
            if record.spec.parent == self.record.id and not stirred.called:
                stirred.callback(None)

        forget = self._files.subscribe(hear)
        stirred.addTimeout(LONGEST_SILENCE, self._around.clock, lambda *_: None)
        try:
            await stirred
        finally:
            forget()
        await deferLater(self._around.clock, LOOK_SECONDS)

    def _tell(self) -> None:
        self._books.record = replace(self.record, mirrored=self._round)
        self._books.announce("progress")

    async def _delete_gone(self) -> None:
        """What is gone at the origin goes here, too, where that is wished for and sure."""
        if not self._wishes.delete or self._found.unread or not self._round.found:
            return
        async for records in self._pages():
            gone = [r for r in records if r.id in self._gone and r.state in FINISHED]
            deleted = await forget(self._habits, self.record.spec, gone, delete=True)
            self._count(deleted=self._round.deleted + deleted)

    async def _end_round(self) -> None:
        self._count(left=0)
        self._round = replace(self._round, ended=self._around.wall())
        missing = self._round.failed, len(self._found.unread) + len(self._blocked)
        if any(missing):
            await self._books.save(mirrored=self._round)
            raise Incomplete(self._what_is_missing(*missing), url=self._about())
        await self._books.move(Trigger.FETCHED, mirrored=self._round)
        await self._books.end(
            Trigger.VERIFIED,
            self._again(),
            finished=self._around.wall(),
            error=None,
            retry_at=None,
        )

    def _what_is_missing(self, failed: int, folders: int) -> str:
        told = [f"{failed} of {self._round.found} files failed"] if failed else []
        if folders:
            why = next(iter(self._found.unread.values()), "something here is in the way")
            told.append(f"{folders} folders could not be had: {why}")
        return "; ".join(told)
