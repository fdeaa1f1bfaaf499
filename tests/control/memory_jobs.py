"""A small `Jobs` in memory: behaves by the port's contract, fetches nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace

from rangedaemon.control.ports import Growing, JobEvent, Totals
from rangedaemon.core.counters import Counters
from rangedaemon.core.jobs import (
    FINISHED,
    RUNNING,
    JobChange,
    JobPage,
    JobRecord,
    JobSnapshot,
    JobSpec,
    JobState,
    Limits,
    Live,
    SegmentSnapshot,
)
from rangedaemon.errors import Complaint, InvalidInput, NameTaken, StateForbids, UnknownJob


class MemoryJobs:
    """Jobs that only change when they are told to."""

    def __init__(self, now: float = 1_700_000_000.0) -> None:
        self.now = now
        self.limits = Limits(max_active=5, rate_limit=None)
        self.counters = Counters()
        self.jobs: dict[str, JobSnapshot] = {}
        self.deleted: list[tuple[str, bool]] = []
        self.listeners: list[Callable[[JobEvent], None]] = []
        self.parts: dict[str, Sequence[SegmentSnapshot]] = {}
        self._seq = 0

    async def add(self, specs: Sequence[JobSpec]) -> list[JobSnapshot]:
        """Add all of them."""
        return [self._added(spec) for spec in specs]

    def _added(self, spec: JobSpec) -> JobSnapshot:
        if spec.id in self.jobs:
            raise NameTaken(f"a job with id {spec.id} exists already")
        self._seq += 1
        state = JobState.PAUSED if spec.paused else JobState.QUEUED
        record = JobRecord(
            id=spec.id or f"{self._seq:016x}",
            spec=spec,
            state=state,
            created=self.now,
            seq=self._seq,
        )
        return self._put(JobSnapshot(record))

    def _put(self, snapshot: JobSnapshot) -> JobSnapshot:
        old = self.jobs.get(snapshot.record.id)
        self.jobs[snapshot.record.id] = snapshot
        same = old is not None and (old.record.state, old.record.spec) == (
            snapshot.record.state,
            snapshot.record.spec,
        )
        self.happen("progress" if same else "job", snapshot)
        return snapshot

    def happen(self, kind: str, snapshot: JobSnapshot) -> None:
        """Tell all listeners."""
        for listener in tuple(self.listeners):
            listener(JobEvent(kind, snapshot))

    def become(self, job_id: str, *, live: Live | None = None, **changes: object) -> JobSnapshot:
        """Change a record (and its live part) as a runner would, and tell."""
        old = self.jobs[job_id]
        record = replace(old.record, **changes)  # type: ignore[arg-type]
        return self._put(JobSnapshot(record, live or old.live))

    async def get(self, job_id: str) -> JobSnapshot:
        """One job."""
        try:
            return self.jobs[job_id]
        except KeyError:
            raise UnknownJob(f"there is no job {job_id}") from None

    async def ids_from(self, prefix: str, *, limit: int) -> Sequence[str]:
        """By the start of the id."""
        return sorted(job_id for job_id in self.jobs if job_id.startswith(prefix))[:limit]

    async def list(
        self,
        *,
        state: JobState | None,
        limit: int,
        cursor: str | None,
        parent: str | None = None,
    ) -> JobPage:
        """Newest first; the cursor is the last seq shown."""
        before = self._before(cursor)
        fitting = [
            job
            for job in sorted(self.jobs.values(), key=lambda job: -job.record.seq)
            if job.record.seq < before
            and state in (None, job.record.state)
            and parent in (None, job.record.spec.parent or "")
        ]
        page = fitting[:limit]
        more = len(fitting) > limit
        return JobPage(tuple(page), str(page[-1].record.seq) if more else None)

    def _before(self, cursor: str | None) -> float:
        if cursor is None:
            return float("inf")
        if not (cursor.isascii() and cursor.isdigit()):
            raise InvalidInput([Complaint("cursor", "not a cursor of ours")])
        return float(cursor[:20])

    async def queue(
        self, *, states: Collection[JobState], offset: int, limit: int, backwards: bool
    ) -> Sequence[JobSnapshot]:
        """By priority, then by age."""
        fitting = [job for job in self.jobs.values() if job.record.state in states]
        fitting.sort(key=lambda job: (-job.record.spec.priority, job.record.seq), reverse=backwards)
        return fitting[offset : offset + limit]

    def running_now(self) -> Sequence[JobSnapshot]:
        """Those in a running state."""
        return [job for job in self.jobs.values() if job.record.state in RUNNING]

    async def change(self, job_id: str, change: JobChange) -> JobSnapshot:
        """Change wishes."""
        record = (await self.get(job_id)).record
        spec = record.spec
        if change.moves and record.filename is not None:
            raise StateForbids("its file is begun already")
        spec = replace(
            spec,
            directory=change.directory or spec.directory,
            filename=change.filename or spec.filename,
            headers=spec.headers if change.headers is None else change.headers,
            mirror=spec.mirror and replace(spec.mirror, **change.mirror),
            **change.calendar,
        )
        if change.priority is not None:
            spec = replace(spec, priority=change.priority)
        if change.segments is not None:
            spec = replace(spec, segments=change.segments)
        if change.set_rate_limit:
            spec = replace(spec, rate_limit=change.rate_limit)
        if change.urls is not None:
            spec = replace(spec, urls=change.urls)
        return self.become(job_id, spec=spec)

    def set_limits(self, limits: Limits) -> None:
        """Keep them."""
        self.limits = limits

    async def pause(self, job_id: str) -> JobSnapshot:
        """Not once it is paused or finished."""
        return await self._move(job_id, {*FINISHED, JobState.PAUSED}, JobState.PAUSED)

    async def resume(self, job_id: str) -> JobSnapshot:
        """Only where it is paused."""
        return await self._move(job_id, set(JobState) - {JobState.PAUSED}, JobState.QUEUED)

    async def retry(self, job_id: str) -> JobSnapshot:
        """Only where it failed or waits."""
        allowed = {JobState.FAILED, JobState.WAITING}
        return await self._move(job_id, set(JobState) - allowed, JobState.QUEUED)

    async def _move(self, job_id: str, forbidden: set[JobState], state: JobState) -> JobSnapshot:
        present = (await self.get(job_id)).record.state
        if present in forbidden:
            raise StateForbids(f"the job is {present}")
        return self.become(job_id, state=state)

    async def remove(self, job_id: str, *, delete_files: bool) -> None:
        """Forget it."""
        snapshot = await self.get(job_id)
        del self.jobs[job_id]
        self.deleted.append((job_id, delete_files))
        self.happen("removed", snapshot)

    async def segments(self, job_id: str) -> Sequence[SegmentSnapshot]:
        """What the test put there."""
        await self.get(job_id)
        return self.parts.get(job_id, ())

    async def reader(self, job_id: str) -> Growing:
        """None of its jobs grows."""
        job = await self.get(job_id)
        raise StateForbids(f"the job is {job.record.state}: its file does not grow")

    async def totals(self) -> Totals:
        """Counts of the states that occur."""
        counts: dict[JobState, int] = {}
        for job in self.jobs.values():
            counts[job.record.state] = counts.get(job.record.state, 0) + 1
        return Totals(counts, sum(job.live.rate for job in self.jobs.values()))

    def subscribe(self, listener: Callable[[JobEvent], None]) -> Callable[[], None]:
        """Call *listener* on each event."""
        self.listeners.append(listener)
        return lambda: self.listeners.remove(listener)
