"""
The pieces of a file, each checked as soon as it is whole, off the reactor thread.

Octets may be written more than once (two connections that race, a part that comes
again): a piece that was touched is checked again, so that what is good here is what
is on the disk.
"""

from __future__ import annotations

from collections.abc import Callable

from rangedaemon.client.steps import Steps
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.pieces import Pieces
from rangedaemon.errors import ChecksumMismatch
from rangedaemon.storage.hashes import HashInto, new_hash

MOST_TRIES = 4
"""How often one piece may come and be bad before the job gives up."""


class PieceCheck:
    """The pieces of one part file."""

    def __init__(self, pieces: Pieces, size: int, hash_into: HashInto) -> None:
        self.on_bad: Callable[[ByteRange, bool], None] = lambda _piece, _again: None
        """Called with the octets of a bad piece, and whether it was bad before."""
        self.steps = Steps(self._check_next)
        self._pieces = pieces
        self._size = size
        self._hash_into = hash_into
        self._good: set[int] = set()
        self._due: dict[int, None] = {}
        self._bad: dict[int, int] = {}
        self._checking: int | None = None

    @property
    def proved(self) -> bool:
        """Whether every piece is good."""
        return len(self._good) == self._pieces.amount

    def begin(self, written: IntervalSet) -> None:
        """Check what is there already and was not checked."""
        for number in self._pieces.whole_in(written, self._size, ByteRange(0, self._size)):
            if number not in self._good:
                self._due[number] = None
        self.steps.go_on()

    def touched(self, piece: ByteRange, written: IntervalSet) -> None:
        """The octets of *piece* are others now, or gone; *written* are there."""
        for number in self._pieces.touched(piece):
            self._good.discard(number)
            self._due.pop(number, None)
            if number == self._checking:
                self._checking = None
        for number in self._pieces.whole_in(written, self._size, piece):
            self._due[number] = None
        self.steps.go_on()

    async def _check_next(self) -> bool:
        number = next(iter(self._due), None)
        if number is None:
            return False
        del self._due[number]
        piece = self._pieces.range_of(number, self._size)
        state = new_hash(self._pieces.algorithm)
        self._checking = number
        await self._hash_into(state, piece.start, piece.stop)
        if self._checking == number:  # else it was touched meanwhile
            self._judge(number, piece, state.hexdigest())
        return True

    def _judge(self, number: int, piece: ByteRange, digest: str) -> None:
        if digest == self._pieces.hash_of(number):
            self._good.add(number)
            return
        tries = self._bad[number] = self._bad.get(number, 0) + 1
        if tries >= MOST_TRIES:
            self.steps.end(self._hopeless(piece, tries))
        self.on_bad(piece, tries > 1)

    def _hopeless(self, piece: ByteRange, tries: int) -> ChecksumMismatch:
        return ChecksumMismatch(
            f"octets {piece.start}-{piece.stop - 1} came {tries} times and never had the"
            f" {self._pieces.algorithm} that was promised for this piece"
        )
