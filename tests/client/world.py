"""Everything around a job, in memory but for the disk: clock, origin, store, threads."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.agent import IdentityAgent
from rangedaemon.client.habits import Habits
from rangedaemon.client.hosts import Hosts
from rangedaemon.client.job import Job
from rangedaemon.client.network import OneAgent
from rangedaemon.client.origin import Origin
from rangedaemon.client.pacing import Pacer
from rangedaemon.client.runner import Runner
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.jobs import FINISHED, JobEvent, JobRecord, JobSpec, JobState
from rangedaemon.core.mirrors import Family
from rangedaemon.core.retry import RetryPolicy, RetryRules
from rangedaemon.core.timetable import Hour, Rate
from rangedaemon.core.turns import begun
from rangedaemon.storage.ports import Agenda, Begin
from rangedaemon.storage.threads import InThread, inline
from tests.client.scripted import File, ScriptedOrigin

T = TypeVar("T")
URL = "http://origin.test/file.bin"
EPOCH = 1_700_000_000.0
"""What the wall clock shows when the test's clock shows 0."""


def scratch(case: SynchronousTestCase) -> Path:
    """A directory that goes with the test."""
    path = Path(tempfile.mkdtemp(prefix="rangedaemon-"))
    case.addCleanup(shutil.rmtree, path)
    return path


class HandFired:
    """An `InThread` whose work is done when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], None]] = []
        self.held = True

    def __call__(self, function: Callable[..., T], /, *args: object) -> Deferred[T]:
        """Put it into the queue; or do it at once, while nothing is held."""
        if not self.held:
            return inline(function, *args)
        done: Deferred[T] = Deferred()

        def work() -> None:
            maybeDeferred(function, *args).chainDeferred(done)

        self.waiting.append(work)
        return done

    def fire(self) -> None:
        """Do the oldest piece of work."""
        self.waiting.pop(0)()

    def release(self) -> None:
        """Do everything, and hold nothing back any more."""
        self.held = False
        while self.waiting:
            self.fire()


class MemoryStore:
    """A `JobStore` in a dict; every record that was ever saved is kept in order."""

    def __init__(self) -> None:
        self.records: dict[str, JobRecord] = {}
        self.saved: list[JobRecord] = []
        self.before_save: Callable[[JobRecord], None] = lambda _record: None

    def states(self, job_id: str) -> list[JobState]:
        """The states of a job one after the other, repetitions left out."""
        states: list[JobState] = []
        for record in self.saved:
            if record.id == job_id and states[-1:] != [record.state]:
                states.append(record.state)
        return states

    def put(self, record: JobRecord) -> JobRecord:
        """Keep it, with its place in the order of arrival."""
        record = replace(record, seq=record.seq or len(self.records) + 1)
        self.records[record.id] = record
        return record

    async def add(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """As `JobStore.add`."""
        return [self.put(record) for record in records]

    async def get(self, job_id: str) -> JobRecord | None:
        """As `JobStore.get`."""
        return self.records.get(job_id)

    async def by_name(self, name: str) -> JobRecord | None:
        """As `JobStore.by_name`."""
        named = [r for r in self.records.values() if r.spec.name == name]
        return max(named, key=lambda r: r.seq, default=None)

    async def declared(self) -> Sequence[JobRecord]:
        """As `JobStore.declared`."""
        return [r for r in self.records.values() if r.spec.source == "config"]

    async def page(
        self,
        *,
        state: JobState | None,
        limit: int,
        before: int | None,
        parent: str | None = None,
    ) -> Sequence[JobRecord]:
        """As `JobStore.page`."""
        newest = sorted(self.records.values(), key=lambda r: -r.seq)
        newest = [r for r in newest if parent in (None, r.spec.parent or "")]
        chosen = [
            r for r in newest if state in (None, r.state) and (before is None or r.seq < before)
        ]
        return chosen[:limit]

    async def queue(
        self, *, states: Collection[JobState], offset: int, limit: int, backwards: bool
    ) -> Sequence[JobRecord]:
        """As `JobStore.queue`."""
        chosen = sorted(
            (r for r in self.records.values() if r.state in states),
            key=lambda r: (-r.spec.priority, r.seq),
            reverse=backwards,
        )
        return chosen[offset : offset + limit]

    async def save(self, record: JobRecord) -> None:
        """As `JobStore.save`."""
        self.before_save(record)
        self.saved.append(record)
        self.records[record.id] = record

    async def delete(self, job_id: str) -> None:
        """As `JobStore.delete`."""
        self.records.pop(job_id, None)

    async def counts(self) -> Mapping[JobState, int]:
        """As `JobStore.counts`."""
        states = [r.state for r in self.records.values()]
        return {state: states.count(state) for state in set(states)}

    async def agenda(
        self, *, now: float, most_woken: int, free: int, without: Collection[str], begin: Begin
    ) -> Agenda:
        """As `JobStore.agenda`."""
        due = sorted(
            (r for r in self._waiting() if r.retry_at is not None and r.retry_at <= now),
            key=lambda r: r.retry_at or 0,
        )
        woken = [replace(record, state=JobState.QUEUED) for record in due[:most_woken]]
        for record in woken:
            await self.save(record)
        queued = await self.queue(
            states=(JobState.QUEUED,), offset=0, limit=len(self.records), backwards=False
        )
        chosen = [begin(r) for r in queued if r.id not in without][: max(0, free)]
        for record in chosen:
            await self.save(record)
        following = (r.retry_at for r in self._waiting() if r.retry_at is not None)
        return Agenda(woken, chosen, min(following, default=None))

    async def shift_retries(self, by: float) -> None:
        for record in [*self.records.values()]:
            waits = record.state is JobState.WAITING and record.error is not None
            if waits and record.retry_at is not None:
                self.records[record.id] = replace(record, retry_at=record.retry_at + by)

    async def children(self, parent: str, *, after: int, limit: int) -> Sequence[JobRecord]:
        """As `JobStore.children`."""
        ordered = sorted(self._of(parent), key=lambda r: r.seq)
        return [r for r in ordered if r.seq > after][:limit]

    async def family(self, parent: str, *, since: float) -> Family:
        """As `JobStore.family`."""
        states = [r.state for r in self._of(parent)]
        ended = [r for r in self._of(parent) if r.state is JobState.COMPLETE]
        return Family(
            pending=sum(state not in (*FINISHED, JobState.PAUSED) for state in states),
            failed=states.count(JobState.FAILED),
            fetched=sum((r.finished or 0) >= since for r in ended),
        )

    async def pause_children(self, parent: str) -> None:
        """As `JobStore.pause_children`."""
        for record in self._of(parent):
            if record.state in (JobState.QUEUED, JobState.WAITING):
                self.put(replace(record, state=JobState.PAUSED, retry_at=None))

    async def resume_children(self, parent: str) -> None:
        """As `JobStore.resume_children`."""
        for record in self._of(parent):
            if record.state is JobState.PAUSED:
                self.put(replace(record, state=JobState.QUEUED))

    async def requeue(self, records: Sequence[JobRecord]) -> None:
        """As `JobStore.requeue`."""
        for record in records:
            if self.records[record.id].state in FINISHED:
                await self.save(record)

    async def delete_all(self, job_ids: Sequence[str]) -> None:
        """As `JobStore.delete_all`."""
        for job_id in job_ids:
            await self.delete(job_id)

    def _of(self, parent: str) -> list[JobRecord]:
        return [r for r in self.records.values() if r.spec.parent == parent]

    def _waiting(self) -> list[JobRecord]:
        return [r for r in self.records.values() if r.state is JobState.WAITING]


class World:
    """One daemon's surroundings, and shortcuts to let jobs run in them."""

    def __init__(
        self,
        case: SynchronousTestCase,
        *,
        in_thread: InThread = inline,
        connections_per_host: int = 8,
        attempts: int = 3,
        rate_limit: Rate = None,
        rate_limit_per_host: Rate = None,
    ) -> None:
        self.case = case
        self.directory = scratch(case)
        self.clock = Clock()
        self.set_back = 0.0
        """Seconds by which somebody has set the clock on the wall back."""
        self.origin = ScriptedOrigin(self.clock)
        self.store = MemoryStore()
        self.events: list[JobEvent] = []
        self.hosts = Hosts(self.clock, connections_per_host)
        self.habits = Habits(
            around=Surroundings(
                origin=Origin(OneAgent(IdentityAgent(self.origin)), self.clock, head_timeout=30.0),
                clock=self.clock,
                hosts=self.hosts,
                retry=RetryRules(*[RetryPolicy(attempts, initial_delay=2.0, max_delay=60.0)] * 2),
                random=Random(7),
                wall=lambda: EPOCH + self.clock.seconds() - self.set_back,
                stall_timeout=10.0,
            ),
            store=self.store,
            in_thread=in_thread,
            pacer=Pacer(self.clock, self.hour, rate_limit, rate_limit_per_host),
            checkpoint_interval=1.0,
            min_segment_size=1024,
            state_dir=scratch(case),
            announce=lambda kind, snapshot: self.events.append(JobEvent(kind, snapshot)),
        )

    def hour(self) -> Hour:
        """What the clock on the wall shows: midnight of a Monday, and what has passed since."""
        minutes = int(self.clock.seconds() // 60)
        return Hour(minutes // 1440 % 7, minutes % 1440)

    # -- one job ------------------------------------------------------------------

    def spec(self, **wishes: Any) -> JobSpec:
        """What is asked for: one file, into the world's directory."""
        wishes.setdefault("urls", (URL,))
        return JobSpec(directory=str(self.directory), **wishes)

    def record(self, **wishes: Any) -> JobRecord:
        """A new job of those wishes, in the store."""
        job_id = f"{len(self.store.records):016x}"
        state = JobState.QUEUED
        return self.store.put(JobRecord(job_id, self.spec(**wishes), state, EPOCH))

    def start(self, record: JobRecord | None = None, **wishes: Any) -> tuple[Job, Deferred[None]]:
        """Start a job; and when it has ended."""
        job = Job(self.begun(record or self.record(**wishes)), self.habits)
        return job, ensureDeferred(job.run())

    def begun(self, record: JobRecord) -> JobRecord:
        """A queued job as it has its slot, in the journal too."""
        around = self.habits.around
        record = begun(record, around.wall(), around.zone)
        self.result(self.store.save(record))
        return record

    def run(self, record: JobRecord | None = None, **wishes: Any) -> JobRecord:
        """Let a job run to its end; what became of it."""
        job, ended = self.start(record, **wishes)
        self.pass_time(0)
        self.case.successResultOf(ended)
        return job.record

    def run_cut(self, served: File, count: int, **wishes: Any) -> JobRecord:
        """Let a job run against an origin that breaks off after *count* octets."""
        self.origin.script = served.up_to(count)
        record = self.run(**wishes)
        self.case.assertEqual(record.state, JobState.WAITING)
        return record

    def again(self, record: JobRecord) -> JobRecord:
        """The job as the queue gives it out once more."""
        return replace(self.store.records[record.id], state=JobState.QUEUED)

    def pass_time(self, seconds: float, step: float = 0.5) -> None:
        """Let the clock go on in small steps."""
        self.clock.advance(0)
        for _ in range(round(seconds / step)):
            self.clock.advance(step)

    # -- what is on the disk --------------------------------------------------------

    def names(self) -> list[str]:
        """What is in the download directory."""
        return sorted(path.name for path in self.directory.iterdir())

    def octets(self, name: str = "file.bin") -> bytes:
        """The content of a file there."""
        return (self.directory / name).read_bytes()

    # -- many jobs --------------------------------------------------------------------

    def runner(self, *, max_active: int = 5) -> Runner:
        """A runner over the store; stopped at the end of the test."""
        ids = iter(range(1 << 20))
        runner = Runner(self.habits, max_active=max_active, new_id=lambda: f"{next(ids):016x}")
        runner.subscribe(self.events.append)
        return runner

    def result(self, story: Any) -> Any:
        """What a coroutine returns, which must not wait for anything."""
        return self.case.successResultOf(ensureDeferred(story))
