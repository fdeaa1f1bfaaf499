"""
The site: mounts behind twisted.web's HTTP/1.1, with what a public server needs set right.

Bodies that nobody asked for are dropped as they come, so no request fills memory or
disk; no traceback is shown; form fields are not parsed.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from io import BytesIO
from typing import Any

from twisted.internet.interfaces import IReactorTime
from twisted.web.server import Request, Site

from rangedaemon.core.dates import format_http_date
from rangedaemon.server.answering import Surroundings
from rangedaemon.server.mounts import Mount
from rangedaemon.server.resource import MountsResource
from rangedaemon.storage.threads import InThread

IDLE_TIMEOUT = 60.0
"""Seconds for which a connection without a request, or in the middle of one, may be silent."""


class RangeRequest(Request):
    """A request of ours: straight to the resource, and without a body."""

    channel: Any

    def gotLength(self, length: int | None) -> None:  # noqa: ARG002 - twisted.web's interface
        """A body may come."""
        self.content = BytesIO()

    def handleContentChunk(self, data: bytes) -> None:
        """Drop what comes."""

    def process(self) -> None:
        """All headers and the body are here."""
        site: RangeSite = self.channel.site
        self.site = site
        self.responseHeaders.setRawHeaders(b"Server", [b"rangedaemon"])
        self.responseHeaders.setRawHeaders(b"Date", [format_http_date(site.now()).encode()])
        site.resource.render(self)


class RangeSite(Site):
    """The site of our requests."""

    requestFactory = RangeRequest

    def __init__(self, resource: MountsResource, clock: IReactorTime, idle_timeout: float) -> None:
        super().__init__(  # type: ignore[no-untyped-call]
            resource, parsePOSTFormSubmission=False, reactor=clock, timeout=idle_timeout
        )
        self.displayTracebacks = False
        self.now = resource.now


def build_site(
    mounts: Sequence[Mount],
    *,
    clock: IReactorTime,
    in_thread: InThread,
    now: Callable[[], float] = time.time,
    idle_timeout: float = IDLE_TIMEOUT,
) -> Site:
    """
    The site that serves *mounts*.

    :param clock: the reactor, or what stands for its time.
    :param in_thread: where files are opened and read.
    :param now: seconds since the epoch.
    :raises ValueError: two mounts have the same path.
    """
    surroundings = Surroundings(clock, in_thread, now)
    return RangeSite(MountsResource(mounts, surroundings), clock, idle_timeout)
