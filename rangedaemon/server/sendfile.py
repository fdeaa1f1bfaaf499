"""
From the file to the socket without passing through us (sendfile(2)).

Only on a plain socket, and only once the transport's own buffer has drained (the
headers are in it).  sendfile waits for the disk, and the reactor must not: it sends only
octets that a thread has just brought into the page cache, or has a thread send them
(`rangedaemon.server.shift`), which is the cheaper way for peers that take much.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from twisted.internet import main, tcp
from twisted.internet.defer import Deferred

from rangedaemon.server.lanes import SMALLEST_BLOCK, Peer, drained, paced
from rangedaemon.server.pacing import Paces
from rangedaemon.server.shift import Slots, send_for_a_while
from rangedaemon.server.watch import Watch
from rangedaemon.storage.reading import bring_in, read_exactly, seems_cached
from rangedaemon.storage.threads import InThread

_FIRST_WINDOW: Final = 256 * 1024
_NEXT_WINDOW: Final = 1024 * 1024
"""After a shift, for a peer that has been quick before."""
_LARGEST_WINDOW: Final = 8 * 1024 * 1024
_MOST_AT_ONCE: Final = 2 * 1024 * 1024
"""Octets per call; the kernel takes them in about a millisecond."""
_CALLS_PER_TURN: Final = 2
_QUICK: Final = 20e6
"""Octets per second from which on a peer is worth a thread."""
_TELLING: Final = 1024 * 1024
"""The smallest window whose time says something of that."""
_CORK: Final[int | None] = getattr(socket, "TCP_CORK", None)
_NOT_THIS_FILE: Final = {errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP}
"""What sendfile says of a file system that it cannot be used with."""

_slots = Slots()


def can_sendfile(transport: object) -> bool:
    """Whether *transport* is a plain socket of ours on a system with Linux' sendfile."""
    return (
        sys.platform == "linux"
        and isinstance(transport, tcp.Connection)
        and not getattr(transport, "TLS", False)
    )


class SocketLane:
    """Sends windows of a file, each brought in by a thread while the one before is sent."""

    def __init__(self, peer: Peer, in_thread: InThread, pace: Paces | None) -> None:
        self._peer = peer
        self._in_thread = in_thread
        self._pace = pace
        self._transport: Any = peer.transport
        self._socket: socket.socket = self._transport.socket  # which a lost one has no more
        self._quick = False
        """Whether the peer took the last octets as fast as they came."""
        self._first = _FIRST_WINDOW
        self._cork(closed=True)
        peer.attach()

    def close(self) -> None:
        """Leave the transport as it was found."""
        self._cork(closed=False)
        self._peer.close()
        self._peer.unregister()

    def _cork(self, *, closed: bool) -> None:
        """
        Have the kernel send full frames only (tcp(7), TCP_CORK), or what it has at once.

        Without that, each 64 KiB that sendfile splices end in a frame that is not full.
        Not at a pace, where the rest of a burst would wait for the next.
        """
        if self._pace is None and _CORK is not None and self._socket.family != socket.AF_UNIX:
            with suppress(OSError):  # the connection is lost
                self._socket.setsockopt(socket.IPPROTO_TCP, _CORK, closed)

    async def write(self, octets: bytes) -> None:
        """Hand over a few octets."""
        self._peer.check()
        self._peer.request.write(octets)
        self._peer.moved += len(octets)

    async def drained(self) -> None:
        """Wait until the transport's own buffer is empty."""
        await drained(self._peer, self._transport)

    async def send(self, fd: int, start: int, stop: int, watch: Watch) -> None:
        """Send ``[start, stop)``, by windows or by shifts."""
        await self.drained()
        while start < stop:
            if self._quick and _slots.free():
                start = await self._send_shift(fd, start, stop, watch)
            else:
                start = await self._send_windows(fd, start, stop, watch)

    async def _send_shift(self, fd: int, start: int, stop: int, watch: Watch) -> int:
        """Have a thread send; say how far it came."""
        self._peer.check()

        def over() -> bool:
            return self._peer.gone or bool(self._transport.disconnecting)

        def work(own: int) -> tuple[int, bool]:
            watch.check()
            return send_for_a_while(own, fd, start, stop, over=over, wanted=lambda: _slots.wanted)

        self._first = _NEXT_WINDOW
        with _slots.taken(), _own_descriptor(self._transport) as own:
            reached, self._quick = await self._in_thread(work, own)
        self._peer.moved += reached - start
        self._peer.request.sentLength += reached - start
        self._peer.check()
        return reached

    async def _send_windows(self, fd: int, start: int, stop: int, watch: Watch) -> int:
        """Send windows until the end, or until the peer turns out to be quick; say how far."""
        size = self._first
        edge = min(stop, start + size)
        ready = self._prepared(fd, start, edge, watch)
        try:
            while start < stop:
                due, ready = ready, None
                if due is not None:
                    await due
                size = min(_LARGEST_WINDOW, 2 * size)
                beyond = min(stop, edge + size)
                ready = self._prepared(fd, edge, beyond, watch)
                await self._send_window(fd, start, edge)
                start, edge = edge, beyond
                if self._quick and _slots.free():
                    break
        finally:
            await _settled(ready)
        return start

    def _prepared(self, fd: int, start: int, stop: int, watch: Watch) -> Deferred[None] | None:
        """Have a window brought into memory; None where it is there already."""
        if start == stop:
            return None
        phase = int(self._peer.clock.seconds() * 1e6)
        if watch.seems_same() and seems_cached(fd, start, stop, phase=phase):
            return None
        return self._in_thread(_prepare, fd, start, stop, watch)

    async def _send_window(self, fd: int, start: int, stop: int) -> None:
        if self._pace is None:
            await self._send_measured(fd, start, stop)
            return
        while start < stop:
            edge = min(stop, start + self._pace.burst)
            await paced(self._pace, self._peer, edge - start)
            await self._send_now(fd, start, edge)
            start = edge

    async def _send_measured(self, fd: int, start: int, stop: int) -> None:
        began = self._peer.clock.seconds()
        sent = await self._send_now(fd, start, stop)
        took = self._peer.clock.seconds() - began
        self._quick = sent and stop - start >= _TELLING and took * _QUICK < stop - start

    async def _send_now(self, fd: int, start: int, stop: int) -> bool:
        """Send all of it; False where that had to be done without sendfile."""
        start = await _Pump(self._peer, self._transport, fd, start, stop).run()
        if start == stop:
            return True
        await self._copy(fd, start, stop)
        return False

    async def _copy(self, fd: int, start: int, stop: int) -> None:
        """For file systems that do not do sendfile."""
        while start < stop:
            edge = min(stop, start + SMALLEST_BLOCK)
            await self.write(await self._in_thread(read_exactly, fd, start, edge))
            await self.drained()
            start = edge


@contextmanager
def _own_descriptor(transport: Any) -> Iterator[int]:
    """A thread's own number for a socket: the transport's may become another's any time."""
    number = os.dup(transport.fileno())
    try:
        yield number
    finally:
        os.close(number)


async def _settled(ready: Deferred[None] | None) -> None:
    """Wait until the thread has let go of the file, whatever it found."""
    if ready is not None:
        ready.addErrback(lambda _: None)
        await ready


def _prepare(fd: int, start: int, stop: int, watch: Watch) -> None:
    watch.check()
    bring_in(fd, start, stop)


class _Pump:
    """Stands in for the transport's `doWrite` while one window of a file goes out."""

    def __init__(self, peer: Peer, transport: Any, fd: int, start: int, stop: int) -> None:
        self._peer = peer
        self._transport = transport
        self._socket = transport.fileno()
        self._fd = fd
        self._start = start
        self._stop = stop

    async def run(self) -> int:
        """Send until the window's end; say how far it went, where sendfile is refused."""
        self._peer.check()
        self._transport.doWrite = self._do_write
        self._transport.startWriting()
        try:
            await self._peer.wait()
        finally:
            self._retire()
        return self._start

    def _do_write(self) -> Exception | None:
        """The socket is writable."""
        if self._transport.disconnecting:
            return main.CONNECTION_DONE
        for _ in range(_CALLS_PER_TURN):
            asked = min(_MOST_AT_ONCE, self._stop - self._start)
            try:
                sent = os.sendfile(self._socket, self._fd, self._start, asked)
            except (BlockingIOError, InterruptedError):
                return None
            except OSError as exc:
                return self._refused(exc)
            if sent == 0:
                self._peer.cut("the file ends before the octets that were promised of it")
                return None
            self._count(sent)
            if sent < asked or self._start == self._stop:
                break  # the socket is full, or there is no more
        return None

    def _refused(self, why: OSError) -> Exception | None:
        if why.errno not in _NOT_THIS_FILE:
            return main.CONNECTION_LOST
        self._end()
        return None

    def _count(self, sent: int) -> None:
        self._start += sent
        self._peer.moved += sent
        self._peer.request.sentLength += sent
        if self._start == self._stop:
            self._end()

    def _end(self) -> None:
        self._retire()
        self._transport.stopWriting()
        self._peer.wake()

    def _retire(self) -> None:
        # An aborted transport has put a dead doWrite of its own in our place: that one stays.
        if vars(self._transport).get("doWrite") == self._do_write:
            del self._transport.doWrite
