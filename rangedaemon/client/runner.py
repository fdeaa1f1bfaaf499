"""
The jobs of this daemon, as those who steer it see them.

Adding, asking, changing, pausing, removing: each change is one journal transaction
and one event, whether the job runs or waits.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from typing import Any

from rangedaemon.client.growing import GrowingFile
from rangedaemon.client.habits import Habits
from rangedaemon.client.life import Life
from rangedaemon.client.mirror.job import MirrorJob
from rangedaemon.client.mirror.steering import forget_all
from rangedaemon.client.queue import Queue
from rangedaemon.client.redirects import fields_for
from rangedaemon.client.workfile import forget_files
from rangedaemon.core.calendar import first_turn
from rangedaemon.core.jobs import (
    FINISHED,
    JobChange,
    JobPage,
    JobRecord,
    JobSnapshot,
    JobSpec,
    JobState,
    Limits,
    Login,
    SegmentSnapshot,
    Totals,
)
from rangedaemon.core.repeats import next_turn
from rangedaemon.core.segments import segments_of
from rangedaemon.core.transfer import Trigger as Move
from rangedaemon.core.transfer import move
from rangedaemon.core.urls import apart, merged, origin_of
from rangedaemon.errors import Complaint, InvalidInput, StateForbids


class Runner(Queue):
    """Steers the jobs of the queue."""

    async def known(self, names: Collection[str]) -> list[JobRecord]:
        """The jobs of these names, and all that a configuration has declared before."""
        declared = {record.id: record for record in await self._store.declared()}
        for name in names:
            record = await self._store.by_name(name)
            if record is not None:
                declared[record.id] = record
        return [self._snapshot(record).record for record in declared.values()]

    async def rewish(self, job_id: str, spec: JobSpec) -> None:
        """Give a job other wishes, all of them; one that waits for its hour gets another."""
        async with self._turn:
            running = self._running.get(job_id)
            if running:
                await running[0].change(spec)
                return
            before = await self._record(job_id)
            changed = {"start_at"} if spec.start_at != before.spec.start_at else ()
            record = replace(before, spec=spec)
            record = replace(record, **self._other_turn(record, changed))
            await self._store.save(record)
            self._announce("job", JobSnapshot(record))
        if before.was_complete and spec.mirror != before.spec.mirror:
            await self._round_now(record)
        self._look()

    async def _round_now(self, mirror: JobRecord) -> None:
        """What a mirror asks for is another thing now: have it look at once, if it rests."""
        if mirror.state in {*FINISHED, JobState.WAITING}:
            await self.retry(mirror.id)

    def _other_turn(self, record: JobRecord, changed: Collection[str]) -> dict[str, Any]:
        """What its hours make of a job whose wishes are others now."""
        spec, zone, now = record.spec, self._habits.around.zone, self._now()
        if record.was_complete:
            again = next_turn(spec.repeat, spec.window, now, zone, 0.0)
            if record.state is JobState.COMPLETE and again is not None:
                return {"state": move(record.state, Move.POSTPONE), "retry_at": again}
        else:
            again = first_turn(spec.start_at, spec.window, now, zone)
            if record.state is JobState.QUEUED and "start_at" in changed and again > now:
                return {"state": move(record.state, Move.POSTPONE), "retry_at": again}
        if record.state is not JobState.WAITING or record.error is not None:
            return {}
        return {"retry_at": now if again is None else again}

    async def add(self, specs: Sequence[JobSpec]) -> list[JobSnapshot]:
        """Add jobs, all or none, durable when this returns."""
        now, specs = self._now(), [apart(spec) for spec in specs]
        records = [self._new(spec, now) for spec in specs]
        snapshots = [JobSnapshot(record) for record in await self._store.add(records)]
        for snapshot in snapshots:
            self._announce("job", snapshot)
        states = {record.state for record in records}
        if JobState.WAITING in states or (
            JobState.QUEUED in states and self._busy < self._max_active
        ):
            self._look()
        return snapshots

    def _made(self, record: JobRecord) -> Life:
        if record.spec.mirror is not None:
            return MirrorJob(record, self._habits, self)
        return super()._made(record)

    def _new(self, spec: JobSpec, now: float) -> JobRecord:
        turn = first_turn(spec.start_at, spec.window, now, self._habits.around.zone)
        state = JobState.WAITING if turn > now else JobState.QUEUED
        return JobRecord(
            id=spec.id or self._new_id(),
            spec=spec,
            state=JobState.PAUSED if spec.paused else state,
            created=now,
            retry_at=turn if turn > now and not spec.paused else None,
        )

    async def get(self, job_id: str) -> JobSnapshot:
        """One job."""
        running = self._running.get(job_id)
        return running[0].snapshot() if running else JobSnapshot(await self._record(job_id))

    async def ids_from(self, prefix: str, *, limit: int) -> Sequence[str]:
        """At most *limit* ids that begin with *prefix*, which is lower-case hex digits."""
        return await self._store.ids_from(prefix, limit=limit)

    async def list(
        self,
        *,
        state: JobState | None,
        limit: int,
        cursor: str | None,
        parent: str | None = None,
    ) -> JobPage:
        """A page of jobs, newest first; of those of one mirror, or where it is empty of none."""
        before = _cursor(cursor)
        records = await self._store.page(state=state, limit=limit + 1, before=before, parent=parent)
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
            if record.spec.mirror is not None and (change.moves or change.urls is not None):
                raise StateForbids("a mirror keeps its folder and address: add another one")
            if record.spec.mirror is None and change.mirror:
                raise StateForbids(f"{', '.join(sorted(change.mirror))}: of a mirror only")
            if change.moves and (running or record.filename is not None):
                raise StateForbids("its file is begun already: it cannot have another place")
            spec = _changed(record.spec, change)
            if running:
                await running[0].change(spec)
            else:
                record = replace(record, spec=spec)
                if change.calendar:
                    record = replace(record, **self._other_turn(record, change.calendar))
                await self._store.save(record)
                self._announce("job", JobSnapshot(record))
        if change.calendar:
            self._look()  # a window may have closed, another turn may have come
        return await self.get(job_id)

    async def pause(self, job_id: str) -> JobSnapshot:
        """Stop it, keep what came."""
        async with self._turn:
            running = self._running.get(job_id)
            if running:
                await self._halt(running, Move.PAUSE)
            record = await self._record(job_id)
            if record.spec.mirror is not None:
                await self._store.pause_children(job_id)
                await self._halt_children(job_id)
            if running and record.state is JobState.PAUSED:
                return JobSnapshot(record)  # else it ended otherwise a moment before
            return await self._change(record, Move.PAUSE, retry_at=None)

    async def resume(self, job_id: str) -> JobSnapshot:
        """Queue a paused job again."""
        snapshot = await self._queue_again(job_id, Move.RESUME)
        if snapshot.record.spec.mirror is not None:
            await self._store.resume_children(job_id)
            self._look()
        return snapshot

    async def retry(self, job_id: str) -> JobSnapshot:
        """Queue a failed or waiting job again at once; a mirror that is complete, too."""
        return await self._queue_again(job_id, Move.RETRY)

    async def remove(self, job_id: str, *, delete_files: bool) -> None:
        """Forget a job; with *delete_files* its part and finished file go too."""
        async with self._turn:
            running = self._running.get(job_id)
            if running:
                await self._halt(running, Move.PAUSE)
            record = await self._record(job_id)
            if record.spec.mirror is not None:
                await self._halt_children(job_id)
                await forget_all(self._habits, record, delete=delete_files)
            await forget_files(self._habits, record, delete=delete_files)
            await self._store.delete(job_id)
        self._farewells.tell(self._habits, record)
        self._announce("removed", JobSnapshot(record))
        self._look()

    async def _halt_children(self, mirror: str) -> None:
        """Stop the files of a mirror that are fetched now."""
        for running in [*self._running.values()]:
            if running[0].record.spec.parent == mirror:
                await self._halt(running, Move.PAUSE)

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
        running = self.running_now()
        rate_in = sum(job.live.rate for job in running if not job.record.spec.is_upload)
        rate_out = sum(job.live.rate for job in running if job.record.spec.is_upload)
        return Totals(counts, rate_in, rate_out)

    @property
    def limits(self) -> Limits:
        """What all jobs together may take now."""
        pacer = self._habits.pacer
        return Limits(
            max_active=self._max_active,
            rate_limit=pacer.over_all,
            rate_limit_per_host=pacer.per_host,
            connections_per_host=self._habits.around.hosts.limit,
            rate_now=pacer.rate,
        )

    def set_limits(self, limits: Limits) -> None:
        """Other limits until the end of this run; jobs beyond ``max_active`` are queued again."""
        self._max_active = limits.max_active
        self._habits.pacer.set_rates(limits.rate_limit, limits.rate_limit_per_host)
        self._habits.around.hosts.set_limit(limits.connections_per_host)
        self._shed()
        self._look()

    def change_habits(self, change: Callable[[Habits], Habits]) -> None:
        """Have jobs behave otherwise that start from now on."""
        self._habits = change(self._habits)

    async def _queue_again(self, job_id: str, event: Move) -> JobSnapshot:
        async with self._turn:
            running = self._running.get(job_id)
            record = running[0].record if running else await self._record(job_id)
            if record.spec.mirror is not None and record.state is JobState.COMPLETE:
                record = replace(record, state=move(record.state, Move.POSTPONE))  # a round more
            snapshot = await self._change(
                record, event, attempts=0, retry_at=None, error=None, finished=None
            )
        self._look()
        return snapshot


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise InvalidInput([Complaint("cursor", "not a cursor that this API gave")])
    return int(text)


def _changed(spec: JobSpec, change: JobChange) -> JobSpec:
    """The wishes with *change*.

    Addresses that somebody gave later are guarded, and where the first of them is of
    another origin than before, the job's fields were not given for it.
    """
    urls = spec.urls if change.urls is None else change.urls
    changed = replace(
        spec,
        urls=urls,
        priority=spec.priority if change.priority is None else change.priority,
        segments=spec.segments if change.segments is None else change.segments,
        rate_limit=change.rate_limit if change.set_rate_limit else spec.rate_limit,
        lowest_speed=spec.lowest_speed if change.lowest_speed is None else change.lowest_speed,
        directory=change.directory or spec.directory,
        filename=change.filename or spec.filename,
        headers=fields_for(urls[0], spec.urls[0], spec.headers)
        if change.headers is None
        else change.headers,
        guarded=spec.guarded or change.urls is not None,
        mirror=spec.mirror and replace(spec.mirror, **change.mirror),
        **change.calendar,
    )
    if change.login is None:
        return apart(changed)
    login = Login(str(origin_of(changed.urls[0])), *change.login)
    return replace(apart(changed), logins=merged(changed.logins, [login]))
