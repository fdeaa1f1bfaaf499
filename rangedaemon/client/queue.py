"""
Which jobs run and which wait: slots, priorities, retries that fall due.

Waiting jobs live in the journal, only running ones in memory.  Whatever an earlier
run left in the middle is queued again at the start; a stop ends every job with a last
checkpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred, DeferredList, DeferredLock, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.habits import Habits
from rangedaemon.client.job import Job
from rangedaemon.client.life import Life
from rangedaemon.client.push.abandoning import Farewells
from rangedaemon.client.push.job import PushJob
from rangedaemon.core.calendar import closing_of
from rangedaemon.core.jobs import RUNNING, JobEvent, JobRecord, JobSnapshot, JobState
from rangedaemon.core.timetable import parse_window
from rangedaemon.core.transfer import Trigger as Move
from rangedaemon.core.transfer import move
from rangedaemon.core.turns import begun
from rangedaemon.errors import StorageFault, UnknownJob
from rangedaemon.storage.ports import Agenda

RECOVERY_PAGE = 500
WAKE_PAGE = 100
"""Jobs that are woken at a time: each is told of, and nobody shall wait for that."""
REST_SECONDS = 30.0
"""How long a job is left alone whose run the journal could not take down."""
CLOCK_TOLERANCE = 2.0
"""Seconds by which two clocks may differ before one of them was set."""
LONGEST_TIMER = 3600.0
"""Seconds after which the journal is asked again for its next retry, whatever it said."""


class Queue(Service):
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
        self._running: dict[str, tuple[Life, Deferred[None]]] = {}
        self._resting: dict[str, IDelayedCall] = {}
        self._listeners: list[Callable[[JobEvent], None]] = []
        self._farewells = Farewells()
        self._turn = DeferredLock()
        self._timer: IDelayedCall | None = None
        self._looking = self._look_again = False
        self._clocks = self._now(), habits.around.clock.seconds()

    # -- life -------------------------------------------------------------------

    async def recover(self) -> None:
        """Queue again what an earlier run left in the middle; call before the start."""
        for state in RUNNING:
            while records := await self._store.page(state=state, limit=RECOVERY_PAGE, before=None):
                for record in records:
                    await self._store.save(
                        replace(record, state=move(record.state, Move.INTERRUPT))
                    )

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
        self._farewells.stop()
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
            await self._heed_the_clock()
            agenda = await self._agenda()
            for record in agenda.woken:
                self._announce("job", JobSnapshot(record))
            for record in agenda.begun:
                if record.state is JobState.WAITING:  # for its window: another one has its slot
                    self._announce("job", JobSnapshot(record))
                    self._look_again = True
                elif self.running:
                    self._start(record)
                else:
                    await self._change(record, Move.INTERRUPT)
            self._set_timer(agenda.next_retry, self._close_windows())

    async def _agenda(self) -> Agenda:
        """What there is to do; where the journal cannot say, it is asked again by and by."""
        now = self._now()
        try:
            return await self._store.agenda(
                now=now,
                most_woken=WAKE_PAGE,
                free=max(0, self._max_active - self._busy),
                without=[*self._running, *self._resting],
                begin=partial(begun, now=now, zone=self._habits.around.zone),
            )
        except StorageFault as fault:
            self._log.error("no job can start: {why}", why=fault.detail)
            return Agenda((), (), now + REST_SECONDS)

    @property
    def _busy(self) -> int:
        """How many slots are held."""
        return sum(not job.idle for job, _ in self._running.values())

    def look(self) -> None:
        """Start what may start: jobs were added, or a slot was given back."""
        self._look()

    def _shed(self) -> None:
        """Have those give way that run beyond `max_active`: lowest priority, newest first."""
        going_on = [job for job, _ in self._running.values() if not (job.stopping or job.idle)]
        going_on.sort(key=lambda job: (job.record.spec.priority, -job.record.seq))
        for job in going_on[: max(0, len(going_on) - self._max_active)]:
            job.stop(Move.INTERRUPT)

    async def _heed_the_clock(self) -> None:
        """Where the clock on the wall was set back, nobody waits for so much longer."""
        before, then = self._clocks
        self._clocks = now, moment = self._now(), self._habits.around.clock.seconds()
        lost = (moment - then) - (now - before)
        if lost > CLOCK_TOLERANCE:
            self._log.warn("the clock was set back by {seconds:.0f} s", seconds=lost)
            await self._store.shift_retries(-lost)

    def _close_windows(self) -> float | None:
        """Stop those whose window has closed; when the next one does.

        What is all there is still checked: that costs nobody a connection.
        """
        now, closings = self._now(), []
        for job, _ in [*self._running.values()]:
            if job.record.spec.window is None or job.record.state is JobState.VERIFYING:
                continue
            window = parse_window(job.record.spec.window)
            closing = closing_of(window, now, self._habits.around.zone)
            if closing is not None and closing > now:
                closings.append(closing)
            elif closing is not None and not job.stopping:
                job.stop(Move.INTERRUPT)  # it is queued then, and put off
        return min(closings, default=None)

    def _set_timer(self, *times: float | None) -> None:
        """Look again at the earliest of *times*."""
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        at = min((at for at in times if at is not None), default=None)
        if at is not None and self.running:
            delay = min(max(0.0, at - self._now()), LONGEST_TIMER)
            self._timer = self._habits.around.clock.callLater(delay, self._look)

    def _start(self, record: JobRecord) -> None:
        job = self._made(record)
        ending = ensureDeferred(job.run())
        self._running[record.id] = (job, ending)
        ending.addErrback(self._broke, record.id)
        ending.addBoth(lambda _: self._ended(record.id))

    def _made(self, record: JobRecord) -> Life:
        """The job of that kind."""
        return PushJob(record, self._habits) if record.spec.is_upload else Job(record, self._habits)

    def _broke(self, failure: Failure, job_id: str) -> None:
        """Not even its end could be written down: leave it alone for a while."""
        self._log.failure("job {id} broke", failure, id=job_id)
        if self.running:
            self._resting[job_id] = self._habits.around.clock.callLater(
                REST_SECONDS, self._rested, job_id
            )

    def _rested(self, job_id: str) -> None:
        del self._resting[job_id]
        ensureDeferred(self._take_back(job_id)).addErrback(self._broke, job_id)

    async def _take_back(self, job_id: str) -> None:
        """As after a start: what the journal takes for running does not."""
        async with self._turn:
            record = await self._store.get(job_id)
            if record is not None and record.state in RUNNING and job_id not in self._running:
                await self._change(record, Move.INTERRUPT)
        self._look()

    def _ended(self, job_id: str) -> None:
        del self._running[job_id]
        self._look()

    def _now(self) -> float:
        return self._habits.around.wall()

    def subscribe(self, listener: Callable[[JobEvent], None]) -> Callable[[], None]:
        """Call *listener* on each event, until the answer is called."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # -- small things -------------------------------------------------------------

    def _announce(self, kind: str, snapshot: JobSnapshot) -> None:
        event = JobEvent(kind, snapshot)
        for listener in [*self._listeners]:
            listener(event)

    def _snapshot(self, record: JobRecord) -> JobSnapshot:
        running = self._running.get(record.id)
        return running[0].snapshot() if running else JobSnapshot(record)

    async def _record(self, job_id: str) -> JobRecord:
        record = await self._store.get(job_id)
        if record is None:
            raise UnknownJob(f"there is no job {job_id!r}")
        return record

    async def _change(self, record: JobRecord, event: Move, **changes: Any) -> JobSnapshot:
        record = replace(record, state=move(record.state, event), **changes)
        await self._store.save(record)
        snapshot = JobSnapshot(record)
        self._announce("job", snapshot)
        return snapshot

    async def _halt(self, running: tuple[Life, Deferred[None]], by: Move) -> None:
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
