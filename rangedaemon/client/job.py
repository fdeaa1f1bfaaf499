"""
A download's story: ask, fetch, check, publish; survive what comes between.

How it begins and ends is `client.life`'s.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from rangedaemon.client.asking import Asking
from rangedaemon.client.describedby import without_description
from rangedaemon.client.fetching import Fetching
from rangedaemon.client.growing import GrowingFile
from rangedaemon.client.habits import Habits
from rangedaemon.client.interrupt import Stopped
from rangedaemon.client.life import Life
from rangedaemon.client.opening import Opening
from rangedaemon.client.repeating import begun_anew, is_there
from rangedaemon.client.verifying import told_by_origin
from rangedaemon.client.workfile import Workfile, finished_path
from rangedaemon.core.dates import parse_http_date
from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import (
    JobRecord,
    JobSpec,
    JobState,
    Live,
    OnChange,
    Remembered,
    SegmentSnapshot,
)
from rangedaemon.core.naming import choose_name
from rangedaemon.core.segments import segments_of
from rangedaemon.core.telling import error_of
from rangedaemon.core.transfer import Trigger
from rangedaemon.errors import (
    Changed,
    ChecksumMismatch,
    Fault,
    Missing,
    NoRanges,
    OriginFault,
    PartFileLost,
    Refused,
    StateForbids,
    StorageFault,
    Unauthorized,
    Unjoinable,
)

MOST_FRUITLESS = 3
"""How often one run may begin again without an octet gained before it gives up."""


class Job(Life):
    """A download while it runs."""

    def __init__(self, record: JobRecord, habits: Habits) -> None:
        super().__init__(record, habits)
        self.in_thread = habits.in_thread
        self._fetching = Fetching(self._books, habits)
        self._asking = Asking(self._books, habits, self._read, self._interrupt)
        self._changes_before = record.changes

    # -- seen from outside ------------------------------------------------------

    def _live(self) -> Live:
        fetching = self._fetching
        connections = fetching.swarm.connections if fetching.swarm is not None else 0
        return Live(fetching.written.total, fetching.rate, connections)

    def segments(self) -> list[SegmentSnapshot]:
        """Its segments in ascending order."""
        swarm = self._fetching.swarm
        claims = [(i.claim, i.url) for i in swarm.intakes] if swarm is not None else []
        return segments_of(self.record.size, self.written, claims)

    async def change(self, spec: JobSpec) -> None:
        """Take on other wishes while it runs."""
        self._fetching.change(spec)
        await self._books.save(spec=spec)
        self._books.announce("job")

    # -- reading while it grows ----------------------------------------------------

    @property
    def written(self) -> IntervalSet:
        """The octets that are in the part file now."""
        return self._fetching.written

    @property
    def path(self) -> Path:
        """Where the finished file is or will be."""
        return finished_path(self.record)

    async def come_to(self, offset: int) -> None:
        """Fetch the octet at *offset* next, and return when it is there.

        :raises StateForbids: nothing is being fetched.
        """
        sink = self._file.sink if self._fetching.file is not None else None
        if sink is None or self._fetching.swarm is None:
            raise StateForbids(f"the job is {self.record.state}, octet {offset} is missing")
        self._fetching.swarm.focus(offset)
        await sink.there(offset)

    async def reader(self) -> GrowingFile:
        """A reader of what is there and what comes.

        :raises StateForbids: there is nothing to read yet.
        """
        if self._fetching.file is None or self.record.size is None:
            raise StateForbids(f"the job is {self.record.state}: there is no octet of it yet")
        return GrowingFile(self, await self._file.another_descriptor())

    # -- the story --------------------------------------------------------------

    async def _story(self) -> None:
        if self.record.verified is not None:  # it was complete before, and is to be again
            spec = await self._asking.described_anew()
            if await self._is_unchanged(spec):
                await self._books.end(Trigger.UNCHANGED, self._again())
                return
            await self._books.save(**begun_anew(self.record, spec))
        await self._until_published()

    async def _is_unchanged(self, spec: JobSpec) -> bool:
        """Whether what is on the disk is what the origin has, and its metalink describes."""
        record = self.record
        if spec != record.spec:
            return False
        if not await self._habits.in_thread(is_there, finished_path(record), record.size):
            return False
        return await self._interrupt.cancellable(self._asking.unchanged(record.remembered))

    async def _last_checkpoint(self) -> None:
        await self._fetching.last_checkpoint()

    async def _let_go(self) -> None:
        self._asking.note()
        await self._fetching.let_go()

    def _progressed(self) -> bool:
        # a source that changes each time it is asked wins octets without end
        return self._fetching.won and self.record.changes == self._changes_before

    def _about(self) -> str:
        return self._asking.url

    async def _until_published(self) -> None:
        fruitless, had = 0, self.record.covered.total
        while True:
            try:
                await self._attempt()
                return await self._verify_and_publish()
            except (Changed, PartFileLost, NoRanges, Unjoinable) as fault:
                if fruitless >= MOST_FRUITLESS:
                    raise
                await self._mend(fault, again=fruitless > 0)
            gained = self.record.covered.total > had
            fruitless, had = 0 if gained else fruitless + 1, self.record.covered.total
            if self.record.state is not JobState.PROBING:
                await self._books.move(Trigger.CHANGED)

    async def _mend(self, fault: Fault, *, again: bool) -> None:
        """Do what lets the next attempt of this run do better.

        :param again: whether the last one has won nothing, either.
        """
        self._log.info("job {id}: {why}", id=self.record.id, why=fault.detail)
        if isinstance(fault, Changed):
            await self._begin_again(fault)
            # Nodes that disagree: one connection leads to one of them, and brings one file.
            self._asking.stream_only = self._asking.stream_only or again
        elif isinstance(fault, PartFileLost):
            await self._start_over(fault, filename=None)
        elif isinstance(fault, NoRanges) and self._asking.stream_only:
            await self._start_over(fault)
        else:
            self._asking.stream_only = isinstance(fault, NoRanges)
            await self._fetching.last_checkpoint()

    async def _attempt(self) -> None:
        await self._asking.describe()
        await self._take_up()
        if self._is_whole():
            await self._books.move(Trigger.ANSWERED)
            await self._interrupt.cancellable(self._fetching.check())
        else:
            opening = await self._asking.first_answer()
            try:
                await self._take_answer(opening)
            finally:
                opening.let_go()
        await self._books.move(Trigger.FETCHED, **await self._fetching.claims())

    async def _take_answer(self, opening: Opening) -> None:
        await self._settle_file(opening)
        file, spec = self._file, self.record.spec
        if file.wanted != file.final:  # to be known when it is published, in another life too
            spec = replace(spec, filename=file.wanted.name)
        await self._books.move(
            Trigger.ANSWERED,
            spec=spec,
            remembered=opening.identity,
            accepts_ranges=opening.ranges,
            filename=file.final.name,
        )
        await self._fetch(opening)

    async def _fetch(self, opening: Opening) -> None:
        """Bring what is missing; a refusal in the middle of it is put to the first address.

        There a signed address is renewed, or the refusal is repeated for good.
        """
        try:
            await self._fetching.fetch(
                opening, self._asking.sources(opening), self._interrupt.cancellable
            )
        except (Missing, Unauthorized, Refused) as fault:
            raise Unjoinable(f"{fault.detail} in the middle", url=fault.url) from fault

    def _is_whole(self) -> bool:
        return self.record.size is not None and self.record.covered.total == self.record.size > 0

    async def _take_up(self) -> None:
        """Open the part file of an earlier run and hear what it holds."""
        record = self.record
        if self._fetching.file is not None or record.filename is None:
            return
        file = self._fetching.file = await Workfile.reopen(self._habits, record)
        found = await file.recover(record.covered)
        if found.covered != record.covered:
            self._log.info(
                "job {id}: {gained} octets more than claimed were there, {lost} were not",
                id=record.id,
                gained=found.gained,
                lost=found.lost,
            )
            await self._books.save(covered=found.covered, refetched=record.refetched + found.lost)
        if record.size is not None:
            await file.reserve(record.size)  # or nobody is asked for anything

    async def _settle_file(self, opening: Opening) -> None:
        """The part file for what *opening* brings, with room for it."""
        if self._fetching.file is None:
            address = opening.identity.url or self._asking.url
            spec = self.record.spec
            name = spec.replaces or choose_name(spec.filename, opening.disposition, address)
            self._fetching.file = await Workfile.create(self._habits, self.record, name)
        await self._file.reserve(opening.identity.length or 0)

    # -- another representation -------------------------------------------------

    async def _begin_again(self, fault: Changed) -> None:
        """The representation is another one: what we have of the old one must go."""
        policy = self.record.spec.on_change
        if policy is OnChange.FAIL:
            raise fault
        self._asking.forget_description()
        another = self.record.changes + 1
        spec = without_description(self.record.spec)
        if policy is OnChange.KEEP_OLD and self._fetching.file is not None:
            with suppress(PartFileLost):  # then there is nothing left to keep
                await self._fetching.file.keep_old()
            await self._start_over(fault, changes=another, spec=spec, filename=None)
        else:
            await self._start_over(fault, changes=another, spec=spec)
        self._books.announce("changed")

    async def _start_over(self, fault: Fault, **changes: Any) -> None:
        """Forget every octet and the validator that they belonged to."""
        lost = await self._fetching.forget()
        await self._books.save(
            **changes,
            remembered=Remembered(),
            accepts_ranges=None,
            refetched=self.record.refetched + lost,
            error=error_of(fault, self.record.spec),
        )

    # -- the end ----------------------------------------------------------------

    async def _verify_and_publish(self) -> None:
        length = self.record.size
        if length is None:
            raise StorageFault("the length is still not known")
        await self._fetching.insist_on_whole(length)
        try:
            proof = await self._fetching.verify(lambda: self._interrupt.by is None)
        except ChecksumMismatch as fault:
            await self._insist_on_promise(fault)
            spec = self.record.spec  # another list may have another sum by the next time
            await self._start_over(fault, spec=replace(spec, checksum=spec.sums or spec.checksum))
            raise
        if proof is None:
            raise Stopped
        await self._file.truncate(length)
        final = await self._file.publish(self.record.spec, self._modified())
        await self._books.end(
            Trigger.VERIFIED,
            self._again(),
            filename=final.name,
            verified=proof.by,
            digest=proof.digest,
            finished=self._around.wall(),
            error=None,
            retry_at=None,
        )
        await self._fetching.let_go(forget=True)

    async def _insist_on_promise(self, broken: ChecksumMismatch) -> None:
        """:raises Changed: what was promised, the origin does not promise any more."""
        digest = told_by_origin(self.record)
        if digest is None:
            return
        try:
            stands = await self._asking.promises_still(digest)
        except OriginFault:
            stands = True  # as far as anybody tells
        if not stands:
            raise Changed(f"{broken.detail}: of a former version, it seems", url=broken.url)

    def _modified(self) -> float | None:
        """When the origin's file was modified; None: it does not say, or says a time to come."""
        now = self._around.wall()
        text = self.record.remembered.last_modified
        when = parse_http_date(text, now=now) if text else None
        return when if when is not None and 0 <= when <= now else None

    # -- small things -----------------------------------------------------------

    @property
    def _file(self) -> Workfile:
        if self._fetching.file is None:
            raise StorageFault("the part file is not open")
        return self._fetching.file

    async def _read(self, offset: int, length: int) -> bytes:
        return await self._file.read(offset, length)
