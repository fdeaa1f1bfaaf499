"""
A file served while it is still fetched: full ranges, each octet sent when it is there.

What is asked for is fetched first.  A reader that stalls holds one block; one that
leaves is forgotten; where the job stops in the middle the connection is cut, so that
nobody takes the part for the whole.
"""

from __future__ import annotations

from hashlib import sha256

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.web.server import Request
from zope.interface import implementer

from rangedaemon.control.ports import Growing
from rangedaemon.core.disposition import format_disposition
from rangedaemon.core.etags import EntityTag
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.media import media_type
from rangedaemon.core.preconditions import Validators
from rangedaemon.core.responses import Part, Representation, plan_response
from rangedaemon.errors import Fault
from rangedaemon.server.answering import Surroundings, peer_gone, request_facts, set_head

BLOCK = 256 * 1024
"""Octets read and handed to the connection at a time."""

_log = Logger()


@implementer(IPushProducer)
class Valve:
    """Open while the connection takes octets."""

    def __init__(self) -> None:
        self.gone = False
        """Whether the reader has left."""
        self._closed: Deferred[None] | None = None

    async def opened(self) -> None:
        """Return when the connection takes octets, or is gone."""
        if self._closed is not None:
            await self._closed

    def pauseProducing(self) -> None:
        """The connection has enough."""
        if self._closed is None:
            self._closed = Deferred()

    def resumeProducing(self) -> None:
        """The connection takes octets again."""
        closed, self._closed = self._closed, None
        if closed is not None:
            closed.callback(None)

    def stopProducing(self) -> None:
        """The reader has left."""
        self.gone = True
        self.resumeProducing()


def representation_of(job_id: str, reader: Growing) -> Representation:
    """What the file will be, under a tag of our own that lasts as long as its origin's."""
    seen = f"{job_id} {reader.identity.etag} {reader.identity.last_modified} {reader.generation}"
    tag = EntityTag(f"g1-{sha256(seen.encode()).hexdigest()[:32]}")
    named = ("Content-Disposition", format_disposition("attachment", reader.filename))
    return Representation(
        reader.length, media_type(reader.filename), Validators(tag), described=(named,)
    )


async def serve_growing(
    request: Request, job_id: str, reader: Growing, around: Surroundings
) -> None:
    """Answer a GET or HEAD with the file that *reader* reads; closes it."""
    valve = Valve()
    left = request.notifyFinish()
    left.addErrback(lambda _: valve.stopProducing())
    try:
        plan = plan_response(
            request_facts(request),
            representation_of(job_id, reader),
            now=around.now(),
            boundary=around.boundary(),
        )
        set_head(request, plan.status, plan.fields)
        request.registerProducer(valve, True)
        for part in plan.parts:
            await _send(request, part, reader, valve)
    except Fault as fault:
        _log.info("a reader of job {id} is cut off: {why}", id=job_id, why=fault.detail)
        if not peer_gone(request):
            request.transport.abortConnection()  # type: ignore[union-attr]
    else:
        if not peer_gone(request):
            request.unregisterProducer()
            request.finish()
    finally:
        await reader.close()


async def _send(request: Request, part: Part, reader: Growing, valve: Valve) -> None:
    if not isinstance(part, ByteRange):
        request.write(part)
        return
    offset = part.start
    while offset < part.stop and not valve.gone:
        block = await reader.read(offset, min(BLOCK, part.stop - offset))
        if peer_gone(request):
            return
        request.write(block)
        offset += len(block)
        await valve.opened()
