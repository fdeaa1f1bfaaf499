"""
The octets of one request, block by block: read in a thread, at the pace that is allowed.

The next block is read while the last one leaves; never more than two are in memory.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from rangedaemon.core.intervals import ByteRange

SMALLEST_BLOCK = 16 * 1024
LARGEST_BLOCK = 512 * 1024
QUICK_SECONDS = 0.1
"""A block that leaves in less, its waiting for a limit included, makes the next one larger;
in ten times that, smaller."""

Read = Callable[[int, int], Awaitable[bytes]]
"""``read(offset, length)``: exactly those octets of the file."""
Pace = Callable[[int], float]
"""Counts octets that are about to leave; how many seconds to wait before they do."""


class Body:
    """Octets of a file that one request carries."""

    def __init__(self, piece: ByteRange, read: Read, pace: Pace, clock: IReactorTime) -> None:
        self.piece = piece
        self.sent = 0
        """Octets that the connection has taken."""
        self.on_sent: Callable[[int], None] = lambda _count: None
        """Called with each number of octets that the connection has taken."""
        self._read = read
        self._pace = pace
        self._clock = clock
        self._block = 4 * SMALLEST_BLOCK
        self._began = clock.seconds()
        self._next = piece.start

    def __len__(self) -> int:
        return len(self.piece)

    async def blocks(self) -> AsyncGenerator[bytes, None]:
        """The octets, block by block, each as soon as it may leave.

        :raises Fault: they cannot be had.
        """
        coming = self._begin(self.piece.start)
        try:
            while coming is not None:
                block = await coming
                coming = self._begin(self._next)
                self._began = self._clock.seconds()
                await self._allowed(len(block))
                yield block
        finally:
            if coming is not None:
                coming.addErrback(lambda _failure: None)

    def _begin(self, start: int) -> Deferred[bytes] | None:
        """Start to read the block at *start*."""
        length = min(self._block, self.piece.stop - start)
        self._next = start + length
        return ensureDeferred(_awaited(self._read(start, length))) if length else None

    async def _allowed(self, count: int) -> None:
        delay = self._pace(count)
        if delay > 0:
            await deferLater(self._clock, delay)

    def taken(self, count: int) -> None:
        """The connection has taken *count* more octets."""
        self.sent += count
        self.on_sent(count)
        seconds = self._clock.seconds() - self._began
        if seconds < QUICK_SECONDS:
            self._block = min(LARGEST_BLOCK, self._block * 2)
        elif seconds > 10 * QUICK_SECONDS:
            self._block = max(SMALLEST_BLOCK, self._block // 2)


async def _awaited(octets: Awaitable[bytes]) -> bytes:
    return await octets
