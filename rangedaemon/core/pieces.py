"""
The pieces of a file, each with a hash of its own (RFC 5854, 4.1.3).

All pieces but the last have the same length.  Compact on purpose: the hashes are one
text, as every job of the journal carries its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from rangedaemon.core.intervals import ByteRange, IntervalSet

DIGEST_HEX = {"sha-256": 64, "sha-512": 128, "sha-1": 40, "md5": 32}
"""Hexadecimal digits of a hash, the algorithm that we would rather check first."""

MOST_PIECES = 20_000
LEAST_LENGTH = 1024
"""Octets; shorter pieces would be more work than they save."""


class Pieces(NamedTuple):
    """What each piece of a file hashes to."""

    algorithm: str
    length: int
    """Octets of every piece but the last, which may be shorter."""
    hashes: str
    """Hexadecimal, lower case, one behind the other."""

    def checked(self) -> Pieces:
        """Itself, if it is sound.

        :raises ValueError: it is not.
        """
        digits = DIGEST_HEX.get(self.algorithm)
        if digits is None or self.length < LEAST_LENGTH:
            raise ValueError("an algorithm or a length of pieces that we do not do")
        if not 0 < len(self.hashes) <= MOST_PIECES * digits or len(self.hashes) % digits:
            raise ValueError("not as many hashes as there can be pieces")
        if not re.fullmatch(r"[0-9a-f]+", self.hashes):
            raise ValueError("hashes that are not hexadecimal")
        return self

    @property
    def amount(self) -> int:
        """How many pieces there are."""
        return len(self.hashes) // DIGEST_HEX[self.algorithm]

    def fits(self, size: int | None) -> bool:
        """Whether a file of *size* octets has exactly so many pieces (unknown: perhaps)."""
        return size is None or (self.amount - 1) * self.length < size <= self.amount * self.length

    def hash_of(self, number: int) -> str:
        """The hash of piece *number*."""
        digits = DIGEST_HEX[self.algorithm]
        return self.hashes[number * digits : (number + 1) * digits]

    def range_of(self, number: int, size: int) -> ByteRange:
        """The octets of piece *number* of a file of *size* octets."""
        start = number * self.length
        return ByteRange(start, max(start, min(start + self.length, size)))

    def touched(self, piece: ByteRange) -> range:
        """The numbers of the pieces that *piece* has octets of."""
        if not piece:
            return range(0)
        last = min(self.amount, -(-piece.stop // self.length))
        return range(min(self.amount, piece.start // self.length), last)

    def whole_in(self, written: IntervalSet, size: int, within: ByteRange) -> Iterator[int]:
        """The pieces with octets in *within* of which *written* has every octet."""
        for number in self.touched(within):
            if written.covers(self.range_of(number, size)):
                yield number
