"""
Which octets of a local file go next, and over how many connections.

Pure.  A *part* is one upload at the server.  In an ordered part octets go one behind
the other, so one connection at a time serves it; in others any connection may take
any octets that are missing.  A *piece* is what one request carries: about a
second's worth, so that the server acknowledges often and a cut loses little.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from rangedaemon.core.intervals import ByteRange, IntervalSet

PIECE_SECONDS = 1.0
"""How long a piece should take: about what a cut may cost."""
FIRST_PIECE = 1024 * 1024
SMALLEST_PIECE = 256 * 1024
LARGEST_PIECE = 256 * 1024 * 1024
SMALLEST_PART = 8 * 1024 * 1024
"""Octets below which a file is not pushed in parts: each costs requests of its own."""


def piece_size(rate: float | None, limit: int | None = None) -> int:
    """Octets for the next request of a connection that made *rate* octets per second.

    :param rate: None: nothing is known yet.
    :param limit: what the server takes in one request.
    """
    wanted = FIRST_PIECE if rate is None else round(rate * PIECE_SECONDS)
    size = max(SMALLEST_PIECE, min(LARGEST_PIECE, wanted))
    return size if limit is None else max(1, min(size, limit))


def parted(size: int, most: int) -> list[ByteRange]:
    """A file of *size* octets in at most *most* parts of about one length."""
    count = max(1, min(most, size // SMALLEST_PART))
    edges = [size * at // count for at in range(count + 1)]
    return [ByteRange(a, b) for a, b in pairwise(edges)]


class PushPlan:
    """The octets that the server lacks, and which of them are on their way."""

    def __init__(self, parts: Sequence[ByteRange], there: IntervalSet, *, ordered: bool) -> None:
        """:param there: octets that the server has acknowledged."""
        self.there = there
        self._parts = tuple(parts)
        self._ordered = ordered
        self._away: list[ByteRange] = []

    @property
    def done(self) -> bool:
        """Whether the server has every octet."""
        return all(self.there.covers(part) for part in self._parts)

    def take(self, most: int, hands: int = 1) -> tuple[int, ByteRange] | None:
        """The next piece and the number of its part; None: nothing is left for a free hand.

        :param most: octets, at most.
        :param hands: among how many what is left is shared out, where there is no order.
        """
        if not self._ordered:
            most = min(most, max(SMALLEST_PIECE, -(-self._left // hands)))
        for number, part in enumerate(self._parts):
            away = [piece for piece in self._away if piece.clamp(part)]
            if self._ordered and away:
                continue
            hole = next(iter(self.there.gaps(part) - IntervalSet(away)), None)
            if hole is not None:
                piece = ByteRange(hole.start, min(hole.stop, hole.start + most))
                self._away.append(piece)
                return number, piece
        return None

    @property
    def _left(self) -> int:
        """Octets that are missing and not on their way."""
        return (IntervalSet(self._parts) - self.there - IntervalSet(self._away)).total

    def back(self, piece: ByteRange) -> None:
        """*piece* is not on its way any more, however that ended."""
        self._away.remove(piece)

    def has(self, number: int, there: IntervalSet) -> int:
        """The server has *there* of a part, and nothing else; how many octets that took back."""
        part = self._parts[number]
        before = self.there & IntervalSet([part])
        now = there & IntervalSet([part])
        self.there = (self.there - before) | now
        return (before - now).total
