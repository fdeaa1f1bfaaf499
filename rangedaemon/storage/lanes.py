"""
The fast way of a body: from the socket to the part file in one go, in a thread.

Where a connection has much to read, and a transfer takes it, the reactor thread does not
read it: it stops reading and hands the connection to a lane, a thread that moves what is
there, at most `MOST` octets, and writes it where the transfer wants it.  The lane never
waits for the peer, only for the disk, and for that not long (`LONGEST`).  On plain TCP
splice(2) moves the octets past this process; over TLS they are decrypted on the way
(`rangedaemon.client.tls`).

The HTTP parser counts a body by the lengths of what it is given, so it is given a stand-in
of the length that was moved (`Hauled`).  Only bodies that Content-Length frames can go
this way.
"""

from __future__ import annotations

import fcntl
import os
import struct
import termios
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Protocol

from twisted.internet.defer import ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.tcp import Connection

from rangedaemon.errors import StorageFault
from rangedaemon.storage.lowwater import ENOUGH, Mark, Sweep
from rangedaemon.storage.writebehind import WriteBehind

MOST: Final = 32 * 1024 * 1024
"""Octets that one haul moves at most."""
LONGEST: Final = 0.03
"""Seconds after which a haul ends: where the disk is slow others shall not wait long."""
PIECE: Final = 1024 * 1024
"""Octets of a haul that are written at once: what a pipe holds."""
WORTH: Final = 64 * 1024
"""Fewer octets than this are not worth a haul."""
COUNT: Final = 1
"""Lanes: measured, a second one wins no time and pays for taking turns in Python."""

_FLAGS: Final = getattr(os, "SPLICE_F_NONBLOCK", 0) | getattr(os, "SPLICE_F_MOVE", 0)
_F_SETPIPE_SZ: Final = getattr(fcntl, "F_SETPIPE_SZ", 1031)


class Store(Protocol):
    """Where octets are put; blocking, called in threads."""

    def write(self, offset: int, blocks: Sequence[bytes | memoryview]) -> int:
        """Put the blocks, one behind the other, at *offset*; how many octets that was."""

    def splice(self, offset: int, pipe: int, count: int) -> int:
        """Put *count* octets that are in *pipe* at *offset*; how many octets that was."""


class Hauled:
    """Octets that are in the file already: goes through the parser of HTTP in their place.

    Twisted's parser adds it to an empty buffer, asks for its length, and cuts it.
    """

    __slots__ = ("_count",)

    def __init__(self, count: int) -> None:
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __radd__(self, before: bytes) -> Hauled:
        if before:
            raise TypeError("octets that were read stand before octets that were hauled")
        return self

    def __getitem__(self, piece: slice) -> Hauled | bytes:
        count = len(range(*piece.indices(self._count)))
        return Hauled(count) if count else b""  # what follows a body is joined with octets


Move = Callable[[int, Store, int, int], int]
"""Moves at most so many octets from a descriptor into a store at an offset; how many it was."""


class Taker(Protocol):
    """Who takes a body's octets."""

    @property
    def paused(self) -> bool:
        """Whether it wants the connection to be left alone for now."""

    def wanted(self) -> int:
        """How many octets it takes next by this way; 0: none."""

    async def haul(
        self, move: Callable[[Store, int], int], deliver: Callable[[Hauled], None]
    ) -> None:
        """Let *move* do its work in a lane; then *deliver*, where the body still comes."""


class Hauler:
    """The reading side of one connection."""

    def __init__(
        self,
        line: Any,
        lanes: Lanes,
        move: Move,
        deliver: Callable[[Hauled], None],
        inside: int = 0,
    ) -> None:
        """
        :param line: the TCP transport.
        :param deliver: tells the protocol above what came.
        :param inside: octets, at most, that have left the socket and were not moved.
        """
        self._taker: Taker | None = None
        self._line = line
        self._mark = Mark(lanes.sweep, line.socket)
        self._read = line.doRead
        self._move = move
        self._inside = inside
        self._deliver = deliver
        self.under_way = False
        """Whether a lane moves octets at this moment."""
        self._futile = False
        """Whether the last haul moved nothing: a plain read can tell why."""

    def serve(self, taker: Taker | None) -> None:
        """Haul for *taker* from now on; None: for nobody."""
        self._taker = taker
        self._expect()

    def _expect(self) -> int:
        """Wait for as much as is worth a haul, where so much is wanted; how much is wanted."""
        wanted = min(self._taker.wanted(), MOST) if self._taker is not None else 0
        self._mark.expect(min(wanted - self._inside, ENOUGH) if wanted >= WORTH else 1)
        return wanted

    def read(self) -> BaseException | None:
        """Take what the socket has: instead of the connection's own ``doRead``."""
        if self.under_way:
            self._line.stopReading()
            return None
        taker = self._taker
        much = taker is not None and (self._mark.octets >= WORTH or self._much())
        wanted = self._expect()
        if taker is None or wanted < WORTH or self._futile or not much:
            self._futile = False
            return self._read()  # type: ignore[no-any-return]
        ensureDeferred(self._haul(taker, wanted))
        return None

    def _much(self) -> bool:
        """Whether the socket has what is worth a haul."""
        answer = fcntl.ioctl(self._line.fileno(), termios.FIONREAD, bytes(4))
        return int(struct.unpack("i", answer)[0]) >= WORTH

    async def _haul(self, taker: Taker, wanted: int) -> None:
        self.under_way = self._futile = True
        self._line.stopReading()
        # The reactor may close its own descriptor meanwhile, and the number may be used anew.
        fd = os.dup(self._line.fileno())
        try:
            await taker.haul(
                lambda store, offset: self._move(fd, store, offset, wanted), self._hauled
            )
        finally:
            self.under_way = False
            os.close(fd)
        if self._taker is not taker or not taker.paused:
            self._line.resumeProducing()

    def _hauled(self, octets: Hauled) -> None:
        self._futile = not octets
        if self._line.connected:
            self._deliver(octets)


def hauled_by(
    line: Any, lanes: Lanes, move: Move, deliver: Callable[[Hauled], None], inside: int = 0
) -> Hauler:
    """Let the reads of *line* be hauls where they can; parameters as of `Hauler`."""
    hauler = Hauler(line, lanes, move, deliver, inside)
    line.doRead = hauler.read
    return hauler


def haul_plain(protocol: Any, lanes: Lanes) -> None:
    """Give the connection of *protocol* the fast way, if it is plain TCP and there is splice."""
    line = protocol.transport
    if isinstance(line, Connection) and hasattr(os, "splice"):
        line.hauler = hauled_by(  # type: ignore[attr-defined]
            line, lanes, lanes.gear.splice, protocol.dataReceived
        )


def hauler_of(body_transport: Any) -> Hauler | None:
    """The hauler of the connection that a body comes over, None where there is none.

    A body's transport is a proxy; what it stands for is told by a private attribute,
    so its absence only costs the fast way.
    """
    found = getattr(getattr(body_transport, "_producer", None), "hauler", None)
    return found if isinstance(found, Hauler) else None


class _Pipe:
    """A pipe that closes itself."""

    def __init__(self) -> None:
        self.reader, self.writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        with suppress(OSError):  # a smaller one serves too
            fcntl.fcntl(self.writer, _F_SETPIPE_SZ, PIECE)

    def __del__(self) -> None:
        os.close(self.reader)
        os.close(self.writer)


class Gear(threading.local):
    """What a lane works with; each thread has its own."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        """:param seconds: what time it is, asked in any thread."""
        self._seconds = seconds
        self._pipe: _Pipe | None = None
        self._behind: WriteBehind | None = None

    def splice(self, fd: int, store: Store, offset: int, most: int) -> int:
        """Move octets past this process: a `Move` for plain TCP.

        :raises StorageFault: they could not be written.
        """
        moved, in_time = 0, self.in_time()
        while moved < most and in_time():
            count = self._splice(fd, store, offset + moved, most - moved)
            if count == 0:
                break
            moved += count
        return moved

    def _splice(self, fd: int, store: Store, offset: int, most: int) -> int:
        """As much as the pipe takes."""
        pipe = self._pipe = self._pipe or _Pipe()
        held = 0
        with suppress(OSError):  # nothing more is there, or the pipe is full
            while held < most and (count := os.splice(fd, pipe.writer, most - held, flags=_FLAGS)):
                held += count
        try:
            return store.splice(offset, pipe.reader, held) if held else 0
        except StorageFault:
            self._pipe = None  # what is left in it belongs nowhere
            raise

    def in_time(self) -> Callable[[], bool]:
        """Asked for each piece of a haul that begins now: whether it may go on."""
        end = self._seconds() + LONGEST
        return lambda: self._seconds() < end

    def behind(self) -> WriteBehind:
        """Writes what passes through this process, while this thread reads on."""
        self._behind = self._behind or WriteBehind()
        return self._behind


class Lanes:
    """What the lanes of all connections share."""

    def __init__(self, clock: IReactorTime) -> None:
        self.gear = Gear(clock.seconds)
        self.sweep = Sweep(clock)
