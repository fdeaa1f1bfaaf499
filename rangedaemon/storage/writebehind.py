"""
Writing behind who reads: octets that pass through this process are read by one thread and
written by another.

Each takes about as long, and in both the system does most of it, so together they take
half the time.  There is a fixed number of rooms: who reads faster than the disk writes
waits for one.  They are large, because what is done in Python for each of them is done by
one thread at a time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Final

ROOM: Final = 2 * 1024 * 1024
"""Octets that are written at once."""
ROOMS: Final = 4

Write = Callable[[int, list[memoryview]], int]
"""Writes the blocks at the offset; how many octets that was."""


class WriteBehind:
    """The rooms of one thread that reads, and the thread that writes from them."""

    def __init__(self) -> None:
        self._thread = ThreadPoolExecutor(1, "write-behind")  # ends with us
        self._rooms = [memoryview(bytearray(ROOM)) for _ in range(ROOMS)]
        self._next = 0
        self._under_way: deque[Future[int]] = deque()

    def room(self) -> memoryview:
        """Room to read into, from which nothing is to be written any more.

        :raises Fault: what was in it could not be written.
        """
        if len(self._under_way) == ROOMS:
            self._under_way.popleft().result()
        return self._rooms[self._next]

    def write(self, write: Write, offset: int, octets: memoryview, *, more: bool) -> None:
        """Write what was read into the room, which is another one from now on.

        :param more: whether there is more to read meanwhile; else it is done here and now.
        """
        if more:
            self._under_way.append(self._thread.submit(write, offset, [octets]))
            self._next = (self._next + 1) % ROOMS
        else:
            write(offset, [octets])

    def finish(self) -> None:
        """Return when all is written.

        :raises Fault: the first that there was.
        """
        writes, self._under_way = self._under_way, deque()
        wait(writes)
        for write in writes:
            write.result()
