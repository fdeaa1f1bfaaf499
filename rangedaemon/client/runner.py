"""
The jobs of this daemon: which run, which wait, and what becomes of them at a stop.

Waiting jobs live in the journal, only running ones in memory.  Whatever an earlier
run left in the middle is queued again at the start.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.growing import GrowingFile
from rangedaemon.client.habits import Habits
from rangedaemon.client.job import Job
from rangedaemon.client.workfile import forget_files
from rangedaemon.core.jobs import (
    RUNNING,
    JobChange,
    JobEvent,
    JobPage,
    JobRecord,
    JobSnapshot,
    JobSpec,
    JobState,
    Limits,
    SegmentSnapshot,
    Totals,
)
from rangedaemon.core.segments import segments_of
from rangedaemon.core.transfer import Trigger as Move
from rangedaemon.core.transfer import move
from rangedaemon.errors import Complaint, InvalidInput, StateForbids, UnknownJob

RECOVERY_PAGE = 500
REST_SECONDS = 30.0
"""How long a job is left alone whose run the journal could not take down."""
LONGEST_TIMER = 3600.0
"""Seconds after which the journal is asked again for its next retry, whatever it said."""


class Runner(Service):
    """Runs at most so many jobs at once, highest priority first."""

    _log = Logger()

    def __init__(self, habits: Habits, *, max_active: int, new_id: Callable[[], str]) -> None:
        """
        :param habits: what jobs share; its ``announce`` is ours to set.
        :param new_id: 16 fresh lower-case hex digits at each call.
        """
        self._habits = replace(habits, announce=self._announce)
        self._store = habits.store
        self.counters = habits.around.counters
        self._max_active = max_active
        self._new_id = new_id
        self._running: dict[str, tuple[Job, Deferred[None]]] = {}
        self._resting: dict[str, IDelayedCall] = {}
        self._listeners: list[Callable[[JobEvent], None]] = []
        self._turn = DeferredLock()
        self._timer: IDelayedCall | None = None
        self._looking = self._look_again = False

    # -- life -------------------------------------------------------------------

    async def recover(self) -> None:
        """Queue again what an earlier run left in the middle; call before the start."""
        for state in RUNNING:
            while records := await self._store.page(state=state, limit=RECOVERY_PAGE, before=None):
                for record in records:
                    await self._store.save(
                        replace(record, state=move(record.state, Move.INTERRUPT))
                    )

    async def declare(self, specs: Sequence[JobSpec]) -> None:
        """Add the jobs of the configuration whose names are not known yet."""
        new = [s for s in specs if s.name is None or not await self._store.by_name(s.name)]
        if new:
            await self.add(new)

    def startService(self) -> None:
        """Begin to run jobs."""
        super().startService()  # type: ignore[no-untyped-call]
        self._look()

    def stopService(self) -> Deferred[None]:
        """Checkpoint and end every job; fires when the last has let go of its file."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        while self._resting:
            self._resting.popitem()[1].cancel()
        return ensureDeferred(self._halt_all())

    async def _halt_all(self) -> None:
        async with self._turn:
            for job, _ in [*self._running.values()]:
                job.stop(Move.INTERRUPT)
            await DeferredList([_after(ending) for _, ending in self._running.values()])

    # -- the queue --------------------------------------------------------------

    def _look(self) -> None:
        """Start what may start, soon; looks that are asked for meanwhile become one."""
        self._look_again = True
        if not self._looking:
            self._looking = True
            ensureDeferred(self._look_until_quiet()).addErrback(
                lambda failure: self._log.failure("the queue stands still", failure)
            )

    async def _look_until_quiet(self) -> None:
        try:
            while self._look_again:
                self._look_again = False
                await self._fill()
        finally:
            self._looking = False

    async def _fill(self) -> None:
        async with self._turn:
            if not self.running:
                return
            await self._wake_due()
            free = self._max_active - len(self._running)
            if free > 0:
                for record in await self._store.next_queued(
                    limit=free, without=[*self._running, *self._resting]
                ):
                    self._start(record)
            await self._set_timer()

    async def _wake_due(self) -> None:
        for record in await self._store.due(now=self._now(), limit=RECOVERY_PAGE):
            await self._change(record, Move.DUE)

    async def _set_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        at = await self._store.next_retry()
        if at is not None and self.running:
            delay = min(max(0.0, at - self._now()), LONGEST_TIMER)
            self._timer = self._habits.around.clock.callLater(delay, self._look)

    def _start(self, record: JobRecord) -> None:
        if not self.running:
            return
        job = Job(record, self._habits)
        ending = ensureDeferred(job.run())
        self._running[record.id] = (job, ending)
        ending.addErrback(self._broke, record.id)
        ending.addBoth(lambda _: self._ended(record.id))

    def _broke(self, failure: Failure, job_id: str) -> None:
        """Not even its end could be written down: leave it alone for a while."""
        self._log.failure("job {id} broke", failure, id=job_id)
        self._resting[job_id] = self._habits.around.clock.callLater(
            REST_SECONDS, self._rested, job_id
        )

    def _rested(self, job_id: str) -> None:
        del self._resting[job_id]
        self._look()

    def _ended(self, job_id: str) -> None:
        del self._running[job_id]
        self._look()

    def _now(self) -> float:
        return self._habits.around.wall()

    # -- what control asks --------------------------------------------------------

    async def add(self, specs: Sequence[JobSpec]) -> list[JobSnapshot]:
        """Add jobs, all or none, durable when this returns."""
        now = self._now()
        records = [
            JobRecord(
                id=spec.id or self._new_id(),
                spec=spec,
                state=JobState.PAUSED if spec.paused else JobState.QUEUED,
                created=now,
            )
            for spec in specs
        ]
        snapshots = [JobSnapshot(record) for record in await self._store.add(records)]
        for snapshot in snapshots:
            self._announce("job", snapshot)
        if len(self._running) < self._max_active and not all(spec.paused for spec in specs):
            self._look()
        return snapshots

    async def get(self, job_id: str) -> JobSnapshot:
        """One job."""
        running = self._running.get(job_id)
        return running[0].snapshot() if running else JobSnapshot(await self._record(job_id))

    async def list(self, *, state: JobState | None, limit: int, cursor: str | None) -> JobPage:
        """A page of jobs, newest first."""
        before = _cursor(cursor)
        records = await self._store.page(state=state, limit=limit + 1, before=before)
        shown = records[:limit]
        following = str(shown[-1].seq) if len(records) > limit else None
        return JobPage(tuple(self._snapshot(record) for record in shown), following)

    async def queue(
        self, *, states: Collection[JobState], offset: int, limit: int, backwards: bool
    ) -> Sequence[JobSnapshot]:
        """Jobs in *states*, highest priority first, then oldest first; or from the other end."""
        records = await self._store.queue(
            states=states, offset=offset, limit=limit, backwards=backwards
        )
        return [self._snapshot(record) for record in records]

    def running_now(self) -> Sequence[JobSnapshot]:
        """The jobs that hold a slot, as they are at this moment, from memory."""
        return [job.snapshot() for job, _ in self._running.values()]

    async def change(self, job_id: str, change: JobChange) -> JobSnapshot:
        """Change wishes, while it runs too."""
        async with self._turn:
            running = self._running.get(job_id)
            record = running[0].record if running else await self._record(job_id)
            if change.moves and (running or record.filename is not None):
                raise StateForbids("its file is begun already: it cannot have another place")
            spec = _changed(record.spec, change)
            if running:
                await running[0].change(spec)
            else:
                await self._store.save(replace(record, spec=spec))
                self._announce("job", JobSnapshot(replace(record, spec=spec)))
        return await self.get(job_id)

    async def pause(self, job_id: str) -> JobSnapshot:
        """Stop it, keep what came."""
        async with self._turn:
            running = self._running.get(job_id)
            if running:
                await self._halt(running, Move.PAUSE)
                record = await self._record(job_id)
                if record.state is JobState.PAUSED:
                    return JobSnapshot(record)  # else it ended otherwise a moment before
            return await self._change(await self._record(job_id), Move.PAUSE, retry_at=None)

    async def resume(self, job_id: str) -> JobSnapshot:
        """Queue a paused job again."""
        return await self._queue_again(job_id, Move.RESUME)

    async def retry(self, job_id: str) -> JobSnapshot:
        """Queue a failed or waiting job again at once."""
        return await self._queue_again(job_id, Move.RETRY)

    async def remove(self, job_id: str, *, delete_files: bool) -> None:
        """Forget a job; with *delete_files* its part and finished file go too."""
        async with self._turn:
            running = self._running.get(job_id)
            if running:
                await self._halt(running, Move.PAUSE)
            record = await self._record(job_id)
            await forget_files(self._habits, record, delete=delete_files)
            await self._store.delete(job_id)
        self._announce("removed", JobSnapshot(record))
        self._look()

    async def segments(self, job_id: str) -> Sequence[SegmentSnapshot]:
        """Its segments in ascending order."""
        running = self._running.get(job_id)
        if running:
            return running[0].segments()
        record = await self._record(job_id)
        return segments_of(record.size, record.covered)

    async def reader(self, job_id: str) -> GrowingFile:
        """A reader of the file of a job that runs.

        :raises StateForbids: it does not run, or there is nothing to read yet.
        """
        running = self._running.get(job_id)
        if running is None:
            record = await self._record(job_id)
            raise StateForbids(f"the job is {record.state}: its file does not grow")
        return await running[0].reader()

    async def totals(self) -> Totals:
        """Counts and rates of the whole."""
        counts = dict(await self._store.counts())
        rate = sum(job.snapshot().live.rate for job, _ in self._running.values())
        return Totals(counts, rate)

    @property
    def limits(self) -> Limits:
        """What all jobs together may take now."""
        rates = [bucket.rate for bucket in self._habits.shared]
        return Limits(self._max_active, rates[0] if rates else None)

    def set_limits(self, limits: Limits) -> None:
        """Other limits until the end of this run; whoever runs already goes on."""
        self._max_active = limits.max_active
        for bucket in self._habits.shared:
            bucket.set_rate(limits.rate_limit, self._habits.around.clock.seconds())
        self._look()

    def subscribe(self, listener: Callable[[JobEvent], None]) -> Callable[[], None]:
        """Call *listener* on each event, until the answer is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # -- small things -------------------------------------------------------------

    def _announce(self, kind: str, snapshot: JobSnapshot) -> None:
        for listener in [*self._listeners]:
            listener(JobEvent(kind, snapshot))

    def _snapshot(self, record: JobRecord) -> JobSnapshot:
        running = self._running.get(record.id)
        return running[0].snapshot() if running else JobSnapshot(record)

    async def _record(self, job_id: str) -> JobRecord:
        record = await self._store.get(job_id)
        if record is None:
            raise UnknownJob(f"there is no job {job_id!r}")
        return record

    async def _queue_again(self, job_id: str, event: Move) -> JobSnapshot:
        async with self._turn:
            running = self._running.get(job_id)
            record = running[0].record if running else await self._record(job_id)
            snapshot = await self._change(
                record, event, attempts=0, retry_at=None, error=None, finished=None
            )
        self._look()
        return snapshot

    async def _change(self, record: JobRecord, event: Move, **changes: Any) -> JobSnapshot:
        record = replace(record, state=move(record.state, event), **changes)
        await self._store.save(record)
        snapshot = JobSnapshot(record)
        self._announce("job", snapshot)
        return snapshot

    async def _halt(self, running: tuple[Job, Deferred[None]], by: Move) -> None:
        job, ending = running
        job.stop(by)
        await _after(ending)


def _after(ending: Deferred[None]) -> Deferred[None]:
    """A Deferred of its own that fires when *ending* has."""
    after: Deferred[None] = Deferred()

    def fire(result: Any) -> Any:
        after.callback(None)
        return result

    ending.addBoth(fire)
    return after


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput([Complaint("cursor", "not a cursor that this API gave")])
    return int(text)


def _changed(spec: JobSpec, change: JobChange) -> JobSpec:
    return replace(
        spec,
        urls=spec.urls if change.urls is None else change.urls,
        priority=spec.priority if change.priority is None else change.priority,
        segments=spec.segments if change.segments is None else change.segments,
        rate_limit=change.rate_limit if change.set_rate_limit else spec.rate_limit,
        directory=change.directory or spec.directory,
        filename=change.filename or spec.filename,
        headers=spec.headers if change.headers is None else change.headers,
    )
