"""
Several connections at one representation, until every octet has come.

Workers share a plan.  Their number starts at one and doubles on each good answer
up to what the job may have.  Each answer is judged and its validator compared
before an octet of it is kept.  A fault of one worker is borne while others go on;
of the last one it is the attempt's.  Mirrors join once octets of theirs were proved.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.blame import MOST_BAD
from rangedaemon.client.intake import Intake
from rangedaemon.client.opening import Opening
from rangedaemon.client.origin import Reply
from rangedaemon.client.overlap import Read
from rangedaemon.client.secondlook import Edges
from rangedaemon.client.sink import Sink
from rangedaemon.client.source import Source
from rangedaemon.client.sources import Sources
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.client.throttle import Throttle
from rangedaemon.client.weeding import give_up_silent, give_up_slow
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.plan import Claim, Plan
from rangedaemon.core.promises import promised_content
from rangedaemon.errors import BadResponse, Changed, Fault, NoRanges, OriginFault, Unjoinable

NEARBY = 8 * 1024 * 1024
"""Octets behind an offset that somebody waits for, where a connection helps already."""


class Swarm:
    """The workers of one attempt."""

    _log = Logger()

    def __init__(
        self,
        around: Surroundings,
        sources: Sequence[Source],
        plan: Plan,
        sink: Sink,
        throttle: Throttle,
        read: Read,
        edges: Edges,
        *,
        most: int,
        segmented: bool,
        vouched: bool,
        checked: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """
        :param sources: the first is the one that answered; the others are its mirrors.
        :param read: reads octets of the part file, to compare mirrors with.
        :param edges: asks for ranges, and compares what was there before them.
        :param most: connections at the most; may change while it runs.
        :param segmented: whether further ranges may be asked for.
        :param vouched: a digest will prove the whole, so *cannot tell* may pass.
        :param checked: returns when every piece that came was checked (`lose` is called
            for bad ones); None: nobody checks.
        """
        self.most = most
        self.segmented = segmented
        self.intakes: set[Intake] = set()
        self._around = around
        self._sources = Sources(
            around, sources, read, self._mirror_proved, vouched=vouched, mirrors=segmented
        )
        self._plan = plan
        self._sink = sink
        self._edges = edges
        self._throttle = throttle
        self._vouched = vouched
        self._allowed = 1
        self._workers: set[Deferred[None]] = set()
        self._checked = checked
        self._check: Deferred[None] | None = None
        self._checking = False
        self._failures = 0
        self._fetching = 0
        """How many workers ask or receive at the moment."""
        self._over: Deferred[Failure | None] = Deferred(lambda _: self._call_off())
        self._closed = False
        self._last_fault: Fault | None = None

    @property
    def connections(self) -> int:
        """How many bodies are under way."""
        return len(self.intakes)

    async def run(self, opening: Opening, claim: Claim) -> None:
        """Fetch everything that the plan misses, beginning with the body of *opening*.

        :param claim: what *opening* was asked for.
        :raises Fault: it cannot go on.
        """
        self._start(claim, self._sources.first, opening)
        await self._over
        await self._sink.drain()
        self._insist_on_whole()

    def _insist_on_whole(self) -> None:
        """What the plan believes must be what was written; a file with a hole is never whole.

        :raises Unjoinable: octets are missing; the next attempt asks for them.
        """
        missing = self._sink.written.gaps(ByteRange(0, self._plan.length or 0))
        if missing:
            self._log.error("the plan is done, but {missing} did not come", missing=missing)
            raise Unjoinable(f"{missing.total} octets did not come")

    def stop(self, fault: Fault) -> None:
        """End everything with *fault*."""
        self._close(Failure(fault))

    def focus(self, offset: int) -> None:
        """Fetch the octets at and after *offset* first: somebody waits for them."""
        if self.segmented and self._plan.focus(offset):
            self.adjust()
            if self._plan.focus(offset):
                self._call_away(offset)

    def _call_away(self, offset: int) -> None:
        """Every worker is busy elsewhere: the one that is farthest off comes to *offset*."""
        busy = [i for i in self.intakes if not 0 <= i.claim.position - offset < NEARBY]
        if busy:
            max(busy, key=lambda i: abs(i.claim.position - offset)).settle()

    def adjust(self) -> None:
        """Start workers where there is room for more."""
        while not self._closed and len(self._workers) < min(self._allowed, self.most):
            source = self._sources.pick()
            claim = self._take() if source is not None else None
            if source is None or claim is None:
                return
            self._start(claim, source, None)

    def tick(self, seconds: float) -> None:
        """Measure each connection over the last *seconds*; give up silent and slow ones."""
        for intake in self.intakes:
            intake.measure(seconds)
        give_up_silent(self.intakes, self._around.clock.seconds(), self._around.stall_timeout)
        give_up_slow(self.intakes)
        self._sources.consider(self._plan.length, self._sink.written)
        self.adjust()

    # -- workers ----------------------------------------------------------------

    def _take(self) -> Claim | None:
        # Whom our own limits hold back a rival makes no faster: it only takes of them.
        race = not any(intake.paused for intake in self.intakes)
        return self._plan.take(min(self._allowed, self.most), race=race)

    def _start(self, claim: Claim, source: Source, first: Opening | None) -> None:
        worker = ensureDeferred(self._work(claim, source, first))
        self._workers.add(worker)
        worker.addBoth(self._ended, worker)

    def _ended(self, outcome: Failure | None, worker: Deferred[None]) -> None:
        self._workers.discard(worker)
        if self._closed:
            return
        if self._plan.done and not self._sink.held:
            self._conclude()
        elif outcome is not None:
            self._close(outcome)
        elif not self._workers:
            self._go_on_or_end()

    def _go_on_or_end(self) -> None:
        self.adjust()
        if not self._workers and not self._sources.proving:
            self._close(Failure(self._last_fault or Unjoinable("one stream at a time")))

    def _conclude(self) -> None:
        """Every octet has come; pieces that are still to be checked may prove bad."""
        if self._checked is None:
            self._close(None)
        elif not self._checking:
            self._checking = True
            self._check = ensureDeferred(self._until_checked(self._checked))
            self._check.addErrback(self._close)

    async def _until_checked(self, checked: Callable[[], Awaitable[None]]) -> None:
        await self._sink.drain()
        await checked()
        self._checking = False
        if self._plan.done:
            self._close(None)
        elif not self._workers:
            self._go_on_or_end()

    def _close(self, outcome: Failure | None) -> None:
        """End the swarm: whoever is still at work is called off."""
        if not self._closed:
            self._call_off()
            if not self._over.called:
                self._over.callback(outcome)

    def _call_off(self) -> None:
        self._closed = True
        self._sources.stop()
        for worker in [*self._workers, *filter(None, [self._check])]:
            worker.cancel()

    @staticmethod
    def _bearable(fault: OriginFault) -> bool:
        return not isinstance(fault, Changed | NoRanges | Unjoinable)

    async def _work(self, claim: Claim | None, source: Source, first: Opening | None) -> None:
        source.busy += 1
        try:
            while claim is not None:
                await self._settle(claim, source, first)
                first = None
                hosts = self._around.hosts
                unfit = hosts.crowded(source.served_by) or hosts.quiet(source.served_by)
                keeps_on = self.segmented and not unfit and source.aside is None
                keeps_on = keeps_on and not (self._closed or self._sources.shunned(source))
                claim = self._take() if keeps_on and self._has_room() else None
        finally:
            source.busy -= 1

    def _has_room(self) -> bool:
        return len(self._workers) <= min(self._allowed, self.most)

    async def _settle(self, claim: Claim, source: Source, first: Opening | None) -> None:
        """Fetch *claim*; a fault is borne where others go on."""
        self._fetching += 1
        failed: OriginFault | None = None
        try:
            await self._fetch(claim, source, first)
        except OriginFault as fault:
            failed = fault
        finally:
            self._fetching -= 1
            self._plan.release(claim)
        if failed is None:
            self._failures = 0
        else:
            await self._bear(failed, source)

    async def _bear(self, fault: OriginFault, source: Source) -> None:
        """Wait a while after *fault* where others go on; else let it end the attempt."""
        if self._closed:  # a cancelled request fails as a broken one does
            raise fault
        self._last_fault = fault
        self._failures += 1
        lasting = not self._around.retry.hopeful(fault) or not self._bearable(fault)
        if lasting and self._sources.put_aside(source, fault):
            return
        if not self._bearable(fault):
            raise fault
        if self._fetching == 0:
            if self._sources.put_aside(source, fault):
                return  # another address has the same octets, and may answer
            raise fault
        if lasting:
            self._around.hosts.overloaded(fault.url or source.url, None)
        delay = self._around.retry.delay(self._failures, self._around.random.random())
        await deferLater(self._around.clock, delay)

    async def _fetch(self, claim: Claim, source: Source, first: Opening | None) -> None:
        if first is not None and first.reply is not None:
            try:
                await self._take_in(claim, source, first.reply, first.piece)
            finally:
                first.let_go()
            return
        async with self._around.hosts.slot(source.url) as slot:
            if claim.left:  # else a rival was faster while we waited for the slot
                asked = claim.remainder
                answer = await self._edges.ask(slot, source, asked, self._plan.length)
                await self._take_in(claim, source, *answer)

    async def _take_in(
        self, claim: Claim, source: Source, reply: Reply, piece: ByteRange | None
    ) -> None:
        if piece is not None:
            self._plan.cut(claim, piece.stop)
        digest = promised_content(reply.answer)
        if digest is not None:
            self._plan.keep_whole()
        intake = Intake(
            claim,
            self._plan,
            self._sink,
            self._throttle,
            self._around.clock,
            url=source.url,
            served_by=reply.answer.url,
            promised=None if piece is None else len(piece),
            digest=digest,
            before=reply.before,
            share=self.most,
            vouched=self._vouched,
            framed=reply.answer.content_length is not None,
        )
        self.intakes.add(intake)
        if self.segmented:
            self._allowed = min(self.most, self._allowed * 2)
            self._around.clock.callLater(0, self.adjust)
        self._sources.delivers(source, claim)
        reply.deliver(intake)
        try:
            kept = await intake.kept()
        finally:
            self.intakes.discard(intake)
        self._settle_rival(claim)
        if not kept:
            self.lose(intake.span, surely=True)
            if source.bad > MOST_BAD:
                raise BadResponse("again octets without their Content-Digest", url=source.url)

    def lose(self, bad: ByteRange, *, surely: bool) -> None:
        """Octets that came are not what they should be; the sink knows it already.

        :param surely: whether everybody who had a part in them gets a mark.
        """
        self._plan.lose([bad])
        self._sources.blame(bad, surely=surely)
        self._sources.consider(self._plan.length, self._sink.written)
        self.adjust()

    def _settle_rival(self, claim: Claim) -> None:
        for intake in list(self.intakes):
            if intake.claim is claim.rival and intake.claim.left == 0:
                intake.settle()

    def _mirror_proved(self) -> None:
        """A mirror may join, or may not; another one may be next."""
        self._sources.consider(self._plan.length, self._sink.written)
        if self._workers or self._plan.done:
            self.adjust()
        else:
            self._go_on_or_end()
