"""
The digest of a file while it grows: what is there without a hole from its first octet on.

So hashing overlaps the transfer, and little is left to do at its end.  Where octets
that were hashed are written again, or proved bad, it goes back to a state before
them.
"""

from __future__ import annotations

from collections.abc import Callable

from rangedaemon.client.steps import Steps
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.storage.hashes import HashInto, HashState, new_hash

STEP = 8 * 1024 * 1024
"""Octets hashed in one go in a thread; between two the job may be stopped."""
LEAST_STEP = 1024 * 1024
"""Octets for which it is worth to wake a thread while more are to come."""
MOST_STATES = 64
"""States kept to go back to."""


class PrefixDigest:
    """The digest of one part file by one algorithm."""

    def __init__(self, algorithm: str, hash_into: HashInto) -> None:
        self.algorithm = algorithm
        self.written: Callable[[], IntervalSet] = IntervalSet
        """Called for the octets that are there."""
        self.steps = Steps(self._hash_next)
        self._hash_into = hash_into
        self._begin()

    def _begin(self) -> None:
        self._state = new_hash(self.algorithm)
        self._position = self._reading_to = 0
        self._states: list[tuple[int, HashState]] = [(0, self._state.copy())]

    def touched(self, piece: ByteRange) -> None:
        """The octets of *piece* are others now, or gone."""
        if piece and piece.start < self._reading_to:
            while self._states[-1][0] > piece.start:
                self._states.pop()
            self._position, state = self._states[-1]
            self._state = state.copy()
            self._reading_to = self._position

    async def digest(self, length: int, go_on: Callable[[], bool]) -> str | None:
        """The hex digest of the first *length* octets, which are there; None: *go_on* said no.

        :raises Fault: the disk failed.
        """
        while go_on():
            if self._position > length:
                self._begin()
            if self._position == length:
                return self._state.hexdigest()
            await self.steps.idle()
            await self._hash_on(min(length, self._position + STEP))
        return None

    async def _hash_next(self) -> bool:
        reach = min(self.written().reach(self._position), self._position + STEP)
        if reach - self._position < LEAST_STEP:
            return False
        await self._hash_on(reach)
        return True

    async def _hash_on(self, stop: int) -> None:
        state, start = self._state, self._position
        self._reading_to = stop
        await self._hash_into(state, start, stop)
        if self._state is state:  # else what was read is not what is there any more
            self._position = stop
            self._states.append((stop, state.copy()))
            if len(self._states) > MOST_STATES:
                del self._states[1]
