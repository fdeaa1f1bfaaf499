"""
Several connections at one representation, until every octet has come.

Workers share a plan.  Their number starts at one and doubles on each good answer
up to what the job may have; a host that is overloaded halves it.  Each answer is
judged and its validator compared before an octet of it is kept.  A fault of one
worker is borne while others go on; of the last one it is the attempt's.
"""

from __future__ import annotations

from dataclasses import replace

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

from rangedaemon.client.intake import Intake
from rangedaemon.client.origin import Reply, Request
from rangedaemon.client.sink import Sink
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.client.throttle import Throttle
from rangedaemon.core.acceptance import Answer, Partial, Unsatisfiable, Whole, judge
from rangedaemon.core.conditions import condition
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.plan import Claim, Plan
from rangedaemon.core.validators import Judgement, Verdict, compare
from rangedaemon.errors import (
    Changed,
    Fault,
    NoRanges,
    OriginFault,
    Throttled,
    TimedOut,
    Unjoinable,
)


class Swarm:
    """The workers of one attempt."""

    def __init__(
        self,
        around: Surroundings,
        request: Request,
        identity: Remembered,
        plan: Plan,
        sink: Sink,
        throttle: Throttle,
        *,
        most: int,
        segmented: bool,
        vouched: bool,
    ) -> None:
        """
        :param request: the address and fields; range and condition are ours.
        :param most: connections at the most; may change while it runs.
        :param segmented: whether further ranges may be asked for.
        :param vouched: a digest will prove the whole, so *cannot tell* may pass.
        """
        self.most = most
        self.segmented = segmented
        self.intakes: set[Intake] = set()
        self._around = around
        self._request = request
        self._identity = identity
        self._plan = plan
        self._sink = sink
        self._throttle = throttle
        self._vouched = vouched
        self._allowed = 1
        self._workers: set[Deferred[None]] = set()
        self._failures = 0
        self._over: Deferred[Failure | None] = Deferred(lambda _: self._called_off())
        self._closed = False
        self._last_fault: Fault | None = None

    @property
    def connections(self) -> int:
        """How many bodies are under way."""
        return len(self.intakes)

    async def run(self, reply: Reply, claim: Claim, piece: ByteRange | None) -> None:
        """Fetch everything that the plan misses, beginning with *reply*'s body.

        :param claim: what *reply* was asked for.
        :param piece: the octets that *reply* brings; None: all of unknown length.
        :raises Fault: it cannot go on.
        """
        self._start(claim, reply, piece)
        await self._over
        await self._sink.drain()

    def stop(self, fault: Fault) -> None:
        """End everything with *fault*."""
        self._close(Failure(fault))

    def adjust(self) -> None:
        """Start workers where there is room for more."""
        room = min(self._allowed, self.most) - len(self._workers)
        while room > 0 and not self._closed and self._around.hosts.free(self._request.url):
            claim = self._plan.take(min(self._allowed, self.most))
            if claim is None:
                return
            self._start(claim, None, None)
            room -= 1

    def tick(self, seconds: float) -> None:
        """Measure each connection over the last *seconds*; give up the silent ones."""
        for intake in self.intakes:
            intake.measure(seconds)
        self._give_up_silent()
        self.adjust()

    def _give_up_silent(self) -> None:
        now, limit = self._around.clock.seconds(), self._around.stall_timeout
        for intake in list(self.intakes):
            if not intake.paused and now - intake.heard_at > limit:
                intake.give_up(TimedOut(f"no octet for {limit:g} s", url=intake.url))

    def _start(self, claim: Claim, reply: Reply | None, piece: ByteRange | None) -> None:
        worker = ensureDeferred(self._work(claim, reply, piece))
        self._workers.add(worker)
        worker.addBoth(self._ended, worker)

    def _ended(self, outcome: Failure | None, worker: Deferred[None]) -> None:
        self._workers.discard(worker)
        if self._closed:
            return
        if self._plan.done:
            self._close(None)
        elif outcome is not None and not self._bearable(outcome.value):
            self._close(outcome)
        elif not self._workers:
            why = self._last_fault or TimedOut("every connection was given up")
            self._close(Failure(why))

    def _close(self, outcome: Failure | None) -> None:
        """End the swarm: whoever is still at work is called off."""
        if self._closed:
            return
        self._closed = True
        self._cancel_all()
        if not self._over.called:
            self._over.callback(outcome)

    def _bearable(self, error: BaseException | None) -> bool:
        return isinstance(error, OriginFault) and not self._fatal(error)

    @staticmethod
    def _fatal(fault: OriginFault) -> bool:
        return isinstance(fault, Changed | NoRanges | Unjoinable)

    def _called_off(self) -> None:
        self._closed = True
        self._cancel_all()

    def _cancel_all(self) -> None:
        for worker in list(self._workers):
            worker.cancel()

    async def _work(
        self, claim: Claim | None, reply: Reply | None, piece: ByteRange | None
    ) -> None:
        while claim is not None:
            try:
                await self._fetch(claim, reply, piece)
            except OriginFault as fault:
                self._plan.release(claim)
                await self._bear(fault)
            except BaseException:
                self._plan.release(claim)
                raise
            else:
                self._plan.release(claim)
                self._failures = 0
            reply = piece = None
            claim = self._next_claim()

    def _next_claim(self) -> Claim | None:
        if len(self._workers) > min(self._allowed, self.most):
            return None
        return self._plan.take(min(self._allowed, self.most))

    async def _bear(self, fault: OriginFault) -> None:
        """Wait a while after *fault* where others go on; else let it end the attempt."""
        self._last_fault = fault
        self._failures += 1
        if isinstance(fault, Throttled):
            self._allowed = max(1, self._allowed // 2)
            if fault.retry_after:
                self._around.hosts.quiet(fault.url or self._request.url, fault.retry_after)
        if self._fatal(fault) or len(self._workers) <= 1 or not self.intakes:
            raise fault
        delay = self._around.retry.delay(self._failures, self._around.random.random())
        await deferLater(self._around.clock, delay)

    async def _fetch(self, claim: Claim, reply: Reply | None, piece: ByteRange | None) -> None:
        async with self._around.hosts.slot(self._request.url):
            if reply is None:
                if claim.left == 0:  # a rival was faster while we waited for a slot
                    return
                reply, piece = await self._ask(claim)
            await self._take_in(claim, reply, piece)

    async def _ask(self, claim: Claim) -> tuple[Reply, ByteRange]:
        asked = claim.remainder
        reply = await self._around.origin.get(
            replace(self._request, range=asked, if_range=self._condition())
        )
        try:
            return reply, self._judge(reply.answer, asked)
        except Fault:
            reply.drop()
            raise

    def _judge(self, answer: Answer, asked: ByteRange) -> ByteRange:
        length = self._plan.length
        accepted = judge(answer, asked, length, now=self._around.wall())
        if not isinstance(accepted, Partial):
            raise self._without_range(answer, accepted)
        judgement = compare(self._identity, self._around.remembered_of(answer, accepted.length))
        self._insist(judgement, answer)
        return accepted.range

    def _without_range(self, answer: Answer, accepted: Whole | Unsatisfiable) -> OriginFault:
        """What it means that a range was asked for and none came."""
        judgement = compare(self._identity, self._around.remembered_of(answer, accepted.length))
        if judgement.verdict is Verdict.CHANGED:
            return Changed(judgement.reason, url=answer.url)
        if self._condition() is not None:
            self._around.hosts.traits(self._request.url).rung += 1
            return Unjoinable("the host does not honour this If-Range", url=answer.url)
        return NoRanges(f"{answer.status} in answer to a range", url=answer.url)

    def _insist(self, judgement: Judgement, answer: Answer) -> None:
        """:raises Changed, Unjoinable: the octets must not be joined to the others."""
        if judgement.verdict is Verdict.CHANGED:
            raise Changed(judgement.reason, url=answer.url)
        if judgement.verdict is Verdict.CANNOT_TELL and not self._vouched:
            if answer.etag is not None and answer.etag != self._identity.etag:
                self._around.hosts.traits(answer.url).volatile_tags = True
            raise Unjoinable(judgement.reason, url=answer.url)

    def _condition(self) -> str | None:
        return condition(self._identity, self._around.hosts.traits(self._request.url).rung)

    async def _take_in(self, claim: Claim, reply: Reply, piece: ByteRange | None) -> None:
        if piece is not None:
            self._plan.cut(claim, piece.stop)
        intake = Intake(
            claim,
            self._plan,
            self._sink,
            self._throttle,
            self._around.clock,
            url=reply.answer.url,
            promised=None if piece is None else len(piece),
        )
        self.intakes.add(intake)
        self._allowed = min(self.most, self._allowed * 2) if reply.answer.status == 206 else 1
        reply.deliver(intake)
        self._around.clock.callLater(0, self.adjust)
        try:
            await intake.done
        finally:
            self.intakes.discard(intake)
        self._settle_rival(claim)

    def _settle_rival(self, claim: Claim) -> None:
        for intake in list(self.intakes):
            if intake.claim is claim.rival and intake.claim.left == 0:
                intake.settle()
