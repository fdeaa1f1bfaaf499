"""What proves a part file while it is fetched: its pieces, and the digest of its beginning."""

from __future__ import annotations

from collections.abc import Callable

from rangedaemon.client.piececheck import PieceCheck
from rangedaemon.client.prefix import PrefixDigest
from rangedaemon.client.sink import Sink
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.pieces import Pieces
from rangedaemon.errors import Fault
from rangedaemon.storage.hashes import HashInto


class Proofs:
    """The checks of one part file, over all attempts at it."""

    def __init__(self, hash_into: HashInto) -> None:
        self._hash_into = hash_into
        self._pieces: PieceCheck | None = None
        self._prefixes: dict[str, PrefixDigest] = {}

    def expect(self, size: int | None, pieces: Pieces | None, algorithm: str | None) -> None:
        """What there is to check.

        :param size: octets of the whole file; pieces that do not fit it prove nothing.
        :param algorithm: of the digest of the whole, None where none was promised.
        """
        if self._pieces is None and pieces is not None and size and pieces.fits(size):
            self._pieces = PieceCheck(pieces, size, self._hash_into)
        if algorithm is not None and algorithm not in self._prefixes:
            self._prefixes[algorithm] = PrefixDigest(algorithm, self._hash_into)

    def watch(
        self,
        sink: Sink,
        on_bad: Callable[[ByteRange, bool], None],
        on_fault: Callable[[Fault], None],
    ) -> None:
        """Check what *sink* has written and will write.

        :param on_bad: called with octets that *sink* has lost, as they were bad, and
            whether they were bad before.
        """

        def lost(piece: ByteRange, again: bool) -> None:
            sink.lose([piece])
            on_bad(piece, again)

        def touched(piece: ByteRange) -> None:
            for prefix in self._prefixes.values():
                prefix.touched(piece)
            if self._pieces is not None:
                self._pieces.touched(piece, sink.written)

        sink.on_touched = touched
        for prefix in self._prefixes.values():
            prefix.written = lambda: sink.written
        if self._pieces is not None:
            self._pieces.on_bad, self._pieces.steps.on_fault = lost, on_fault
            self._pieces.begin(sink.written)

    def advance(self) -> None:
        """Hash what has come since."""
        for prefix in self._prefixes.values():
            prefix.steps.go_on()

    @property
    def pieces(self) -> bool:
        """Whether every piece of the file has the hash that was promised."""
        return self._pieces is not None and self._pieces.proved

    async def settled(self) -> None:
        """Return when every whole piece was checked.

        :raises Fault: the disk failed, or a piece never gets good.
        """
        if self._pieces is not None:
            await self._pieces.steps.idle()

    async def digest(self, algorithm: str, length: int, go_on: Callable[[], bool]) -> str | None:
        """The hex digest of the whole file of *length* octets; None where *go_on* said no."""
        self.expect(None, None, algorithm)
        return await self._prefixes[algorithm].digest(length, go_on)

    async def stop(self) -> None:
        """Check no more; return when nothing reads the file."""
        if self._pieces is not None:
            await self._pieces.steps.stop()
        for prefix in self._prefixes.values():
            await prefix.steps.stop()
