"""
One job's story: ask, fetch, check, publish; survive what comes between.

The states and their moves are `core.transfer`'s; each move is one journal
transaction and one event.  Network waits can be cut short at any moment, disk work
is always waited for, so that nothing writes to a file that was let go of.
"""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.chores import beside
from rangedaemon.client.habits import Habits
from rangedaemon.client.opening import Known, Opening, open_transfer
from rangedaemon.client.origin import Request
from rangedaemon.client.redirects import fields_for
from rangedaemon.client.source import Source
from rangedaemon.client.swarm import Swarm
from rangedaemon.client.throttle import Throttle
from rangedaemon.client.verifying import verify
from rangedaemon.client.workfile import Workfile
from rangedaemon.core.intervals import EMPTY
from rangedaemon.core.jobs import (
    JobError,
    JobRecord,
    JobSnapshot,
    JobSpec,
    JobState,
    Live,
    OnChange,
    Remembered,
    SegmentSnapshot,
)
from rangedaemon.core.naming import choose_name
from rangedaemon.core.plan import Plan
from rangedaemon.core.rates import RateMeter
from rangedaemon.core.segments import segments_of
from rangedaemon.core.transfer import Trigger, move
from rangedaemon.errors import (
    Changed,
    ChecksumMismatch,
    Fault,
    NoRanges,
    OriginFault,
    PartFileLost,
    StorageFault,
    Throttled,
    Unjoinable,
)

T = TypeVar("T")
TICK_SECONDS = 0.5
MOST_FRUITLESS = 6
"""How often one run may begin again without an octet gained before it gives up."""


class Stopped(Fault):
    """The job was told to stop; nobody's error."""

    code = "stopped"


class Job:
    """A job while it runs."""

    _log = Logger()

    def __init__(self, record: JobRecord, habits: Habits) -> None:
        self.record = record
        self._habits = habits
        self._throttle = Throttle(habits.around.clock, record.spec.rate_limit, habits.shared)
        self._meter = RateMeter()
        self._file: Workfile | None = None
        self._swarm: Swarm | None = None
        self._stop_by: Trigger | None = None
        self._network: Deferred[Any] | None = None
        self._stream_only = False
        self._won = False
        """Whether this run brought an octet."""

    # -- seen from outside ------------------------------------------------------

    def snapshot(self) -> JobSnapshot:
        """The job at this moment."""
        sink = self._file.sink if self._file is not None else None
        return JobSnapshot(
            self.record,
            Live(
                received=sink.written.total if sink is not None else None,
                rate=self._meter.rate(self._habits.around.clock.seconds()),
                connections=self._swarm.connections if self._swarm is not None else 0,
            ),
        )

    def segments(self) -> list[SegmentSnapshot]:
        """Its segments in ascending order."""
        sink = self._file.sink if self._file is not None else None
        covered = sink.written if sink is not None else self.record.covered
        intakes = self._swarm.intakes if self._swarm is not None else ()
        return segments_of(self.record.size, covered, [(i.claim, i.url) for i in intakes])

    def stop(self, by: Trigger) -> None:
        """End the run soon, with *by* (PAUSE or INTERRUPT) as its last event."""
        self._stop_by = by
        if self._network is not None:
            self._network.cancel()

    async def change(self, spec: JobSpec) -> None:
        """Take on other wishes while it runs."""
        self._throttle.set_rate(spec.rate_limit)
        if self._swarm is not None and self._swarm.segmented:
            self._swarm.most = max(1, spec.segments)
            self._swarm.adjust()
        await self._save(spec=spec)
        self._announce("job")

    async def run(self) -> None:
        """The whole story, from the slot to a state in which nothing runs."""
        try:
            await self._move(
                Trigger.START,
                started=self.record.started or self._habits.around.wall(),
                attempts=self.record.attempts + 1,
                error=None,
                retry_at=None,
            )
            await self._until_whole()
            await self._verify_and_publish()
        except Stopped:
            await self._checkpoint_in_trouble()
            await self._move(self._stop_by or Trigger.INTERRUPT)
        except Fault as fault:
            await self._checkpoint_in_trouble()
            await self._after(fault)
        except Exception:  # noqa: BLE001 - a bug must end in a state, not in a job that hangs
            self._log.failure("job {id} met something unforeseen", id=self.record.id)
            await self._after(StorageFault("an internal error; the log has its traceback"))
        finally:
            await self._let_go()

    # -- fetching ---------------------------------------------------------------

    async def _until_whole(self) -> None:
        fruitless, had = 0, self.record.covered.total
        while True:
            try:
                return await self._attempt()
            except (Changed, PartFileLost, NoRanges, Unjoinable) as fault:
                if fruitless >= MOST_FRUITLESS:
                    raise
                await self._mend(fault)
            gained = self.record.covered.total > had
            fruitless, had = 0 if gained else fruitless + 1, self.record.covered.total
            if self.record.state is not JobState.PROBING:
                await self._move(Trigger.CHANGED)

    async def _mend(self, fault: Fault) -> None:
        """Do what lets the next attempt of this run do better."""
        self._log.info("job {id}: {why}", id=self.record.id, why=fault.detail)
        if isinstance(fault, Changed):
            await self._begin_again(fault)
        elif isinstance(fault, PartFileLost):
            await self._start_over(fault, filename=None)
        else:
            self._stream_only = isinstance(fault, NoRanges)
            await self._checkpoint_in_trouble()

    async def _attempt(self) -> None:
        await self._take_up()
        if self._is_whole():
            self._workfile.begin(self.record.covered, self._disk_failed)
            await self._move(Trigger.ANSWERED)
        else:
            opening = await self._cancellable(self._open())
            await self._settle_file(opening)
            await self._move(
                Trigger.ANSWERED,
                remembered=opening.identity,
                accepts_ranges=opening.ranges,
                filename=self._workfile.final.name,
            )
            await self._fetch(opening)
        await self._move(Trigger.FETCHED, covered=await self._workfile.sync())

    async def _open(self) -> Opening:
        """The first address that answers well, in the order they were given."""
        last: OriginFault | None = None
        for url in self.record.spec.urls:
            try:
                return await open_transfer(
                    self._habits.around, self._request(url), self._known(url)
                )
            except (Changed, NoRanges, Unjoinable):
                raise
            except OriginFault as fault:
                self._log.info("job {id}: {why}", id=self.record.id, why=fault.detail)
                last = last or fault
        raise last or StorageFault("the job has no address")

    def _sources(self, opening: Opening) -> list[Source]:
        """Where octets may come from: first who answered, then the mirrors."""
        asked = opening.identity.asked
        mirrors = [Source(self._request(u)) for u in self.record.spec.urls if u != asked]
        return [Source(self._request(asked or self._url), opening.identity), *mirrors]

    def _is_whole(self) -> bool:
        return self.record.size is not None and self.record.covered.total == self.record.size > 0

    async def _take_up(self) -> None:
        """Open the part file of an earlier run and hear what it holds."""
        if self._file is not None or self.record.filename is None:
            return
        self._file = await Workfile.reopen(self._habits, self.record)
        found = await self._file.recover(self.record.covered)
        if found.covered != self.record.covered:
            self._log.info(
                "job {id}: {gained} octets more than claimed were there, {lost} were not",
                id=self.record.id,
                gained=found.gained,
                lost=found.lost,
            )
            await self._save(covered=found.covered, refetched=self.record.refetched + found.lost)

    async def _settle_file(self, opening: Opening) -> None:
        """The part file for what *opening* brings, with room for it."""
        try:
            if self._file is None:
                address = opening.identity.url or self._url
                name = choose_name(self.record.spec.filename, opening.disposition, address)
                self._file = await Workfile.create(self._habits, self.record, name)
            if opening.identity.length is not None:
                await self._file.reserve(opening.identity.length)
        except Fault:
            if opening.reply is not None:
                opening.reply.drop()
            raise

    async def _fetch(self, opening: Opening) -> None:
        covered = self.record.covered
        sink = self._workfile.begin(covered, self._disk_failed)
        if opening.reply is None:
            return
        plan = Plan(opening.identity.length, covered, smallest=self._habits.min_segment_size)
        ranged = opening.reply.answer.status == 206
        claim = plan.open_with(opening.piece) if ranged else plan.take_all()
        self._swarm = Swarm(
            self._habits.around,
            self._sources(opening),
            plan,
            sink,
            self._throttle,
            self._read,
            most=max(1, self.record.spec.segments) if opening.segmented else 1,
            segmented=opening.segmented,
            vouched=self._vouched,
        )
        try:
            await beside(
                self._habits.around.clock,
                [(TICK_SECONDS, self._tick), (self._habits.checkpoint_interval, self._checkpoint)],
                self._chore_failed,
                self._cancellable(self._swarm.run(opening.reply, claim, opening.piece)),
            )
        finally:
            self._swarm = None
        if opening.identity.length is None:
            await self._save(remembered=replace(opening.identity, length=plan.length))

    async def _tick(self) -> None:
        if self._swarm is not None:
            self._swarm.tick(TICK_SECONDS)
        now = self._habits.around.clock.seconds()
        if self._meter.note(now, self._workfile.written.total):
            self._announce("job")

    def _chore_failed(self, failure: Failure) -> None:
        if isinstance(failure.value, Fault):
            self._disk_failed(failure.value)
        else:
            self._log.failure("job {id}: a chore broke", failure, id=self.record.id)
            self._disk_failed(StorageFault("an internal error; the log has its traceback"))

    def _disk_failed(self, fault: Fault) -> None:
        if self._swarm is not None:
            self._swarm.stop(fault)

    async def _checkpoint(self) -> None:
        """Sync, then claim: never the other way round."""
        if self._file is None or self._file.sink is None:
            return
        covered = await self._file.sync()
        if covered != self.record.covered:
            self._won = True
            again = self._file.sink.take_again()
            await self._save(covered=covered, refetched=self.record.refetched + again)

    async def _checkpoint_in_trouble(self) -> None:
        """A last checkpoint where something is wrong already: what can be claimed, is."""
        try:
            if self._file is not None and self._file.sink is not None:
                await self._file.sink.settled()
            await self._checkpoint()
        except Fault as fault:
            self._log.warn("job {id}: no last checkpoint: {why}", id=self.record.id, why=fault)

    # -- another representation -------------------------------------------------

    async def _begin_again(self, fault: Changed) -> None:
        """The representation is another one: what we have of the old one must go."""
        policy = self.record.spec.on_change
        if policy is OnChange.FAIL:
            raise fault
        if policy is OnChange.KEEP_OLD and self._file is not None:
            await self._file.keep_old()
            await self._start_over(fault, filename=None)
        else:
            await self._start_over(fault)
        await self._save(changes=self.record.changes + 1)
        self._announce("changed")

    async def _start_over(self, fault: Fault, **changes: Any) -> None:
        """Forget every octet and the validator that they belonged to."""
        written = self._file.written.total if self._file is not None else 0
        lost = max(self.record.covered.total, written)
        await self._let_go(empty=True)
        await self._save(
            **changes,
            covered=EMPTY,
            remembered=Remembered(),
            accepts_ranges=None,
            refetched=self.record.refetched + lost,
            error=JobError(fault.code, fault.detail, getattr(fault, "url", None)),
        )

    # -- the end ----------------------------------------------------------------

    async def _verify_and_publish(self) -> None:
        spec, length = self.record.spec, self.record.size
        if length is None:
            raise StorageFault("the length is still not known")
        try:
            proof = await verify(self._workfile, spec, length, lambda: self._stop_by is None)
        except ChecksumMismatch as fault:
            await self._start_over(fault)
            raise
        if proof is None:
            raise Stopped
        await self._workfile.truncate(length)
        final = await self._workfile.publish(spec.on_conflict)
        verified, digest = proof
        await self._move(
            Trigger.VERIFIED,
            filename=final.name,
            verified=verified,
            digest=digest,
            finished=self._habits.around.wall(),
            error=None,
            retry_at=None,
        )
        await self._let_go(forget=True)

    async def _after(self, fault: Fault) -> None:
        """Fail, or wait for a better time."""
        error = JobError(fault.code, fault.detail, getattr(fault, "url", None) or self._url)
        attempts = 1 if self._won else self.record.attempts
        policy, wall = self._habits.around.retry, self._habits.around.wall
        if not fault.retryable or policy.exhausted(attempts):
            await self._move(Trigger.FAIL, error=error, finished=wall())
            return
        asked = fault.retry_after if isinstance(fault, Throttled) else None
        delay = policy.delay(attempts, self._habits.around.random.random(), asked)
        await self._move(Trigger.POSTPONE, error=error, attempts=attempts, retry_at=wall() + delay)

    async def _let_go(self, *, empty: bool = False, forget: bool = False) -> None:
        file, self._file = self._file, None
        if file is not None:
            if empty:
                await file.truncate()
            await file.close(forget=forget or empty)

    # -- small things -----------------------------------------------------------

    @property
    def _url(self) -> str:
        return self.record.spec.urls[0]

    def _request(self, url: str) -> Request:
        """What goes to *url*; the job's fields were given for its first address' origin."""
        return Request(url, fields_for(url, self._url, self.record.spec.headers))

    @property
    def _vouched(self) -> bool:
        return self.record.spec.checksum is not None

    @property
    def _workfile(self) -> Workfile:
        if self._file is None:
            raise StorageFault("the part file is not open")
        return self._file

    def _known(self, url: str) -> Known:
        remembered = self.record.remembered
        if remembered.asked not in (None, url):  # another mirror's validators say nothing here
            remembered = Remembered(length=remembered.length)
        return Known(
            remembered=remembered,
            covered=self.record.covered,
            stream_only=self._stream_only,
            vouched=self._vouched,
            read=self._read,
        )

    async def _read(self, offset: int, length: int) -> bytes:
        return await self._workfile.read(offset, length)

    async def _cancellable(self, story: Coroutine[Any, Any, T]) -> T:
        """Await *story*, which `stop` may cut short.

        :raises Stopped: it was.
        """
        if self._stop_by is not None:
            story.close()
            raise Stopped
        network: Deferred[T] = ensureDeferred(story)
        self._network = network
        try:
            return await network
        except CancelledError:
            raise Stopped from None
        finally:
            self._network = None

    async def _move(self, event: Trigger, **changes: Any) -> None:
        await self._save(state=move(self.record.state, event), **changes)
        self._announce("job")

    async def _save(self, **changes: Any) -> None:
        self.record = replace(self.record, **changes)
        await self._habits.store.save(self.record)

    def _announce(self, kind: str) -> None:
        self._habits.announce(kind, self.snapshot())
