"""
From the file through TLS to the socket, with as few copies and calls as we can.

Twisted's TLS layer hands one record after the other to the transport below, which
joins and buffers them.  Where that buffer is empty we encrypt block by block and
write to the socket ourselves; whatever it does not take goes back to the transport,
so that the order of records stays whatever happens.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from OpenSSL import SSL
from twisted.internet import tcp
from twisted.protocols.tls import BufferingTLSTransport, TLSMemoryBIOProtocol

from rangedaemon.server.bulktls import release_buffers
from rangedaemon.server.lanes import LARGEST_BLOCK, Peer, drained, paced
from rangedaemon.server.pacing import Paces
from rangedaemon.server.watch import Watch
from rangedaemon.storage.reading import (
    lives_in_memory,
    read_cached_into,
    read_exactly,
    read_into,
)
from rangedaemon.storage.threads import InThread

_RECORD: Final = 16 * 1024
"""The largest record (RFC 8446, section 5.1)."""
_BLOCK: Final = 4 * _RECORD
_OVERHEAD: Final = 1024
_PER_TURN: Final = 1024 * 1024
_PROVEN: Final = 4 * 1024 * 1024
"""What a peer has taken when the kernel's buffers can no longer be all that took it."""
_SLOW: Final = 0.1
"""Seconds after which a peer that took nothing gets small blocks again."""
_FLUSHING: Final = 4 * _RECORD
"""A write of so much makes Twisted's usual TLS layer flush the small ones that it gathers."""

_plain = memoryview(bytearray(_BLOCK))
"""Octets on their way from the page cache to OpenSSL; nothing stays in it between turns."""


def is_tls_over_socket(transport: object) -> bool:
    """Whether *transport* is Twisted's TLS directly over a socket of ours."""
    return isinstance(transport, TLSMemoryBIOProtocol) and isinstance(
        transport.transport, tcp.Connection
    )


class TlsLane:
    """Encrypts blocks for as long as the socket takes them, a bounded number in each turn."""

    def __init__(self, peer: Peer, in_thread: InThread, pace: Paces | None) -> None:
        self._peer = peer
        self._in_thread = in_thread
        self._pace = pace
        self._tls: Any = peer.transport
        self._below: Any = peer.transport.transport
        self._block = _RECORD
        self._read: Callable[[int, int, memoryview], bool] = read_cached_into
        """For the reactor thread; false where that would have to wait."""
        self._asked = False
        """Whether a file system that cannot tell is known to be memory, or not."""
        self._quick = False
        """Whether the peer has taken much, and the last of it soon."""
        peer.attach()

    def close(self) -> None:
        """Leave the transport as it was found."""
        self._peer.detach()

    async def write(self, octets: bytes) -> None:
        """Hand over a few octets."""
        self._peer.check()
        self._peer.request.write(octets)
        self._peer.moved += len(octets)

    async def drained(self) -> None:
        """Wait until the buffer of the transport below is empty."""
        await drained(self._peer, self._below)

    async def send(self, fd: int, start: int, stop: int, watch: Watch) -> None:
        """Encrypt and send ``[start, stop)``."""
        if isinstance(self._tls, BufferingTLSTransport):
            edge = min(stop, start + _FLUSHING)
            await self.write(await self._in_thread(read_exactly, fd, start, edge))
            start = edge
        while start < stop:
            edge = min(stop, start + self._turn())
            await paced(self._pace, self._peer, edge - start)
            while start < edge:
                await self._measured_drain()
                reached = self._cached(fd, start, edge)
                if reached == start:
                    reached = await self._stretch(fd, start, edge, watch)
                elif not watch.seems_same():
                    await self._in_thread(watch.check)
                start = reached

    async def _measured_drain(self) -> None:
        """
        Wait, and choose the block: the larger the cheaper.

        What the socket does not take of one waits in memory: a peer has to show that it is
        worth that.
        """
        self._peer.check()
        release_buffers(self._tls.getHandle())
        began = self._peer.clock.seconds()
        await drained(self._peer, self._below)
        self._quick = self._peer.clock.seconds() - began <= _SLOW and self._peer.moved >= _PROVEN
        self._block = _BLOCK if self._quick else _RECORD

    def _turn(self) -> int:
        return _PER_TURN if self._pace is None else min(_PER_TURN, self._pace.burst)

    def _cached(self, fd: int, start: int, stop: int) -> int:
        """Send from memory until *stop*, a full socket or a disk to wait for; say how far."""
        connection = self._tls.getHandle()
        room = True
        while room and start < stop:
            block = _plain[: min(self._block, stop - start)]
            if not self._read(fd, start, block):
                break
            room = self._encrypt(connection, block)
            start += len(block)
        return start

    async def _stretch(self, fd: int, start: int, stop: int, watch: Watch) -> int:
        """
        Have a thread read, and send that; say how far it went.

        Where the octets are on the disk, and where the file system cannot say that they are
        not: network file systems, overlays, the first octets from one that is nothing but memory.
        """
        if not self._asked:
            self._asked = True
            if await self._in_thread(lives_in_memory, fd):
                self._read = read_into
        edge = min(stop, start + (LARGEST_BLOCK if self._quick else self._block))
        octets = memoryview(await self._in_thread(_read_unchanged, fd, start, edge, watch))
        self._peer.check()
        connection = self._tls.getHandle()
        while octets:
            block, octets = octets[: self._block], octets[self._block :]
            if not self._encrypt(connection, block):
                await self._measured_drain()
        return edge

    def _encrypt(self, connection: SSL.Connection, block: memoryview) -> bool:
        """Send one block; False where the socket or TLS takes no more for now."""
        self._peer.request.sentLength += len(block)
        self._peer.moved += len(block)
        at = 0
        try:
            while at < len(block):
                at += connection.send(block[at:])
        except SSL.Error:
            # TLS has to hear from the peer first, or is broken: its own layer knows what to do.
            self._tls.write(bytes(block[at:]))
            return False
        return self._push(connection.bio_read(len(block) + _OVERHEAD))

    def _push(self, records: bytes) -> bool:
        taken = 0
        with suppress(OSError):  # full, or lost: the transport finds out which
            taken = int(self._below.socket.send(records))
        if taken < len(records):
            self._below.write(records[taken:])
        return taken == len(records)


def _read_unchanged(fd: int, start: int, stop: int, watch: Watch) -> bytes:
    octets = read_exactly(fd, start, stop)
    watch.check()
    return octets
