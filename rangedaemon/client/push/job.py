"""
An upload's story: look at the file, ask the server, push, say that it is all.

Octets count as received when the server has acknowledged them.  Whatever broke off, the
next attempt first makes sure that the local file is still the one whose octets are
there, then asks the server what it has.  How it begins and ends is `client.life`'s.
"""

from __future__ import annotations

from typing import Any

from twisted.python.failure import Failure

from rangedaemon.client.chores import beside
from rangedaemon.client.growing import GrowingFile
from rangedaemon.client.habits import Habits
from rangedaemon.client.interrupt import Stopped
from rangedaemon.client.life import INTERNAL, Life
from rangedaemon.client.push.abandoning import abandon
from rangedaemon.client.push.meeting import meet, speak
from rangedaemon.client.push.outbound import Outbound
from rangedaemon.client.push.outgoing import Outgoing
from rangedaemon.client.push.protocol import Uploading
from rangedaemon.client.push.workers import Counted, Workers
from rangedaemon.client.throttle import Throttle
from rangedaemon.core.intervals import EMPTY, IntervalSet
from rangedaemon.core.jobs import (
    JobError,
    JobRecord,
    JobSpec,
    JobState,
    Live,
    OnChange,
    Remembered,
    SegmentSnapshot,
    Verified,
)
from rangedaemon.core.push.values import Pushed
from rangedaemon.core.rates import RateMeter
from rangedaemon.core.segments import segments_of
from rangedaemon.core.transfer import Trigger
from rangedaemon.errors import (
    Fault,
    FileChanged,
    StateForbids,
    StorageFault,
    UploadGone,
)

TICK_SECONDS = 0.5
MOST_FRUITLESS = 3
"""How often one run may begin again without an octet gained before it gives up."""


class PushJob(Life):
    """An upload while it runs."""

    def __init__(self, record: JobRecord, habits: Habits) -> None:
        super().__init__(record, habits)
        pacer = habits.outbound.pacer if habits.outbound is not None else habits.pacer
        self._throttle = Throttle(self._around.clock, record.spec.rate_limit, pacer)
        self._meter = RateMeter()
        self._counted = Counted()
        self._file: Outgoing | None = None
        self._workers: Workers | None = None
        self._proved: IntervalSet | None = None
        """Where the file's stamp had moved: what was read of it before and is the same."""
        self._disproved = EMPTY
        """What was read of it before and may be another thing by now."""
        self._won = False
        self._begun_again = False

    # -- seen from outside ------------------------------------------------------

    def _live(self) -> Live:
        there = self._workers.plan.there.total if self._workers is not None else None
        connections = self._workers.connections if self._workers is not None else 0
        return Live(there, self._meter.rate(self._around.clock.seconds()), connections)

    def segments(self) -> list[SegmentSnapshot]:
        """What the server has, what is on its way, what is missing."""
        workers = self._workers
        if workers is None:
            return segments_of(self.record.size, self.record.covered)
        claims = [(claim, self._about()) for claim in workers.claims()]
        return segments_of(self.record.size, workers.plan.there, claims)

    async def change(self, spec: JobSpec) -> None:
        """Take on other wishes; other connections from the next attempt on."""
        self._throttle.set_rate(spec.rate_limit)
        await self._books.save(spec=spec)
        self._books.announce("job")

    async def reader(self) -> GrowingFile:
        """:raises StateForbids: always; the file is here, whoever wants may read it."""
        raise StateForbids("an upload's file does not grow here")

    def _progressed(self) -> bool:
        # a server that forgets each upload wins octets without end
        return self._won and not self._begun_again

    def _about(self) -> str:
        return self.record.spec.urls[0]

    # -- the story --------------------------------------------------------------

    async def _story(self) -> None:
        if self.record.verified is not None:  # it was pushed before: its turn has come again
            file = await Outgoing.open(self._habits, self._outbound.allowed, self.record)
            await file.close(forget=True)
            if self.record.pushed is not None and self.record.pushed.stamp == file.stamp:
                await self._books.end(Trigger.UNCHANGED, self._again())
                return
            await self._books.save(**pushed_anew())
        await self._until_pushed()

    async def _until_pushed(self) -> None:
        fruitless, had = 0, self.record.covered.total
        while True:
            try:
                return await self._attempt()
            except (FileChanged, UploadGone) as fault:
                if fruitless >= MOST_FRUITLESS:
                    raise
                await self._begin_again(fault)
            gained = self.record.covered.total > had
            fruitless, had = 0 if gained else fruitless + 1, self.record.covered.total
            if self.record.state is not JobState.PROBING:
                await self._books.move(Trigger.CHANGED)

    async def _attempt(self) -> None:
        file = await self._look_at_file()
        cancellable = self._interrupt.cancellable
        uploading, pushed = await cancellable(self._take_up(file))
        await self._books.move(Trigger.ANSWERED)
        await self._push(file, uploading, pushed)
        await self._books.move(Trigger.FETCHED)
        await file.insist_on_same()
        await cancellable(uploading.finish(pushed.parts))
        await self._books.end(
            Trigger.VERIFIED,
            self._again(),
            verified=Verified.CHECKSUM if self.record.spec.checksum else Verified.LENGTH,
            digest=self.record.spec.checksum,
            pushed=Pushed(pushed.stamp, pushed.protocol),  # its addresses are nobody's business
            finished=self._around.wall(),
            error=None,
            retry_at=None,
        )
        await self._close(forget=True)

    # -- the local file -----------------------------------------------------------

    async def _look_at_file(self) -> Outgoing:
        """Open it, and make sure that it is the one whose octets the server has.

        :raises FileChanged: it is not.
        :raises FileMissing, ChecksumMismatch: it cannot be pushed at all.
        """
        file = self._file = await Outgoing.open(self._habits, self._outbound.allowed, self.record)
        before = self.record.pushed
        self._proved, self._disproved = None, EMPTY
        if before is not None and before.stamp != file.stamp:
            if before.stamp.size != file.stamp.size:
                raise FileChanged("the local file has another length than before")
            self._proved, self._disproved = await file.proved()
            self._insist_on_proof(self.record.covered)
        checksum = self.record.spec.checksum
        if checksum is not None and (before is None or self._proved is not None):
            await file.insist_on_digest(checksum, lambda: self._interrupt.by is None)
        if self._interrupt.by is not None:
            raise Stopped
        return file

    def _insist_on_proof(self, there: IntervalSet) -> None:
        """:raises FileChanged: octets that the server has may be others than the file's."""
        if self._proved is not None and there - self._proved:
            raise FileChanged("the local file is not the one that was pushed before")

    async def _begin_again(self, fault: Fault) -> None:
        """What the server has is of no use any more: another upload."""
        self._log.info("job {id}: {why}", id=self.record.id, why=fault.detail)
        changed = isinstance(fault, FileChanged)
        if changed and self.record.spec.on_change is OnChange.FAIL:
            raise fault
        self._begun_again = True
        await self._close(forget=True)
        if changed:
            await self._interrupt.cancellable(abandon(self._habits, self._outbound, self.record))
        await self._books.save(
            pushed=None,
            covered=EMPTY,
            changes=self.record.changes + changed,
            refetched=self.record.refetched + self.record.covered.total,
            error=JobError(fault.code, fault.detail, getattr(fault, "url", None)),
        )
        if changed:
            self._books.announce("changed")

    # -- the server ---------------------------------------------------------------

    async def _take_up(self, file: Outgoing) -> tuple[Uploading, Pushed]:
        """Begin an upload, or ask about the one that was begun.

        :raises UploadGone: the server has forgotten it.
        :raises FileChanged: it has octets that cannot be shown to be the file's.
        """
        before = self.record.pushed
        if before is None or not before.parts:
            length = Remembered(length=file.stamp.size, url=self._about())
            await self._books.save(remembered=length, covered=EMPTY)
            uploading, protocol = await meet(self._habits, self._outbound, self.record)
            pushed = Pushed(file.stamp, protocol, await uploading.begin())
            await self._books.save(pushed=pushed)
            return uploading, pushed
        uploading = speak(self._habits, self._outbound, self.record, before.protocol)
        there = await self._there(uploading, before)
        self._insist_on_proof(there)
        covered, record = there & record_span(before), self.record
        gained, lost = (covered - record.covered).total, (record.covered - covered).total
        pushed = Pushed(file.stamp, before.protocol, before.parts)
        refetched = max(0, record.refetched - gained) + lost
        await self._books.save(pushed=pushed, covered=covered, refetched=refetched)
        return uploading, pushed

    async def _there(self, uploading: Uploading, pushed: Pushed) -> IntervalSet:
        there = EMPTY
        for part in pushed.parts:
            told = await uploading.there(part)
            if told is None:  # nobody tells which of the octets it got besides
                self._insist_on_proof(self._disproved)
            there |= self.record.covered if told is None else told
        return there

    async def _push(self, file: Outgoing, uploading: Uploading, pushed: Pushed) -> None:
        workers = self._workers = Workers(
            uploading,
            pushed.parts,
            self.record.covered,
            file,
            lambda count: self._throttle.take(count, self._about()),
            self._around.clock,
            self._counted,
        )
        try:
            await beside(
                self._around.clock,
                [(TICK_SECONDS, self._tick), (self._habits.checkpoint_interval, self._claim)],
                self._chore_failed,
                self._interrupt.cancellable(workers.run(self.record.spec.segments)),
            )
        finally:
            await self._claim()
            self._workers = None

    async def _tick(self) -> None:
        if self._meter.note(self._around.clock.seconds(), self._counted.sent):
            self._books.announce("job")

    def _chore_failed(self, failure: Failure) -> None:
        if not isinstance(failure.value, Fault):
            self._log.failure("a chore broke", failure)
        if self._workers is not None:
            self._workers.fail(
                failure.value if isinstance(failure.value, Fault) else StorageFault(INTERNAL)
            )

    async def _claim(self) -> None:
        """Journal what the server has acknowledged."""
        if self._workers is None or self._file is None:
            return
        there, record, counted = self._workers.plan.there, self.record, self._counted
        again = counted.unsure + counted.lost
        counted.unsure = counted.lost = 0
        if there == record.covered and not again:
            return
        await self._file.sync()
        gained = there.total - record.covered.total
        self._won = self._won or gained > 0
        self._around.counters.pushed += max(0, gained)
        await self._books.save(covered=there, refetched=record.refetched + again)

    # -- the end ----------------------------------------------------------------

    async def _last_checkpoint(self) -> None:
        """Nothing is left to claim: what was acknowledged is claimed where it is pushed."""

    async def _let_go(self) -> None:
        await self._close()

    async def _close(self, *, forget: bool = False) -> None:
        file, self._file = self._file, None
        if file is not None:
            await file.close(forget=forget)

    @property
    def _outbound(self) -> Outbound:
        if self._habits.outbound is None:
            raise StorageFault("this daemon pushes nothing")
        return self._habits.outbound


def pushed_anew() -> dict[str, Any]:
    """What changes in the record of an upload whose file is another one than was pushed."""
    return {
        "covered": EMPTY,
        "remembered": Remembered(),
        "pushed": None,
        "verified": None,
        "digest": None,
        "finished": None,
    }


def record_span(pushed: Pushed) -> IntervalSet:
    """The octets that the upload is of."""
    return IntervalSet.from_pairs((part.start, part.stop) for part in pushed.parts)
