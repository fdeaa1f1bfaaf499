"""
How much a socket shall have before it is read: fewer, larger reads, and nothing kept waiting.

A fast sender that is woken for each of its records makes a fast reader read each by itself.
``SO_RCVLOWAT`` lets the kernel wait until there is enough.  A slow one must not be kept
waiting for that, so a sweep lowers the mark where nothing was read for `PATIENCE`.
"""

from __future__ import annotations

import sys
from socket import SO_RCVLOWAT, SOL_SOCKET, socket
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

ENOUGH: Final = 64 * 1024
"""Octets that a read of a body waits for."""
PATIENCE: Final = 0.02
"""Seconds that octets may lie in a socket because they are few."""
_LINUX: Final = sys.platform == "linux"
"""Elsewhere lowering the mark need not wake who waits."""


class Sweep:
    """Lowers the marks of sockets that bring little; idle where none has a mark."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._marks: set[Mark] = set()
        self._call: IDelayedCall | None = None

    def watch(self, mark: Mark) -> None:
        """*mark* is raised."""
        self._marks.add(mark)
        if self._call is None:
            self._call = self._clock.callLater(PATIENCE, self._sweep)

    def forget(self, mark: Mark) -> None:
        """*mark* is low again."""
        self._marks.discard(mark)

    def _sweep(self) -> None:
        self._call = None
        for mark in [mark for mark in self._marks if not mark.reached]:
            mark.lower()
        for mark in self._marks:
            mark.reached = False
        if self._marks:
            self._call = self._clock.callLater(PATIENCE, self._sweep)


class Mark:
    """The low-water mark of one socket."""

    def __init__(self, sweep: Sweep, line: socket) -> None:
        self.reached = True
        """Whether octets were read since the last sweep."""
        self._sweep = sweep
        self._line = line
        self.octets = 1
        """Octets that were there when the socket was found readable, unless it has ended."""

    def expect(self, octets: int) -> None:
        """Wait until there are *octets*, if they come soon."""
        self.reached = True
        if not _LINUX or octets == self.octets:
            return
        self._set(octets)
        if octets > 1:
            self._sweep.watch(self)
        else:
            self._sweep.forget(self)

    def lower(self) -> None:
        """Wait for nothing: what is there is to be read."""
        self.expect(1)

    def _set(self, octets: int) -> None:
        self.octets = octets
        if self._line.fileno() >= 0:
            self._line.setsockopt(SOL_SOCKET, SO_RCVLOWAT, octets)
