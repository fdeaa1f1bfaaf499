"""
One job's story: ask, fetch, check, publish; survive what comes between.

The states and their moves are `core.transfer`'s; each move is one journal
transaction and one event.  Network waits can be cut short at any moment, disk work
is always waited for, so that nothing writes to a file that was let go of.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred
from twisted.internet.task import LoopingCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.opening import Known, Opening, open_transfer
from rangedaemon.client.origin import Request
from rangedaemon.client.swarm import Surroundings, Swarm
from rangedaemon.client.throttle import Throttle
from rangedaemon.client.workfile import Workfile
from rangedaemon.core.disposition import filename_from_url, parse_disposition, safe_filename
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
    Verified,
)
from rangedaemon.core.plan import Plan
from rangedaemon.core.rates import RateMeter
from rangedaemon.core.segments import segments_of
from rangedaemon.core.throttle import Bucket
from rangedaemon.core.transfer import Trigger, move
from rangedaemon.errors import (
    Changed,
    ChecksumMismatch,
    Fault,
    NoRanges,
    PartFileLost,
    StorageFault,
    Throttled,
)
from rangedaemon.storage.ports import JobStore
from rangedaemon.storage.threads import InThread

TICK_SECONDS = 0.5
MOST_CHANGES = 3
"""How often a representation may change under one run before the source is unstable."""


@dataclass(frozen=True, slots=True)
class Habits:
    """How jobs behave unless their spec says otherwise."""

    around: Surroundings
    store: JobStore
    in_thread: InThread
    shared: Sequence[Bucket]
    checkpoint_interval: float
    """Seconds between two checkpoints of a running job."""
    min_segment_size: int
    announce: Callable[[str, JobSnapshot], None] = lambda _kind, _snapshot: None
    """Called on every event: its kind, and the job after it."""


class Stopped(Fault):
    """The job was told to stop; not an error of anybody."""

    code = "stopped"


class Job:
    """A job while it runs."""

    _log = Logger()

    def __init__(self, record: JobRecord, habits: Habits) -> None:
        self.record = record
        self._habits = habits
        self._clock = habits.around.clock
        self._throttle = Throttle(self._clock, record.spec.rate_limit, habits.shared)
        self._meter = RateMeter()
        self._file: Workfile | None = None
        self._swarm: Swarm | None = None
        self._stop_by: Trigger | None = None
        self._network: Deferred[Any] | None = None
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
                rate=self._meter.rate(self._clock.seconds()),
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
            self._swarm.most = self._most(spec)
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
            await self._checkpoint_quietly()
            await self._move(self._stop_by or Trigger.INTERRUPT)
        except Fault as fault:
            await self._checkpoint_quietly()
            await self._after(fault)
        except Exception:  # noqa: BLE001
            self._log.failure("job {id} met something unforeseen", id=self.record.id)
            await self._after(StorageFault("an internal error; the log has its traceback"))
        finally:
            await self._let_go()

    # -- fetching ---------------------------------------------------------------

    async def _until_whole(self) -> None:
        for _ in range(2 * MOST_CHANGES):
            try:
                return await self._attempt()
            except Changed as fault:
                await self._begin_again(fault)
            except NoRanges:
                await self._save(accepts_ranges=False)
            except PartFileLost as fault:
                await self._start_over(fault)
            await self._move_to_probing()
        raise Changed("the origin gives another file each time it is asked", url=self._url)

    async def _attempt(self) -> None:
        await self._reopen()
        opening = await self._cancellable(
            open_transfer(self._habits.around, self._request, self._known())
        )
        await self._settle_file(opening)
        await self._move(
            Trigger.ANSWERED,
            remembered=opening.identity,
            accepts_ranges=opening.segmented,
            filename=self._workfile.final.name,
        )
        await self._fetch(opening)
        await self._move(Trigger.FETCHED, covered=await self._workfile.sync())

    async def _reopen(self) -> None:
        """Take up the part file of an earlier run, if it is what the journal says."""
        if self._file is not None or self.record.filename is None:
            return
        self._file = await Workfile.reopen(self._habits.in_thread, self.record)
        claimed = max((piece.stop for piece in self.record.covered), default=0)
        if await self._file.size() < claimed:
            raise PartFileLost(f"{self._file.final.name}.part is shorter than what it held")

    async def _settle_file(self, opening: Opening) -> None:
        try:
            if self._file is None:
                wanted = Path(self.record.spec.directory) / self._filename(opening)
                self._file = await Workfile.create(
                    self._habits.in_thread, wanted, self.record.spec.on_conflict
                )
            if opening.identity.length is not None:
                await self._file.reserve(opening.identity.length)
        except Fault:
            if opening.reply is not None:
                opening.reply.drop()
            raise

    def _filename(self, opening: Opening) -> str:
        wished = self.record.spec.filename
        offered = parse_disposition(opening.disposition) if opening.disposition else None
        safe = safe_filename(wished or offered or "")
        return safe or filename_from_url(opening.identity.url or self._url)

    async def _fetch(self, opening: Opening) -> None:
        covered = self.record.covered
        sink = self._workfile.begin(covered, self._disk_failed)
        plan = Plan(opening.identity.length, covered, smallest=self._habits.min_segment_size)
        if opening.reply is None:
            return
        claim = plan.open_with(opening.piece) if opening.segmented else plan.take_all()
        self._swarm = Swarm(
            self._habits.around,
            self._request,
            opening.identity,
            plan,
            sink,
            self._throttle,
            most=self._most(self.record.spec) if opening.segmented else 1,
            segmented=opening.segmented,
            vouched=self.record.spec.checksum is not None,
        )
        await self._drive(self._swarm.run(opening.reply, claim, opening.piece))
        if opening.identity.length is None:
            await self._save(remembered=replace(opening.identity, length=plan.length))

    async def _drive(self, story: Any) -> None:
        """Run *story* with the clockwork beside it: rates, silence, checkpoints."""
        ticking = LoopingCall(self._tick)
        saving = LoopingCall(lambda: ensureDeferred(self._checkpoint()))
        ticking.clock = saving.clock = self._clock
        ticked = ticking.start(TICK_SECONDS, now=False)
        saved = saving.start(self._habits.checkpoint_interval, now=False)
        saved.addErrback(self._disk_failed)
        try:
            await self._cancellable(story)
        finally:
            ticking.stop()
            await ticked
            if saving.running:
                saving.stop()
            await saved
            self._swarm = None

    def _tick(self) -> None:
        if self._swarm is not None and self._file is not None and self._file.sink is not None:
            self._swarm.tick(TICK_SECONDS)
            self._meter.note(self._clock.seconds(), self._file.sink.written.total)
            self._announce("progress")

    def _disk_failed(self, failed: Fault | Failure) -> None:
        fault = failed.value if isinstance(failed, Failure) else failed
        if self._swarm is not None:
            self._swarm.stop(fault if isinstance(fault, Fault) else StorageFault(str(fault)))

    async def _checkpoint(self) -> None:
        """Sync, then claim: never the other way round."""
        if self._file is None or self._file.sink is None:
            return
        covered = await self._file.sync()
        if covered != self.record.covered:
            self._won = True
            await self._save(covered=covered, refetched=self._refetched())

    def _refetched(self) -> int:
        sink = self._file.sink if self._file is not None else None
        again = sink.take_again() if sink is not None else 0
        return self.record.refetched + again

    async def _checkpoint_quietly(self) -> None:
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
        if self.record.spec.on_change is OnChange.FAIL:
            raise fault
        await self._start_over(fault)
        await self._save(changes=self.record.changes + 1)
        self._announce("changed")

    async def _start_over(self, fault: Fault) -> None:
        """Forget every octet and the validator that they belonged to."""
        lost = max(self.record.covered.total, self._file_octets())
        error = JobError(fault.code, fault.detail, getattr(fault, "url", None))
        await self._let_go(empty=True)
        await self._save(
            covered=EMPTY,
            remembered=Remembered(),
            accepts_ranges=None,
            refetched=self.record.refetched + lost,
            error=error,
        )

    def _file_octets(self) -> int:
        sink = self._file.sink if self._file is not None else None
        return sink.written.total if sink is not None else 0

    async def _move_to_probing(self) -> None:
        if self.record.state is not JobState.PROBING:
            await self._move(Trigger.CHANGED)

    # -- the end ----------------------------------------------------------------

    async def _verify_and_publish(self) -> None:
        length = self.record.size
        if length is None:
            raise StorageFault("the length is still not known")
        verified, digest = await self._verify(length)
        await self._workfile.truncate(length)
        final = await self._workfile.publish(self.record.spec.on_conflict)
        await self._move(
            Trigger.VERIFIED,
            filename=final.name,
            verified=verified,
            digest=digest,
            finished=self._habits.around.wall(),
            error=None,
            retry_at=None,
        )

    async def _verify(self, length: int) -> tuple[Verified, str | None]:
        checksum = self.record.spec.checksum
        if checksum is None:
            return Verified.LENGTH, None
        algorithm, _, wanted = checksum.partition("=")
        got = await self._workfile.digest(
            algorithm.replace("sha-", "sha"), length, lambda: self._stop_by is None
        )
        if got is None:
            raise Stopped
        if got.lower() != wanted.lower():
            await self._start_over(ChecksumMismatch("the octets were thrown away", url=self._url))
            raise ChecksumMismatch(f"{algorithm} is {got}, {wanted} was promised", url=self._url)
        return Verified.CHECKSUM, f"{algorithm}={got}"

    async def _after(self, fault: Fault) -> None:
        """Fail, or wait for a better time."""
        error = JobError(fault.code, fault.detail, getattr(fault, "url", None) or self._url)
        attempts = 1 if self._won else self.record.attempts
        policy = self._habits.around.retry
        if not fault.retryable or policy.exhausted(attempts):
            await self._move(Trigger.FAIL, error=error, finished=self._habits.around.wall())
            return
        asked = fault.retry_after if isinstance(fault, Throttled) else None
        delay = policy.delay(attempts, self._habits.around.random.random(), asked)
        await self._move(
            Trigger.POSTPONE,
            error=error,
            attempts=attempts,
            retry_at=self._habits.around.wall() + delay,
        )

    async def _let_go(self, *, empty: bool = False) -> None:
        file, self._file = self._file, None
        if file is not None:
            if empty:
                await file.truncate()
            await file.close()

    # -- small things -----------------------------------------------------------

    @property
    def _url(self) -> str:
        return self.record.spec.urls[0]

    @property
    def _request(self) -> Request:
        return Request(self._url, self.record.spec.headers)

    @property
    def _workfile(self) -> Workfile:
        if self._file is None:
            raise StorageFault("the part file is not open")
        return self._file

    def _known(self) -> Known:
        record = self.record
        return Known(
            remembered=record.remembered,
            covered=record.covered,
            ranges=record.accepts_ranges,
            vouched=record.spec.checksum is not None,
        )

    def _most(self, spec: JobSpec) -> int:
        return max(1, spec.segments)

    async def _cancellable(self, story: Any) -> Any:
        """Await *story*, which `stop` may cut short.

        :raises Stopped: it was.
        """
        if self._stop_by is not None:
            story.close()
            raise Stopped
        self._network = ensureDeferred(story)
        try:
            return await self._network
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
