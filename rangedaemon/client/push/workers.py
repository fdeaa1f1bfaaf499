"""
The connections that push one file: each takes a piece, sends it, notes what was acknowledged.

Where one fails the others end the pieces that they are at, and no more are begun: what
went wrong is for the job's story to judge.  A server that disagrees about its offset is
asked for it, and the pushing goes on from there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from twisted.internet.defer import Deferred, FirstError, ensureDeferred, gatherResults
from twisted.internet.interfaces import IReactorTime

from rangedaemon.client.push.body import Body, Pace
from rangedaemon.client.push.outgoing import Outgoing
from rangedaemon.client.push.protocol import Uploading
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.plan import Claim
from rangedaemon.core.push.plan import PushPlan, piece_size
from rangedaemon.core.push.values import Part
from rangedaemon.errors import Fault, OffsetConflict, UploadGone

MOST_CONFLICTS = 3
"""How often in a row a server may disagree without taking an octet."""


@dataclass(slots=True)
class Counted:
    """What pushing adds up to."""

    sent: int = 0
    """Octets that connections took."""
    unsure: int = 0
    """Those of them of which nobody knows whether they arrived."""
    lost: int = 0
    """Octets that had been acknowledged, and that the server has no longer."""


class Workers:
    """The connections of one attempt."""

    def __init__(
        self,
        uploading: Uploading,
        parts: Sequence[Part],
        there: IntervalSet,
        file: Outgoing,
        pace: Pace,
        clock: IReactorTime,
        counted: Counted,
    ) -> None:
        """
        :param there: octets that the server has acknowledged.
        :param counted: where it is added up.
        """
        self._counted = counted
        spans = [ByteRange(part.start, part.stop) for part in parts]
        self.plan = PushPlan(spans, there, ordered=uploading.ordered)
        self._uploading = uploading
        self._parts = parts
        self._file = file
        self._pace = pace
        self._clock = clock
        self._bodies: list[Body] = []
        self._hands = 1
        self._fault: Fault | None = None

    @property
    def connections(self) -> int:
        """How many pieces are on their way."""
        return len(self._bodies)

    def claims(self) -> list[Claim]:
        """The pieces on their way, and how far each is."""
        claims = []
        for body in self._bodies:
            claim = Claim(body.piece.start, body.piece.stop)
            claim.position += body.sent
            claims.append(claim)
        return claims

    def fail(self, fault: Fault) -> None:
        """Begin no more pieces; *fault* is why."""
        self._fault = self._fault or fault

    async def run(self, most: int) -> None:
        """Push until the server has every octet.

        :param most: how many pieces may be on their way at once.
        :raises Fault: it cannot go on; `plan` knows what was acknowledged.
        """
        self._hands = max(1, most)
        workers = [ensureDeferred(self._work()) for _ in range(self._hands)]
        try:
            await _all(workers)
        except FirstError as first:
            first.subFailure.raiseException()
        if self._fault is not None:
            raise self._fault

    async def _work(self) -> None:
        rate: float | None = None
        conflicts = 0
        while self._fault is None:
            taken = self.plan.take(piece_size(rate, self._uploading.most), self._hands)
            if taken is None:
                return
            number, piece = taken
            began, before = self._clock.seconds(), self.plan.there.total
            try:
                await self._push(number, piece)
            except OffsetConflict as fault:
                conflicts = 0 if self.plan.there.total > before else conflicts + 1
                if conflicts >= MOST_CONFLICTS:
                    self.fail(fault)
            except Fault as fault:
                self.fail(fault)
            else:
                rate = len(piece) / max(self._clock.seconds() - began, 0.001)

    async def _push(self, number: int, piece: ByteRange) -> None:
        """Send one piece; note what the server says that it has then."""
        part = self._parts[number]
        body = Body(piece, self._file.read, self._pace, self._clock)
        body.on_sent = self._count
        self._bodies.append(body)
        arrived = False
        try:
            await self._file.insist_on_same()
            self._note(number, await self._uploading.send(part, piece, body))
            arrived = True
        except OffsetConflict:
            there = await self._uploading.there(part)
            if there is None:
                raise UploadGone("the server has other octets, and cannot be asked") from None
            self._note(number, there)
            raise
        finally:
            self._bodies.remove(body)
            self.plan.back(piece)
            self._counted.unsure += 0 if arrived else body.sent

    def _count(self, count: int) -> None:
        self._counted.sent += count

    def _note(self, number: int, there: IntervalSet) -> None:
        if not self._uploading.ordered:
            there = there | self.plan.there  # it speaks of what it got, not of all
        self._counted.lost += self.plan.has(number, there)


def _all(workers: Sequence[Deferred[None]]) -> Deferred[list[None]]:
    """Fires when every one has ended; cancelling it cancels them."""
    return gatherResults(workers, consumeErrors=True)
