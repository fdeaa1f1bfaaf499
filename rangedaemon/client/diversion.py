"""
The short way from a plain socket to the part file: through a pipe, past this process.

On plain TCP the octets of a body need not be copied into Python and out again:
splice(2) moves them from the socket into a pipe here, in the reactor thread, where it
never waits, and from the pipe into the file in a thread.  The HTTP parser counts a
body by the lengths of what it is given, so it is given filler of the same length;
whoever takes the body knows that the true octets are in the pipe.

Only bodies that Content-Length frames can go this way, and only where the system has
splice.  Everywhere else octets come as always.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.internet import main
from twisted.internet.tcp import Connection

CAPACITY: Final = 1024 * 1024
"""Octets that a pipe is asked to hold."""
PIPES_EACH: Final = 2
"""Pipes of one connection: one fills while the other is emptied."""
WORTH: Final = 64 * 1024
"""Fewer octets than this to come are not worth a detour through a pipe."""

_FLAGS: Final = getattr(os, "SPLICE_F_NONBLOCK", 0) | getattr(os, "SPLICE_F_MOVE", 0)
_F_SETPIPE_SZ: Final = getattr(fcntl, "F_SETPIPE_SZ", 1031)


class Pipe:
    """Octets between a socket and a file."""

    def __init__(self, on_emptied: Callable[[], None] = lambda: None) -> None:
        self._on_emptied = on_emptied
        self.reader, self._writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with suppress(OSError):  # a smaller one serves too
            fcntl.fcntl(self._writer, _F_SETPIPE_SZ, CAPACITY)
        self.held = 0
        """Octets in it."""
        self.emptying = False
        """Whether a thread has it: nothing may be put in."""
        self.orphaned = False
        """Whether its connection is gone: it closes when it is empty."""

    @property
    def closed(self) -> bool:
        """Whether it was let go of."""
        return self.reader < 0

    def fill(self, socket: int, most: int) -> int:
        """Move at most *most* octets in; how many, 0 at the end of the stream.

        :raises BlockingIOError: the socket has none, or the pipe has no room.
        """
        count = os.splice(socket, self._writer, min(most, CAPACITY), flags=_FLAGS)
        self.held += count
        return count

    def emptied(self) -> None:
        """A thread has taken everything out."""
        self.held = 0
        self.emptying = False
        if self.orphaned:
            self.close()
        self._on_emptied()

    def close(self) -> None:
        """Let go of both ends; nothing happens the second time."""
        if self.reader >= 0:
            os.close(self.reader)
            os.close(self._writer)
            self.reader = -1


@dataclass(slots=True)
class Piped:
    """The next octets of a run, which are in a pipe."""

    pipe: Pipe
    count: int


class Taker(Protocol):
    """Who takes a body's octets out of pipes."""

    def wanted(self) -> int:
        """How many octets it takes next; 0: none by this way."""

    def piped(self, pipe: Pipe, count: int) -> None:
        """*count* octets more are in *pipe*."""

    def relieved(self) -> None:
        """A pipe is empty again, perhaps one that an earlier taker's octets were in."""


class Diverter:
    """The reading side of one plain connection."""

    def __init__(self, transport: Any) -> None:
        self.taker: Taker | None = None
        self._transport = transport
        self._read = transport.doRead
        self._pipes: list[Pipe] = []
        self._latest: Pipe | None = None
        """The pipe that the last octets went into, nothing has come another way since."""

    @property
    def full(self) -> bool:
        """Whether no pipe has room: what is read now would have to wait in memory."""
        if len(self._pipes) < PIPES_EACH or self._fillable() is not None:
            return False
        return all(pipe.held and not pipe.closed for pipe in self._pipes)

    def _relieved(self) -> None:
        if self.taker is not None:
            self.taker.relieved()

    def read(self) -> BaseException | None:
        """Take what the socket has: instead of the connection's own ``doRead``."""
        wanted = self.taker.wanted() if self.taker is not None else 0
        pipe = self._pipe() if wanted >= WORTH else None
        if self.taker is None or pipe is None:
            return self._plain_read()
        try:
            count = pipe.fill(self._transport.fileno(), wanted)
        except OSError:
            # Nothing to read, or a pipe that is full of small pieces: recv can tell.
            return self._plain_read()
        if count == 0:
            return main.CONNECTION_DONE
        self._latest = pipe
        self.taker.piped(pipe, count)
        # Memory that is all zeros and never looked at costs no memory.
        self._transport.protocol.dataReceived(bytes(count))
        return None

    def _plain_read(self) -> BaseException | None:
        self._latest = None
        return self._read()  # type: ignore[no-any-return]

    def _fillable(self) -> Pipe | None:
        """The pipe that the last octets went into, where more of the stream may follow."""
        latest = self._latest
        if latest is not None and not latest.emptying and 0 < latest.held < CAPACITY // 2:
            return latest
        return None

    def _pipe(self) -> Pipe | None:
        """The pipe for the next octets of the stream, None where all are in use."""
        latest = self._fillable()
        if latest is not None:
            return latest
        for pipe in self._pipes:
            if not pipe.held and not pipe.closed:
                return pipe
        self._pipes = [pipe for pipe in self._pipes if not pipe.closed]
        if len(self._pipes) == PIPES_EACH:
            return None
        try:
            pipe = Pipe(self._relieved)
        except OSError:
            return None
        self._pipes.append(pipe)
        return pipe

    def close(self) -> None:
        """The connection is gone; pipes that still hold something close when emptied."""
        pipes, self._pipes = self._pipes, []
        for pipe in pipes:
            pipe.orphaned = True
            if not pipe.held:
                pipe.close()

    def closes_with(self, connection_lost: Callable[..., None]) -> Callable[..., None]:
        """*connection_lost*, with our own end before it."""

        def lost(*reason: Any) -> None:
            self.close()
            connection_lost(*reason)

        return lost


def divert(protocol: Any) -> None:
    """Give the connection of *protocol* the short way, if it is plain TCP."""
    transport = protocol.transport
    if isinstance(transport, Connection) and hasattr(os, "splice"):
        diverter = Diverter(transport)
        transport.doRead = diverter.read  # type: ignore[method-assign, assignment]
        transport.connectionLost = diverter.closes_with(  # type: ignore[method-assign]
            transport.connectionLost
        )
        transport.diverter = diverter  # type: ignore[attr-defined]


def diverter_of(body_transport: Any) -> Diverter | None:
    """The diverter of the connection that a body comes over, None where there is none.

    A body's transport is a proxy; what it stands for is told by a private attribute,
    so its absence only costs the short way.
    """
    transport = getattr(body_transport, "_producer", None)
    found = getattr(transport, "diverter", None) if isinstance(transport, Connection) else None
    return found if isinstance(found, Diverter) else None
