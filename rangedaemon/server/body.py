"""
How the octets of an answer leave: the one place that knows the transport.

Resources say what (`FileSlice` and octets in between); here it is decided how:
small bodies in one write, sendfile on a plain socket, blocks with push
back-pressure elsewhere.  A file that is cut short or changed while it is sent
ends the connection before the last octets, so that the peer sees an incomplete
message (RFC 9112, section 8); nothing is padded and nothing finished.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

from twisted.internet.interfaces import IReactorTime, ISSLTransport
from twisted.web.http import HTTPChannel, Request
from twisted.web.http_headers import Headers

from rangedaemon.errors import StorageFault
from rangedaemon.server.lanes import BodyCut, CopyLane, Lane, Peer, paced
from rangedaemon.server.pacing import Pace, Paces
from rangedaemon.server.sendfile import SocketLane, can_sendfile
from rangedaemon.server.watch import FileMoved, Watch
from rangedaemon.storage.reading import read_cached, read_exactly
from rangedaemon.storage.threads import InThread

SMALL: Final = 16 * 1024
"""File octets that may wait in memory for a slow peer; the end of every body is read so."""

_PATIENCE: Final = 60.0
_SAMPLE: Final = 64


@dataclass(frozen=True, slots=True)
class FileSlice:
    """The octets ``[start, stop)`` of an open file; its owner closes it, after the body."""

    fd: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start


Part = bytes | FileSlice


def send_body(
    request: Request,
    parts: Sequence[Part],
    *,
    clock: IReactorTime,
    in_thread: InThread,
    still_same: Callable[[], bool],
    rate_limit: int | None = None,
    shared_pace: Pace | None = None,
    patience: float = _PATIENCE,
) -> Coroutine[Any, Any, None]:
    """
    Send *parts*, in order, as the body of *request*, whose status and headers are set.

    Returns when the transport has the last octet; the caller then finishes the request.
    Fails with `BodyCut` when the peer went, fell silent for *patience* seconds or the
    file moved: the connection is gone then, and the caller only lets go of the file.
    Either way no thread uses the file any more.

    *still_same* is a stat of the open file; it is asked in a thread, or in the reactor
    where the file system has just shown that it answers from memory (`Watch`).  *rate_limit* is
    octets per second over all answers of the connection, *shared_pace* that of all
    connections that have it.
    """
    own_pace = _pace_of(request.channel, rate_limit)
    paces = [pace for pace in (own_pace, shared_pace) if pace is not None]
    pace = Paces(paces) if paces else None
    body = _Body(request, clock, in_thread, still_same, pace, patience)
    return body.send(parts)


_paces: WeakKeyDictionary[HTTPChannel, Pace] = WeakKeyDictionary()


def _pace_of(channel: HTTPChannel, rate: int | None) -> Pace | None:
    if rate is None:
        return None
    pace = _paces.get(channel)
    if pace is None or pace.rate != rate:
        pace = _paces[channel] = Pace(rate)
    return pace


def split_closing(parts: Sequence[Part], room: int = SMALL) -> tuple[list[Part], list[Part]]:
    """
    Take the last *room* file octets, and all after and between them, off the end of a body.

    Those are sent only after the file was found unchanged, so nobody completes a body
    of two versions.
    """
    opening = list(parts)
    closing: list[Part] = []
    while opening and room > 0:
        part = opening.pop()
        if isinstance(part, FileSlice):
            if len(part) > room:
                cut = part.stop - room
                opening.append(FileSlice(part.fd, part.start, cut))
                part = FileSlice(part.fd, cut, part.stop)
            room -= len(part)
        closing.insert(0, part)
    return opening, closing


class _Body:
    """One body on its way."""

    def __init__(
        self,
        request: Request,
        clock: IReactorTime,
        in_thread: InThread,
        still_same: Callable[[], bool],
        pace: Paces | None,
        patience: float,
    ) -> None:
        self._request = request
        self._in_thread = in_thread
        self._watch = Watch(still_same)
        self._pace = pace
        self._peer = Peer(request, clock, patience)

    async def send(self, parts: Sequence[Part]) -> None:
        """The whole story."""
        if self._request.method == b"HEAD":
            self._request.write(b"")
            return
        opening, closing = split_closing(parts)
        try:
            if opening:
                await self._send_large(parts, opening, closing)
            else:
                await self._send_small(closing)
        except StorageFault as fault:
            self._peer.cut(fault.detail)
            raise BodyCut(fault.detail) from fault
        except Exception as exc:
            self._peer.cut(f"the answer failed: {exc}")
            raise
        finally:
            self._peer.close()

    async def _send_small(self, closing: list[Part]) -> None:
        octets = self._gather_cached(closing)
        if octets is None:
            octets = await self._in_thread(_gather, closing, self._watch.check)
        await paced(self._pace, self._peer, len(octets))
        self._peer.check()
        self._request.write(octets)

    async def _send_large(
        self, parts: Sequence[Part], opening: list[Part], closing: list[Part]
    ) -> None:
        self._request.write(b"")
        samples = await self._in_thread(_samples, parts)
        self._peer.check()
        _forget_fields(self._request)
        lane = self._lane()
        try:
            for part in opening:
                if isinstance(part, FileSlice):
                    await lane.send(part.fd, part.start, part.stop, self._watch)
                else:
                    await lane.write(part)
            octets = await self._in_thread(_gather, closing, self._watch.check, samples)
            await paced(self._pace, self._peer, len(octets))
            await lane.write(octets)
            await lane.drained()
        finally:
            lane.close()

    def _lane(self) -> Lane:
        if can_sendfile(self._peer.transport):
            return SocketLane(self._peer, self._in_thread, self._pace)
        if ISSLTransport.providedBy(self._peer.transport):
            # Only a port with TLS has loaded what it needs: see `rangedaemon.server.sparing`.
            from rangedaemon.server.tls import TlsLane, is_tls_over_socket  # noqa: PLC0415

            if is_tls_over_socket(self._peer.transport):
                return TlsLane(self._peer, self._in_thread, self._pace)
        return CopyLane(self._peer, self._in_thread, self._pace)

    def _gather_cached(self, parts: Sequence[Part]) -> bytes | None:
        blocks: list[bytes] = []
        for part in parts:
            octets = (
                read_cached(part.fd, part.start, part.stop) if isinstance(part, FileSlice) else part
            )
            if octets is None:
                return None
            blocks.append(octets)
        return b"".join(blocks) if self._watch.seems_same() else None


def _forget_fields(request: Request) -> None:
    """
    Keep of the head, which is sent, what is still asked for.

    A peer may take hours for the body, and there may be thousands.
    """
    length = request.responseHeaders.getRawHeaders(b"Content-Length", [])
    request.responseHeaders = Headers({b"Content-Length": length} if length else {})


@dataclass(frozen=True, slots=True)
class _Sample:
    """A few octets of a file as they were before the first was sent."""

    fd: int
    start: int
    octets: bytes

    def holds(self) -> bool:
        return os.pread(self.fd, len(self.octets), self.start) == self.octets


def _samples(parts: Sequence[Part]) -> list[_Sample]:
    """
    Evidence that a file which grew was added to, and not emptied and written anew.

    :raises FileCutShort: the file is already shorter than promised.
    """
    return [
        _Sample(part.fd, at, read_exactly(part.fd, at, min(at + _SAMPLE, part.stop)))
        for part in parts
        if isinstance(part, FileSlice)
        for at in (part.start, max(part.start, part.stop - _SAMPLE))
    ]


def _gather(
    parts: Sequence[Part], check: Callable[[], None], samples: Sequence[_Sample] = ()
) -> bytes:
    """Read *parts*, and only then ask whether the file is still what it was."""
    octets = b"".join(
        read_exactly(part.fd, part.start, part.stop) if isinstance(part, FileSlice) else part
        for part in parts
    )
    check()
    if not all(sample.holds() for sample in samples):
        raise FileMoved("the file was written anew while it was sent")
    return octets


__all__ = ["BodyCut", "FileMoved", "FileSlice", "Part", "send_body", "split_closing"]
