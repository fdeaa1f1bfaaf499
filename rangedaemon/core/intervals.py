"""
Byte ranges and sets of them: the arithmetic that every other module stands on.

Offsets and lengths are counts of octets from the start of a representation;
intervals are half-open, ``[start, stop)``.  The inclusive form of the wire lives
in `rangedaemon.core.ranges`.  Pure, immutable, standard library only.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, order=True)
class ByteRange:
    """The octets from *start* up to, not including, *stop*."""

    start: int
    stop: int

    def __post_init__(self) -> None:
        if not 0 <= self.start <= self.stop:
            raise ValueError(f"not a byte range: [{self.start}, {self.stop})")

    def __len__(self) -> int:
        return self.stop - self.start

    def __bool__(self) -> bool:
        return self.stop > self.start

    def clamp(self, within: ByteRange) -> ByteRange:
        """The part of this range that lies in *within*; empty where there is none."""
        start = min(max(self.start, within.start), within.stop)
        return ByteRange(start, max(start, min(self.stop, within.stop)))


class IntervalSet:
    """
    An immutable set of octet positions, kept as sorted, disjoint, non-touching ranges.

    ``a | b``, ``a - b``, ``a & b`` are the set operations; ``len(list(s))`` is the
    number of ranges, ``s.total`` the number of octets.
    """

    __slots__ = ("_starts", "_stops")

    def __init__(self, ranges: Iterable[ByteRange] = ()) -> None:
        starts: list[int] = []
        stops: list[int] = []
        for piece in sorted(r for r in ranges if r):
            if stops and piece.start <= stops[-1]:
                stops[-1] = max(stops[-1], piece.stop)
            else:
                starts.append(piece.start)
                stops.append(piece.stop)
        self._starts = starts
        self._stops = stops

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[int, int]]) -> IntervalSet:
        """From ``(start, stop)`` pairs, as the journal keeps them.

        :raises ValueError: a pair that is not a range.
        """
        return cls(ByteRange(start, stop) for start, stop in pairs)

    def to_pairs(self) -> list[tuple[int, int]]:
        """``(start, stop)`` pairs in ascending order."""
        return list(zip(self._starts, self._stops, strict=True))

    @property
    def total(self) -> int:
        """How many octets the set holds."""
        return sum(self._stops) - sum(self._starts)

    def __iter__(self) -> Iterator[ByteRange]:
        return map(ByteRange, self._starts, self._stops)

    def __bool__(self) -> bool:
        return bool(self._starts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, IntervalSet):
            return NotImplemented
        return self._starts == other._starts and self._stops == other._stops

    def __hash__(self) -> int:
        return hash((tuple(self._starts), tuple(self._stops)))

    def __repr__(self) -> str:
        inner = ", ".join(f"[{a}, {b})" for a, b in self.to_pairs())
        return f"<IntervalSet {inner or 'empty'}>"

    def covers(self, piece: ByteRange) -> bool:
        """Whether every octet of *piece* is in the set (an empty piece always is)."""
        if not piece:
            return True
        at = bisect_right(self._starts, piece.start) - 1
        return at >= 0 and piece.stop <= self._stops[at]

    def add(self, piece: ByteRange) -> IntervalSet:
        """The set with *piece* in it; O(log n) to find its place."""
        if not piece:
            return self
        low = bisect_left(self._stops, piece.start)
        high = bisect_right(self._starts, piece.stop)
        start, stop = piece.start, piece.stop
        if low < high:
            start = min(start, self._starts[low])
            stop = max(stop, self._stops[high - 1])
        return self._spliced(low, high, [start], [stop])

    def remove(self, piece: ByteRange) -> IntervalSet:
        """The set without the octets of *piece*."""
        if not piece:
            return self
        low = bisect_right(self._stops, piece.start)
        high = bisect_left(self._starts, piece.stop)
        if low >= high:
            return self
        starts: list[int] = []
        stops: list[int] = []
        if self._starts[low] < piece.start:
            starts.append(self._starts[low])
            stops.append(piece.start)
        if self._stops[high - 1] > piece.stop:
            starts.append(piece.stop)
            stops.append(self._stops[high - 1])
        return self._spliced(low, high, starts, stops)

    def _spliced(self, low: int, high: int, starts: list[int], stops: list[int]) -> IntervalSet:
        return self._of(
            self._starts[:low] + starts + self._starts[high:],
            self._stops[:low] + stops + self._stops[high:],
        )

    @classmethod
    def _of(cls, starts: list[int], stops: list[int]) -> IntervalSet:
        """From lists that are sorted and disjoint already."""
        new = cls()
        new._starts = starts
        new._stops = stops
        return new

    def __or__(self, other: IntervalSet) -> IntervalSet:
        return IntervalSet([*self, *other])

    def __sub__(self, other: IntervalSet) -> IntervalSet:
        left = self
        for piece in other:
            left = left.remove(piece)
        return left

    def __and__(self, other: IntervalSet) -> IntervalSet:
        return self - (self - other)

    def gaps(self, within: ByteRange) -> IntervalSet:
        """The octets of *within* that are not in the set."""
        return IntervalSet([within]) - self

    def reach(self, offset: int) -> int:
        """The first position at or after *offset* that is not in the set."""
        at = bisect_right(self._starts, offset) - 1
        return max(offset, self._stops[at]) if at >= 0 else offset


EMPTY = IntervalSet()
"""The set without any octet."""
