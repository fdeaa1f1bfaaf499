"""
A thread's shift at one plain socket: sendfile for as long as the peer keeps up.

A peer that takes all we have costs the reactor a turn for each time that the socket is
full; here that is one call of the system.  The thread may wait for the disk, so
nothing has to be brought into memory first.  A shift is short, there are few at once,
and it ends as soon as its peer makes it wait: the reactor is there for those.
"""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

_MOST_SHIFTS: Final = 2
"""At once: half of the threads that the daemon has for its disk stay free for the others."""
_LENGTH: Final = 0.1
"""Seconds after which others are let in; a turn of the reactor costs a thousandth of it."""
_LENGTH_ALONE: Final = 1.0
"""Seconds where there are no others: each shift may put the thread on another core."""
_WAIT: Final = 20
"""Milliseconds for which a full socket may keep a thread waiting."""
_WAIT_ALONE: Final = 100
"""Where there are no others: on a busy machine a quick peer may not be let run for so long."""
_MOST_AT_ONCE: Final = 2 * 1024 * 1024


class Slots:
    """The shifts that there may be at once."""

    def __init__(self, most: int = _MOST_SHIFTS) -> None:
        self._free = most
        self.wanted = False
        """Whether somebody was refused since the last began; any thread may ask."""

    def free(self) -> bool:
        """Whether one more may begin; who is told no wants one."""
        self.wanted = self._free <= 0
        return not self.wanted

    @contextmanager
    def taken(self) -> Iterator[None]:
        """For as long as one lasts."""
        self._free -= 1
        self.wanted = False
        try:
            yield
        finally:
            self._free += 1


def send_for_a_while(
    socket: int,
    fd: int,
    start: int,
    stop: int,
    *,
    over: Callable[[], bool],
    wanted: Callable[[], bool],
) -> tuple[int, bool]:
    """
    Send ``[start, stop)`` of *fd* to *socket* as far as that goes in one shift; blocks.

    :param socket: a non-blocking one, and a descriptor of our own for it.
    :param over: whether the connection is to end.
    :param wanted: whether others wait for a shift.
    :returns: how far it went, and whether another shift may follow.  None should where the
        peer does not keep up, nor where the system refuses: the usual way finds out why.
    """
    room = select.poll()
    room.register(socket, select.POLLOUT)
    began = time.monotonic()
    while start < stop and not over():
        sent = _sent(socket, fd, start, min(_MOST_AT_ONCE, stop - start))
        if sent is None:
            return start, False
        start += sent
        full = sent < _MOST_AT_ONCE and start < stop
        length, wait = (_LENGTH, _WAIT) if wanted() else (_LENGTH_ALONE, _WAIT_ALONE)
        if full and not room.poll(wait):
            return start, False
        if time.monotonic() - began >= length:
            return start, True
    return start, start == stop


def _sent(socket: int, fd: int, start: int, most: int) -> int | None:
    """Octets that the socket took; None where sendfile fails, or there are none."""
    try:
        return os.sendfile(socket, fd, start, most) or None
    except BlockingIOError:
        return 0
    except OSError:
        return None
