"""
Server-Sent Events: the log of `events` as ``text/event-stream`` (WHATWG HTML, 9.2).

An id is ``<epoch>-<number>``: the epoch tells one run of the daemon from another,
so that a ``Last-Event-ID`` of an earlier run is known to be void.  Where a reader's
place is lost it gets one ``resync`` event: ask the listing again.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import NOT_DONE_YET, Request
from zope.interface import implementer

from rangedaemon.control.answers import json_octets
from rangedaemon.control.events import EventHub, Numbered
from rangedaemon.control.intake import cut_off
from rangedaemon.control.models import StatusObject
from rangedaemon.control.views import job_object

TICK = 3.0
"""Seconds between status events (each with a comment before it, as a heartbeat)."""
STALL = 30.0
"""Seconds that a reader may take nothing before it is dropped."""
BATCH = 64
"""Events joined into one write."""
MAX_READERS = 1000

_ID = re.compile(r"([0-9a-f]{1,16})-([0-9]{1,15})")
_log = Logger()


def frame(kind: str, payload: bytes, event_id: str | None = None) -> bytes:
    """One event; *payload* is JSON on one line."""
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: {kind}\ndata: ".encode() + payload + b"\n\n"


def place_after(last_id: str | None, epoch: str, tail: int, head: int) -> int | None:
    """
    Where a reader that saw *last_id* goes on.

    :returns: the number of its next event; None where that cannot be told any more.
    """
    if last_id is None:
        return head
    match = _ID.fullmatch(last_id)
    if match is None or match[1] != epoch:
        return None
    following = int(match[2]) + 1
    return following if tail <= following <= head else None


class EventStream:
    """What all readers share: the hub, the epoch, the status, one tick for all."""

    def __init__(
        self,
        hub: EventHub,
        clock: IReactorTime,
        status: Callable[[], Awaitable[StatusObject]],
        epoch: str,
    ) -> None:
        self.hub = hub
        self.clock = clock
        self.epoch = epoch
        self._status = status
        self._readers: set[Reader] = set()
        self._tick_call: IDelayedCall | None = None

    @property
    def full(self) -> bool:
        """Whether one more reader would be too many."""
        return len(self._readers) >= MAX_READERS

    def stop(self) -> None:
        """End every stream."""
        self.hub.stop()
        if self._tick_call is not None:
            self._tick_call.cancel()
            self._tick_call = None
        for reader in tuple(self._readers):
            reader.end()

    def join(self, request: Request, last_id: str | None) -> None:
        """Stream to *request* from now on."""
        reader = Reader(self, request, last_id)
        self._readers.add(reader)
        request.notifyFinish().addBoth(lambda _: self._leave(reader))
        reader.begin()
        self._tell_status([reader])
        if self._tick_call is None:
            self._tick_call = self.clock.callLater(TICK, self._tick)

    def encoded(self, event: Numbered) -> bytes:
        """Its frame, made once."""
        if event.encoded is None:
            payload = json_octets(job_object(event.snapshot))
            event.encoded = frame(event.kind, payload, f"{self.epoch}-{event.number}")
        return event.encoded

    def _leave(self, reader: Reader) -> None:
        self._readers.discard(reader)
        reader.left()
        if not self._readers and self._tick_call is not None:
            self._tick_call.cancel()
            self._tick_call = None

    def _tick(self) -> None:
        self._tick_call = self.clock.callLater(TICK, self._tick)
        for reader in tuple(self._readers):
            reader.beat()
        self._tell_status(tuple(self._readers))

    def _tell_status(self, readers: list[Reader] | tuple[Reader, ...]) -> None:
        done = Deferred.fromCoroutine(self._send_status(readers))
        done.addErrback(self._status_failed)

    async def _send_status(self, readers: list[Reader] | tuple[Reader, ...]) -> None:
        octets = frame("status", json_octets(await self._status()))
        for reader in readers:
            reader.offer(octets)

    def _status_failed(self, failure: Failure) -> None:
        _log.failure("The status for the event stream could not be had", failure)


@implementer(IPushProducer)
class Reader:
    """One open stream and its place in the log."""

    def __init__(self, stream: EventStream, request: Request, last_id: str | None) -> None:
        self._stream = stream
        self._request = request
        log = stream.hub.log
        place = place_after(last_id, stream.epoch, log.tail, log.head)
        self._lost = place is None
        self._place = log.head if place is None else place
        self._paused_since: float | None = None
        self._gone = False
        self._detach: Callable[[], None] = lambda: None

    def begin(self) -> None:
        """Send what there is; be woken for what comes."""
        self._request.registerProducer(self, True)
        self._request.write(b"retry: 2000\n\n")
        if self._lost:
            self.offer(self._resync())
        self._detach = self._stream.hub.attach(self.pump)
        self.pump()

    def pump(self) -> None:
        """Write events as long as the connection takes them."""
        log = self._stream.hub.log
        while not self._blocked and self._place < log.head:
            if self._place < log.tail:
                self.drop()
                return
            events = log.since(self._place, BATCH)
            self._place += len(events)
            self._request.write(b"".join(map(self._stream.encoded, events)))

    def offer(self, octets: bytes) -> None:
        """Write something that may be left out; a blocked reader does without."""
        if not self._blocked:
            self._request.write(octets)

    def beat(self) -> None:
        """Show that the stream lives; drop a reader that has not read for too long."""
        since = self._paused_since
        if since is not None and self._stream.clock.seconds() - since >= STALL:
            self.drop()
        self.offer(b":\n")

    def drop(self) -> None:
        """Cut a reader off that does not keep up; it may come back with its last id."""
        if not self._gone:
            self._gone = True
            cut_off(self._request)

    def end(self) -> None:
        """End the stream properly: the daemon stops."""
        if not self._gone:
            self._request.unregisterProducer()
            self._request.finish()

    def left(self) -> None:
        """The connection is gone, or the answer is finished."""
        self._gone = True
        self._detach()

    def _resync(self) -> bytes:
        log = self._stream.hub.log
        return frame("resync", b"{}", f"{self._stream.epoch}-{max(0, log.head - 1)}")

    @property
    def _blocked(self) -> bool:
        return self._gone or self._paused_since is not None

    def pauseProducing(self) -> None:
        """The connection takes no more for now."""
        if self._paused_since is None:
            self._paused_since = self._stream.clock.seconds()

    def resumeProducing(self) -> None:
        """The connection has sent what it had."""
        self._paused_since = None
        self.pump()

    def stopProducing(self) -> None:
        """The connection is lost."""
        self.left()


class EventResource(Resource):
    """``GET /api/v1/events``."""

    isLeaf = True

    def __init__(self, stream: EventStream) -> None:
        Resource.__init__(self)
        self._stream = stream

    def render(self, request: Request) -> int | bytes:
        """Begin the stream (or, for HEAD, show what it would be)."""
        request.setHeader("Content-Type", "text/event-stream")
        request.setHeader("X-Accel-Buffering", "no")
        if request.method == b"HEAD":
            return b""
        lines = request.requestHeaders.getRawHeaders(b"Last-Event-ID", [])
        last_id = lines[-1].decode("latin-1") if lines else None
        self._stream.join(request, last_id)
        return NOT_DONE_YET
