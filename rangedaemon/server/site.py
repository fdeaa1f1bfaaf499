"""
The site: mounts behind twisted.web's HTTP/1.1, with what a public server needs set right.

Bodies that nobody asked for are dropped as they come, so no request fills memory or
disk; no traceback is shown; form fields are not parsed; connections are counted and
timed; each answer is a line of the access log, if there is one.
"""

from __future__ import annotations

import resource
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IAddress, IReactorTime
from twisted.internet.protocol import Protocol
from twisted.python.failure import Failure
from twisted.web.http import Request as HTTPRequest
from twisted.web.server import Request, Site

from rangedaemon.core.dates import format_http_date
from rangedaemon.server.accesslog import AccessLog, AccessRecord
from rangedaemon.server.answering import Surroundings, field_value
from rangedaemon.server.arrival import Body
from rangedaemon.server.channel import Crowd, RangeChannel, affordable_connections
from rangedaemon.server.hot import QuickAnswer
from rangedaemon.server.mounts import Mount
from rangedaemon.server.refusal import Refusal
from rangedaemon.server.resource import MountsResource
from rangedaemon.storage.lanes import Lanes
from rangedaemon.storage.threads import InThread

CUT = 499
"""What the access log says of a request whose end never came, as nginx does."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What peers may take; times in seconds, None is no limit."""

    idle_timeout: float = 60.0
    """For which a connection without a request, or in the middle of one, may be silent."""
    head_timeout: float = 30.0
    """For the whole head of a request."""
    stall_timeout: float = 60.0
    """For which a peer may take nothing of its answer."""
    connections: int | None = None
    """At once; None: as many as this process has descriptors for."""
    connections_per_address: int | None = None


def _most_connections() -> int | None:
    """As many connections as this process has descriptors for, and no more."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return None if soft < 0 else affordable_connections(soft)


class RangeRequest(Request):
    """A request of ours: straight to the resource, with its body as it comes, or none."""

    channel: Any
    began = 0.0
    begun = False
    """Whether it is being answered."""
    body: Body | None = None
    """What there is of a body, where somebody may want it."""

    def gotLength(self, length: int | None) -> None:
        """The head is here, and a body may come."""
        self.content = BytesIO()
        self.method, self.uri = self.channel._command, self.channel._path  # noqa: SLF001
        self.clientproto = self.channel._version  # noqa: SLF001
        self.path = self.uri.partition(b"?")[0]
        if self.channel.site.resource.takes_body(self):
            self.body = Body(self, length)
            if length != 0:
                self._begin()

    def handleContentChunk(self, data: bytes) -> None:
        """A part of the body, which is dropped where nobody wants it."""
        if self.body is not None and not self.finished:
            self.channel.site.received += len(data)
            self.body.arrived(data)

    def process(self) -> None:
        """All headers and the body are here."""
        if self.body is not None:
            self.body.end()
        if not self.begun:
            self._begin()

    def write(self, data: bytes) -> None:
        """Send a part of the answer; one that comes before the end of the body ends all."""
        if not self.startedWriting and self.body is not None and not self.body.ended:
            self.responseHeaders.setRawHeaders(b"Connection", [b"close"])
        super().write(data)  # type: ignore[no-untyped-call]

    def _begin(self) -> None:
        self.begun = True
        site: RangeSite = self.channel.site
        self.site = site
        self.began = site.now()
        self.responseHeaders.setRawHeaders(b"Server", [b"rangedaemon"])
        self.responseHeaders.setRawHeaders(b"Date", [format_http_date(self.began).encode()])
        site.resource.render(self)

    def connectionLost(self, reason: Failure) -> None:
        """The peer left before the end of its answer, or of its request."""
        cut = self.begun and self.body is not None and not self.body.ended
        if cut and not self.startedWriting:
            self.code = CUT
        if self.body is not None:
            self.body.lost()
        if (self.startedWriting or cut) and isinstance(self.site, RangeSite):
            self.site.log(self)
        super().connectionLost(reason)  # type: ignore[no-untyped-call]


class RangeSite(Site):
    """The site of our requests."""

    protocol = RangeChannel  # type: ignore[assignment]
    requestFactory = RangeRequest

    def __init__(
        self,
        mounts: MountsResource,
        clock: IReactorTime,
        limits: Limits,
        access_log: AccessLog | None,
    ) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            mounts, parsePOSTFormSubmission=False, reactor=clock, timeout=limits.idle_timeout
        )
        self.displayTracebacks = False
        self.crowd = Crowd()
        self.lanes = Lanes(clock)
        """For bodies of uploads."""
        self._sent = 0
        self.answers: Counter[int] = Counter()
        """Answers that were given, by status."""
        self.received = 0
        """Octets of the bodies of uploads that came so far."""
        self.change(mounts, limits, access_log)

    def change(self, mounts: MountsResource, limits: Limits, access_log: AccessLog | None) -> None:
        """Serve so from the next request on; what is under way ends as it began."""
        self.resource: MountsResource = mounts
        self.now = mounts.now
        self._hot = mounts.hot
        self.timeOut = limits.idle_timeout
        most = _most_connections() if limits.connections is None else limits.connections
        self.crowd.allow(most, limits.connections_per_address)
        self.head_timeout = limits.head_timeout
        self._access_log = access_log

    def startFactory(self) -> None:
        """Nothing to start: the log of twisted.web is not used."""

    def stopFactory(self) -> None:
        """Nothing to stop."""

    def buildProtocol(  # type: ignore[override]
        self, addr: IAddress | None
    ) -> Protocol:
        """A connection, or where there is no room the refusal of one."""
        address = str(getattr(addr, "host", "") or "")
        if not self.crowd.has_room(address):
            self.answers[503] += 1
            return Refusal()
        channel: RangeChannel = super().buildProtocol(addr)  # type: ignore[no-untyped-call]
        channel.address = address
        return channel

    def answer_quickly(self, octets: bytes, address: str) -> bytes | None:
        """The whole answer to a request, where it can be had without twisted.web."""
        answer = self._hot.answer(octets)
        if answer is None:
            return None
        self._sent += answer.body_length
        self.answers[answer.status] += 1
        if self._access_log is not None:
            self._access_log.write(_quick_record(answer, address, self.now()))
        return answer.octets

    async def drain(self, patience: float) -> None:
        """Come to an end: finish what was begun for *patience* seconds, then cut off the rest."""
        drained = self.crowd.drain()
        drained.addTimeout(patience, self.reactor)
        try:
            await drained
        except DeferredTimeout:
            self.crowd.abort()

    async def logged(self) -> None:
        """Wait until the access log is written."""
        if self._access_log is not None:
            await self._access_log.written()

    @property
    def sent(self) -> int:
        """Octets of bodies that went out so far, of answers under way too."""
        return self._sent + self.crowd.sending

    def log(self, request: HTTPRequest) -> None:
        """One answer is over."""
        self._sent += request.sentLength
        self.answers[request.code] += 1
        if self._access_log is not None and isinstance(request, RangeRequest):
            self._access_log.write(_record(request, self.now()))


def _record(request: RangeRequest, now: float) -> AccessRecord:
    sent = 0 if request.method == b"HEAD" else request.sentLength
    length = request.responseHeaders.getRawHeaders(b"Content-Length")
    whole = request.method == b"HEAD" or not length or sent >= int(length[0])
    return AccessRecord(
        time=request.began,
        peer=str(getattr(request.client, "host", None) or "-"),
        method=request.method.decode("latin-1"),
        path=request.path.decode("latin-1"),
        protocol=request.clientproto.decode("latin-1"),
        status=request.code,
        sent=sent,
        seconds=max(0.0, now - request.began),
        complete=whole and request.code != CUT,
        range=field_value(request, "Range"),
        referer=field_value(request, "Referer"),
        agent=field_value(request, "User-Agent"),
        received=request.body.received if request.body is not None else 0,
    )


def _quick_record(answer: QuickAnswer, address: str, now: float) -> AccessRecord:
    head = answer.head
    return AccessRecord(
        time=now,
        peer=address or "-",
        method=head.method.decode("latin-1"),
        path=head.uri.partition(b"?")[0].decode("latin-1"),
        protocol="HTTP/1.1",
        status=answer.status,
        sent=answer.body_length,
        seconds=0.0,
        complete=True,
        range=answer.range,
        referer=head.fields.get("Referer"),
        agent=head.fields.get("User-Agent"),
    )


def build_site(
    mounts: Sequence[Mount],
    *,
    clock: IReactorTime,
    in_thread: InThread,
    now: Callable[[], float] = time.time,
    limits: Limits = Limits(),
    access_log: AccessLog | None = None,
) -> RangeSite:
    """
    The site that serves *mounts*.

    :param clock: the reactor, or what stands for its time.
    :param in_thread: where files are opened and read.
    :param now: seconds since the epoch.
    :param limits: what peers may take.
    :raises ValueError: two mounts have the same path.
    """
    surroundings = Surroundings(clock, in_thread, now, patience=limits.stall_timeout)
    return RangeSite(MountsResource(mounts, surroundings), clock, limits, access_log)


def change_site(
    site: RangeSite,
    mounts: Sequence[Mount],
    *,
    in_thread: InThread,
    limits: Limits,
    access_log: AccessLog | None,
) -> None:
    """
    Have *site* serve otherwise, and take no uploads; what it knows of files stays known.

    :raises ValueError: two mounts have the same path, and nothing has changed.
    """
    before = site.resource
    surroundings = Surroundings(site.reactor, in_thread, before.now, patience=limits.stall_timeout)
    site.change(MountsResource(mounts, surroundings, before.digests), limits, access_log)
