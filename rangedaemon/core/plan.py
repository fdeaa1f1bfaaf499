"""
Which octets come next: the missing intervals of one representation, and who holds which.

Knows no clock and no socket.  A free connection claims a piece of the first hole:
big pieces first, smaller ones towards the end (guided self-scheduling), so that
requests end where their answers end.  Where no hole is left it takes over the
back part of the claim that would take longest, and in the very tail it races the
holder for the same octets.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rangedaemon.core.intervals import ByteRange, IntervalSet

OPEN_END = 1 << 62
"""Where a representation of unknown length is taken to end, until it has ended."""

NEAR_OCTETS = 512 * 1024
"""A connection that is this close to an octet is let come to it."""

SMALLEST_THEFT = 256 * 1024
"""Octets; a remainder under twice this is raced for instead of split."""

MOST_JUDGED = 16 * 1024 * 1024
"""Octets of a claim at the most where each answer is judged as a whole: a bad one costs no more."""


@dataclass(eq=False, slots=True)
class Claim:
    """The octets ``[position, stop)`` that one connection is to fetch."""

    start: int
    stop: int
    position: int = field(init=False)
    """The next octet that will arrive."""
    ahead: int = 0
    """Octets from `position` on that may be on their way to the disk, not counted yet."""
    rate: float = 0.0
    """Octets per second, as the connection's owner measured; 0: not yet known."""
    rival: Claim | None = None
    """Who fetches the same octets at the same time."""

    def __post_init__(self) -> None:
        self.position = self.start

    @property
    def left(self) -> int:
        """Octets still to come."""
        return max(0, self.stop - self.position)

    @property
    def free(self) -> int:
        """Octets still to come that nothing is under way for."""
        return max(0, self.left - self.ahead)

    @property
    def remainder(self) -> ByteRange:
        """The octets still to come."""
        return ByteRange(self.position, max(self.position, self.stop))

    def seconds_left(self, fallback_rate: float) -> float:
        """Seconds to its end at its own rate, or at *fallback_rate* where unknown."""
        return self.left / max(self.rate or fallback_rate, 1.0)


def _needs_help(claim: Claim) -> bool:
    """Whether much of it is free, or all of it and nothing is on its way."""
    return claim.free >= 2 * SMALLEST_THEFT or (claim.left > 0 and claim.ahead == 0)


class Plan:
    """The holes of one representation and the claims on it."""

    def __init__(self, length: int | None, covered: IntervalSet, *, smallest: int) -> None:
        """Plan the octets ``[0, length)`` that are not in *covered*.

        :param length: None where only the end of the body will tell.
        :param smallest: octets; no hole is cut into claims below this.
        """
        self.length = length
        self.holes = covered.gaps(ByteRange(0, OPEN_END if length is None else length))
        self._came = covered
        self.claims: list[Claim] = []
        self._smallest = max(1, smallest)
        self._focus = 0
        self._divisible = True

    @property
    def left(self) -> int:
        """Octets that have not come yet."""
        return (OPEN_END if self.length is None else self.length) - self._came.total

    @property
    def done(self) -> bool:
        """Whether every octet has come."""
        return self.left == 0

    def keep_whole(self) -> None:
        """Answers tell a digest of their own octets, which only the whole of one can be held to.

        From now on claims are small, and none is divided, raced for or cut for a reader.
        """
        self._divisible = False

    def end_at(self, length: int) -> None:
        """The representation of unknown length has ended: it has *length* octets."""
        self.length = length
        self.holes = IntervalSet()
        for claim in self.claims:
            claim.stop = min(claim.stop, length)

    def focus(self, offset: int) -> bool:
        """Serve holes at and after *offset* first: somebody waits for them.

        A claim that would reach the offset only much later is cut there.

        :returns: whether the octet at *offset* is a hole now, so that a worker must come.
        """
        self._focus = max(0, offset)
        for claim in self.claims:
            far = claim.position + claim.ahead + NEAR_OCTETS < offset < claim.stop
            if far and claim.rival is None and self._divisible:
                self.cut(claim, offset)
        return self.holes.covers(ByteRange(offset, offset + 1))

    def open_with(self, piece: ByteRange | None) -> Claim:
        """The claim of the first answer, which brings *piece* (None: everything)."""
        if piece is None:
            return self.take_all()
        self.holes = self.holes.remove(piece)
        return self._hold(Claim(piece.start, piece.stop))

    def take_all(self) -> Claim:
        """One claim over the whole representation, what is covered included."""
        self.holes = IntervalSet()
        return self._hold(Claim(0, OPEN_END if self.length is None else self.length))

    def take(self, connections: int, *, race: bool = True) -> Claim | None:
        """The next claim for a free connection, None where nothing is left to help with.

        :param connections: how many connections share the work.
        :param race: whether the last octets may be fetched twice, to have them sooner.
        """
        if self.holes:
            return self._from_hole(max(1, connections))
        victim = self._slowest()
        if victim is None or not self._divisible:
            return None
        if victim.free >= 2 * SMALLEST_THEFT:
            return self._steal(victim)
        return self._race(victim) if race else None

    def advance(self, claim: Claim, count: int) -> int:
        """Count *count* arrived octets; how many of them belong to the claim."""
        kept = min(count, claim.left)
        self._came = self._came.add(ByteRange(claim.position, claim.position + kept))
        claim.position += kept
        rival = claim.rival
        if rival is not None and claim.left == 0 and rival.stop <= claim.stop:
            rival.stop = rival.position  # all that it still held has come
        return kept

    def cut(self, claim: Claim, stop: int) -> None:
        """The answer ends at *stop*: what the claim held behind it is a hole again."""
        if stop < claim.stop:
            self._give_back(ByteRange(max(stop, claim.position), claim.stop), claim)
            claim.stop = max(stop, claim.position)

    def release(self, claim: Claim) -> None:
        """Its connection is gone: what it did not receive is a hole again."""
        self.claims.remove(claim)
        if claim.left:
            self._give_back(claim.remainder, claim)
        if claim.rival is not None:
            claim.rival.rival = None

    def lose(self, lost: Iterable[ByteRange]) -> None:
        """Octets that had come proved bad: they are holes again."""
        bad = IntervalSet(lost)
        self._came -= bad
        self.holes |= self._unclaimed(bad, None)

    def _give_back(self, piece: ByteRange, holder: Claim) -> None:
        self.holes |= self._unclaimed(IntervalSet([piece]), holder)

    def _unclaimed(self, octets: IntervalSet, holder: Claim | None) -> IntervalSet:
        """Those of *octets* that have not come and that nobody but *holder* fetches."""
        for claim in self.claims:
            if claim is not holder:
                octets = octets.remove(claim.remainder)
        return octets - self._came

    def _from_hole(self, connections: int) -> Claim:
        hole = next((h for h in self.holes if h.stop > self._focus), next(iter(self.holes)))
        start = self._focus if hole.start < self._focus < hole.stop else hole.start
        size = max(self._smallest, self.left // (2 * connections))
        if not self._divisible:
            size = min(size, MOST_JUDGED)
        stop = hole.stop if self.length is None else min(hole.stop, start + size)
        if hole.stop - stop < self._smallest // 2:
            stop = hole.stop
        self.holes = self.holes.remove(ByteRange(start, stop))
        return self._hold(Claim(start, stop))

    def _hold(self, claim: Claim) -> Claim:
        self.claims.append(claim)
        return claim

    def _slowest(self) -> Claim | None:
        """The claim that would end last and that nobody races for yet."""
        mean = self._mean_rate()
        open_claims = [c for c in self.claims if c.rival is None and _needs_help(c)]
        return max(open_claims, key=lambda c: c.seconds_left(mean), default=None)

    def _mean_rate(self) -> float:
        known = [claim.rate for claim in self.claims if claim.rate > 0]
        return sum(known) / len(known) if known else 1.0

    def _steal(self, victim: Claim) -> Claim:
        mean = self._mean_rate()
        own = victim.rate or mean
        kept = int(victim.left * own / (own + mean))
        kept = min(max(kept, victim.ahead + SMALLEST_THEFT), victim.left - SMALLEST_THEFT)
        middle = victim.position + kept
        claim = Claim(middle, victim.stop)
        victim.stop = middle
        return self._hold(claim)

    def _race(self, victim: Claim) -> Claim:
        claim = Claim(victim.position, victim.stop)
        claim.rival, victim.rival = victim, claim
        return self._hold(claim)
