"""
Whom a job asks, for what, and in which order: until one answers well.

A job's addresses are mirrors of one file.  Some name documents that describe it; what
they describe takes their place before, or after, the first answer.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.logger import Logger

from rangedaemon.client.books import Books
from rangedaemon.client.describedby import (
    described_by,
    descriptions_for,
    is_outdated,
    without_description,
)
from rangedaemon.client.describing import (
    answers_with_metalink,
    described,
    described_anew,
    follow_metalink,
    insist_on_size,
    mirrors_of,
    names_documents,
)
from rangedaemon.client.habits import Habits
from rangedaemon.client.interrupt import Interrupt
from rangedaemon.client.opening import Known, Opening, open_transfer
from rangedaemon.client.origin import Request
from rangedaemon.client.overlap import Read
from rangedaemon.client.repeating import is_unchanged
from rangedaemon.client.requests import request_for
from rangedaemon.client.source import Source
from rangedaemon.client.verifying import promise_of
from rangedaemon.core.intervals import EMPTY
from rangedaemon.core.jobs import JobSpec, Remembered
from rangedaemon.errors import Changed, NoRanges, OriginFault, StorageFault, Unjoinable


class Asking:
    """The requests of one running job."""

    _log = Logger()

    def __init__(self, books: Books, habits: Habits, read: Read, interrupt: Interrupt) -> None:
        """:param read: reads octets of the part file, to compare."""
        self.stream_only = False
        """Whether this run has learned that ranges are not to be had."""
        self._books = books
        self._habits = habits
        around = self._around = habits.around
        self._read = read
        self._interrupt = interrupt
        self._cancellable = interrupt.cancellable
        self._answered = False
        """Whether an answer of this run has told that all is as it was."""
        self._linked = False
        """Whether descriptions that the origin links to were tried in this run."""
        self._jar = around.new_jar()

    @property
    def url(self) -> str:
        """The first address: the one that the job's own fields were given for."""
        return self._books.record.spec.urls[0]

    async def describe(self) -> None:
        """Fetch the documents that the job's wishes name, and take their word."""
        spec = self._books.record.spec
        if names_documents(spec):
            await self._books.save(
                spec=await self._cancellable(
                    described(self._around, spec, self._jar, self._goes_on)
                )
            )

    async def first_answer(self) -> Opening:
        """The first good answer; where it brings a metalink, that of what this describes.

        :raises Fault: nobody answers well.
        """
        opening = await self._cancellable(self._open())
        spec = self._books.record.spec
        if answers_with_metalink(spec, opening):
            url = opening.identity.asked or self.url
            spec = await self._cancellable(follow_metalink(self._around, spec, url, self._jar))
        elif not self._linked and descriptions_for(spec, opening):
            self._linked = True
            spec = await self._described(spec, opening)
        elif is_outdated(self._books.record, opening):
            spec = await self._described_anew(opening)
        else:
            return opening
        await self._books.save(spec=spec)
        return await self._cancellable(self._open())

    async def _described(self, spec: JobSpec, opening: Opening) -> JobSpec:
        """*spec* with what the description adds that *opening* links to; lets go of that."""
        opening.let_go()  # else it would hold a place that the documents may need
        urls = descriptions_for(spec, opening)
        return await self._cancellable(
            described_by(self._around, spec, self._jar, opening.identity, urls, self._goes_on)
        )

    async def _described_anew(self, opening: Opening) -> JobSpec:
        """What is promised now that the validator has moved, perhaps alone.

        :raises Changed: something else than before.
        """
        former = self._books.record.spec
        spec = await self._described(without_description(former), opening)
        if spec.unlinked is not None and spec.checksum != former.checksum:
            why = "the validator moved, and the description promises another digest now"
            raise Changed(why, url=opening.identity.url)
        return spec

    async def promises_still(self, digest: str) -> bool:
        """Whether the origin, asked as at the very first, promises *digest* of its file.

        :raises OriginFault: it does not answer.
        """
        spec = without_description(self._books.record.spec)
        opening = await self._cancellable(self._open(spec, anew=True))
        spec = await self._described(spec, opening)
        return digest in (spec.checksum, opening.identity.digest)

    def forget_description(self) -> None:
        """Another representation may link to another description: look again."""
        self._linked = False

    def note(self) -> None:
        """Whether all is as it was is known as of now, if it was in this run."""
        if self._answered:
            self._habits.lately.note(self._books.record.id, self._around.clock.seconds())

    async def described_anew(self) -> JobSpec:
        """The job's wishes by what its metalink says now.

        :raises OriginFault: it says nothing.
        """
        spec = self._books.record.spec
        return await self._cancellable(described_anew(self._around, spec, self._jar))

    async def unchanged(self, remembered: Remembered) -> bool:
        """Whether the origin still has *remembered*.

        :raises OriginFault: it does not say.
        """
        urls = self._books.record.spec.urls
        asked = remembered.asked if remembered.asked in urls else None
        return await is_unchanged(self._around, self._request(asked or urls[0]), remembered)

    def _goes_on(self) -> bool:
        """Whether nobody has told the job to stop: a request that was cut short looks broken."""
        return self._interrupt.by is None

    async def _open(self, spec: JobSpec | None = None, *, anew: bool = False) -> Opening:
        """The first address that answers well, in the order they were given.

        :param spec: None: the job's.
        :param anew: whether to ask as if nothing was there.
        """
        last: OriginFault | None = None
        spec = spec or self._books.record.spec
        for url in spec.urls:
            known = self._known(url)
            if anew:
                known = replace(known, remembered=Remembered(), covered=EMPTY, vouched=False)
            try:
                opening = await open_transfer(self._around, self._request(url), known)
                insist_on_size(spec, opening)
            except (Changed, NoRanges, Unjoinable):
                raise
            except OriginFault as fault:
                if not self._goes_on():
                    raise
                self._log.info("{why}", why=fault.detail)
                last = last or fault
            else:
                self._answered = True
                self.note()
                return opening
        raise last or StorageFault("the job has no address")

    def sources(self, opening: Opening) -> list[Source]:
        """Where octets may come from: first who answered, then the mirrors."""
        asked = opening.identity.asked or self.url
        spec = self._books.record.spec
        mirrors = [Source(self._request(u)) for u in mirrors_of(spec, opening)]
        return [Source(self._request(asked), opening.identity), *mirrors]

    def _request(self, url: str) -> Request:
        return request_for(self._books.record.spec, url, self._jar)

    def _known(self, url: str) -> Known:
        record = self._books.record
        remembered = record.remembered
        if remembered.asked not in (None, url):  # another mirror's validators say nothing here
            remembered = Remembered(length=remembered.length, digest=remembered.digest)
        doubtless = promise_of(record) is not None or record.spec.pieces is not None
        return Known(
            remembered=remembered,
            covered=record.covered,
            stream_only=self.stream_only,
            vouched=record.spec.checksum is not None,
            read=self._read,
            overlap=0 if doubtless else self._habits.resume_overlap,
            lately=self._habits.lately.knows(record.id, self._around.clock.seconds()),
        )
