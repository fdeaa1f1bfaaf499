"""Who delivered which octets, so that bad ones can be laid at the right door."""

from __future__ import annotations

from rangedaemon.client.source import Source
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.plan import Claim

MOST_BAD = 2
"""Deliveries of bad octets after which a source is put aside, where there is another."""


class Blame:
    """The deliveries of one attempt."""

    def __init__(self) -> None:
        self._deliveries: list[tuple[Claim, Source]] = []

    def note(self, claim: Claim, source: Source) -> None:
        """*source* is about to deliver the octets of *claim*."""
        self._deliveries.append((claim, source))

    def mark(self, bad: ByteRange, *, surely: bool) -> list[Source]:
        """Mark who delivered *bad*; who got a mark.

        :param surely: whether to mark all of several, of whom one may be innocent.
        """
        culprits = self._who(bad)
        if len(culprits) > 1 and not surely:
            return []
        for source in culprits:
            source.bad += 1
        return culprits

    def _who(self, bad: ByteRange) -> list[Source]:
        """Who delivered *bad* last, each once; nobody for octets of an earlier run."""
        left = IntervalSet([bad])
        culprits: list[Source] = []
        for claim, source in reversed(self._deliveries):
            delivered = ByteRange(claim.start, claim.position)
            if left & IntervalSet([delivered]):
                left = left.remove(delivered)
                if source not in culprits:
                    culprits.append(source)
        return culprits
