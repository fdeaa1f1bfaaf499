"""
One answer's body on its way to the part file.

Counts octets against the claim, whatever the transport says at the end; pauses
while the disk or a rate limit is behind; cuts the connection where the claim ends
before the answer does.  Pauses of our own never count as silence.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol as TypingProtocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone
from twisted.web.http import PotentialDataLoss

from rangedaemon.client.sink import Sink
from rangedaemon.client.throttle import Throttle
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.laggards import Pulse
from rangedaemon.core.plan import Claim, Plan
from rangedaemon.errors import BadResponse, OriginFault, Unreachable
from rangedaemon.storage.lanes import MOST, Hauled, Hauler, Store, hauler_of

MOST_PENDING = 2 * 1024 * 1024
"""Octets that the segments of a job may hold in memory together before they are paused."""
LEAST_PENDING = 256 * 1024
"""Octets that each segment may hold at any rate: one read of its socket."""
LONGEST_PAUSE = 1.0
"""Seconds after which a connection that a limit holds back looks whether it still does."""
SHORTEST_PAUSE = 0.001


class _Producer(TypingProtocol):
    def pauseProducing(self) -> None: ...
    def resumeProducing(self) -> None: ...
    def stopProducing(self) -> None: ...


class Intake(Protocol):
    """Receives the octets of one claim."""

    received = 0
    doubted = False
    """Whether it was silent for too long when it was last looked at."""
    _measured = 0
    _due = 0.0
    _full = _held = _was_held = False
    _wait: IDelayedCall | None = None
    _hauler: Hauler | None = None
    _haul_ends: Deferred[None] | None = None

    def __init__(
        self,
        claim: Claim,
        plan: Plan,
        sink: Sink,
        throttle: Throttle,
        clock: IReactorTime,
        *,
        url: str,
        promised: int | None,
        digest: str | None = None,
        before: bytes = b"",
        share: int = 1,
        framed: bool = False,
        vouched: bool = False,
        served_by: str | None = None,
    ) -> None:
        """
        :param promised: octets that the answer's head promises; None: it does not say.
        :param digest: what the head promises of the body's octets.
        :param before: those of them that somebody else has taken.
        :param share: how many segments divide the memory for octets that wait.
        :param framed: whether Content-Length alone frames the body.
        :param vouched: whether a digest will tell if a body that ended with its
            connection is whole.
        :param served_by: the address that answered, where that is another than *url*.
        """
        self.claim = claim
        self.url = url
        self.served_by = url if served_by is None else served_by
        self.heard_at = clock.seconds()
        """When the last octet came, or our own last pause ended."""
        self.done: Deferred[None] = Deferred(lambda _: self._stop())
        self._plan = plan
        self._promised = promised
        self._throttle = throttle
        self._clock = clock
        self._begin = claim.position
        self._writer = sink.writer(claim.position, self._drained, digest, before)
        self._most_pending = max(LEAST_PENDING, MOST_PENDING // share)
        self._ends = (ResponseDone, PotentialDataLoss) if vouched else (ResponseDone,)
        self._haulable = framed and digest is None
        self._begun = clock.seconds()

    @property
    def span(self) -> ByteRange:
        """The octets that it received."""
        return ByteRange(self._begin, self._begin + self.received)

    async def kept(self) -> bool:
        """When the body has ended: whether its octets may stay.

        Only a body that came as a whole can be compared with what its head promised.
        """
        try:
            await self.done
            return self._promised != self.received or await self._writer.judged()
        finally:
            if self._haul_ends is not None:
                await self._haul_ends  # its octets must not come after somebody else's
            self._writer.let_pass()

    @property
    def paused(self) -> bool:
        """Whether we ourselves hold it back at the moment."""
        return self._full or self._wait is not None

    def pulse(self) -> Pulse:
        """How it does, compared with the others."""
        return Pulse(
            age=self._clock.seconds() - self._begun,
            rate=self.claim.rate,
            left=self.claim.left,
            held_back=self._was_held,
        )

    def measure(self, seconds: float) -> None:
        """Tell the claim its rate: octets since the last call over *seconds*, smoothed."""
        rate = (self.received - self._measured) / seconds
        self._measured = self.received
        self._was_held, self._held = self._held or self.paused, False
        self.claim.rate = rate if self.claim.rate == 0 else 0.5 * self.claim.rate + 0.5 * rate

    def connectionMade(self) -> None:
        """The body is about to come; nobody may want it any more."""
        if self.claim.left == 0:
            self.settle()
        elif self._haulable:
            self._hauler = hauler_of(self.transport)
            if self._hauler is not None:
                self._hauler.serve(self)

    def wanted(self) -> int:
        """How many octets may be hauled now."""
        if self.done.called or self._promised is None:
            return 0
        return min(
            self.claim.left, self._promised - self.received, self._throttle.step(self.served_by)
        )

    async def haul(
        self, move: Callable[[Store, int], int], deliver: Callable[[Hauled], None]
    ) -> None:
        """Let a lane put octets of the body into the file."""
        self._haul_ends = Deferred()
        self.claim.ahead = min(self.wanted(), MOST)
        try:
            await self._writer.haul(move, lambda count: self._hauled(Hauled(count), deliver))
        finally:
            self.claim.ahead = 0
            ends, self._haul_ends = self._haul_ends, None
            ends.callback(None)

    def _hauled(self, octets: Hauled, deliver: Callable[[Hauled], None]) -> None:
        if self.done.called:
            self._keep(octets)  # the connection is gone already; the octets are not
        else:
            deliver(octets)

    def dataReceived(self, data: bytes | Hauled) -> None:
        """Take octets: count, keep what the claim holds, hand on."""
        if self.done.called:
            return
        self.heard_at = self._clock.seconds()
        kept = self._keep(data)
        if self.claim.left == 0:
            self._finish_early(len(data) - kept)
        else:
            self._hold_back(kept)

    def _keep(self, data: bytes | Hauled) -> int:
        """Count octets that came; how many of them the claim holds."""
        kept = self._plan.advance(self.claim, len(data))
        self.received += kept
        if isinstance(data, Hauled):
            self._writer.skip(kept)
        elif kept:
            self._writer.push(data if kept == len(data) else data[:kept])
        return kept

    def _finish_early(self, surplus: int) -> None:
        """The claim is whole; where the answer is not, its rest is not wanted."""
        if surplus or self._promised != self.received:
            self._stop()
            self._succeed()

    def _hold_back(self, count: int) -> None:
        delay = self._throttle.take(count, self.served_by)
        if self._writer.pending > self._most_pending:
            self._full = True
        if delay > 0 and self._wait is None:
            self._wait_for(delay)
        if self.paused:
            self._held = True
            self._producer.pauseProducing()

    def _drained(self) -> None:
        if self._full and self._writer.pending <= self._most_pending // 2:
            self._full = False
            self._resume()

    def _wait_for(self, seconds: float) -> None:
        self._due = self._clock.seconds() + seconds
        self._wait = self._clock.callLater(min(seconds, LONGEST_PAUSE), self._waited)

    def _waited(self) -> None:
        self._wait = None
        rest = self._due - self._clock.seconds()
        if rest > SHORTEST_PAUSE:  # the limit may be another one by now
            rest = min(rest, self._throttle.take(0, self.served_by))
        if rest > SHORTEST_PAUSE:
            self._wait_for(rest)
        else:
            self._resume()

    def _resume(self) -> None:
        if not self.paused and not self.done.called:
            self.heard_at = self._clock.seconds()
            self._producer.resumeProducing()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The body has ended, rightly or not."""
        if self._plan.length is None and isinstance(reason.value, self._ends):
            self._plan.end_at(self.claim.position)
        if self.claim.left == 0:
            self._succeed()
        else:
            self.give_up(self._fault_of(reason))

    def _fault_of(self, reason: Failure) -> OriginFault:
        if self._promised is None and isinstance(reason.value, PotentialDataLoss):
            return BadResponse(
                "the body has no length and ended with the connection: nobody can tell"
                " whether it is whole",
                url=self.url,
            )
        return Unreachable(f"the connection ended {self.claim.left} octets early", url=self.url)

    def give_up(self, fault: OriginFault) -> None:
        """End it with *fault*; what came so far stays."""
        if not self.done.called:
            self._stop()
            self.done.errback(fault)

    def settle(self) -> None:
        """Somebody else fetched the rest of the claim: end it well."""
        if not self.done.called:
            self._stop()
            self._succeed()

    def _succeed(self) -> None:
        if not self.done.called:
            self._cancel_wait()
            self.done.callback(None)

    def _cancel_wait(self) -> None:
        if self._hauler is not None:
            self._hauler.serve(None)
        if self._wait is not None:
            self._wait.cancel()
            self._wait = None

    def _stop(self) -> None:
        self._cancel_wait()
        if self.transport is not None:
            self._producer.stopProducing()

    @property
    def _producer(self) -> _Producer:
        return self.transport  # type: ignore[return-value]
