"""
Answering a request for an open file: facts to plan, plan to octets.

What is answered is decided by `rangedaemon.core.responses`, how octets leave by
`rangedaemon.server.body`; here they meet a twisted.web request.  Whoever has an
open file can use this, in this daemon's mounts or elsewhere.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.logger import Logger
from twisted.web.http import Request

from rangedaemon.core.etags import EntityTag
from rangedaemon.core.grammar import join_lines
from rangedaemon.core.identity import FINE_TICK, FileStamp
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.media import media_type
from rangedaemon.core.preconditions import Conditions, Validators
from rangedaemon.core.responses import (
    Field,
    Representation,
    RequestFacts,
    ResponsePlan,
    plan_response,
)
from rangedaemon.server.body import BodyCut, FileSlice, send_body
from rangedaemon.server.pacing import Pace
from rangedaemon.storage.threads import InThread
from rangedaemon.storage.tree import OpenFile

_log = Logger()


NO_SNIFFING = ("X-Content-Type-Options", "nosniff")
"""A field of every answer: the media type is ours to tell."""


def _random_boundary() -> str:
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What answering needs of the world: time, threads and chance."""

    clock: IReactorTime
    in_thread: InThread
    now: Callable[[], float] = field(default=time.time)
    """Seconds since the epoch."""
    boundary: Callable[[], str] = field(default=_random_boundary)
    """A new delimiter for a multipart body."""
    patience: float = 60.0
    """Seconds after which a peer that takes nothing is given up."""


def peer_gone(request: Request) -> bool:
    """Whether the peer left before its answer was finished: nothing can be sent any more."""
    return getattr(request, "channel", None) is None


def field_value(request: Request, name: str) -> str | None:
    """A request field as text, repeated lines joined; None where there is none."""
    lines = request.requestHeaders.getRawHeaders(name.encode("ascii")) or ()
    return join_lines(line.decode("latin-1") for line in lines)


def request_facts(request: Request) -> RequestFacts:
    """What of *request* decides its answer."""
    conditions = Conditions(
        if_match=field_value(request, "If-Match"),
        if_unmodified_since=field_value(request, "If-Unmodified-Since"),
        if_none_match=field_value(request, "If-None-Match"),
        if_modified_since=field_value(request, "If-Modified-Since"),
        if_range=field_value(request, "If-Range"),
    )
    method = request.method.decode("latin-1")
    return RequestFacts(method, field_value(request, "Range"), conditions)


def stamp_of(opened: OpenFile) -> FileStamp:
    """What identifies the octets of an open file."""
    return FileStamp(opened.inode, opened.size, opened.mtime_ns, opened.ctime_ns)


async def open_settled(surroundings: Surroundings, opener: Callable[[], OpenFile]) -> OpenFile:
    """The file that *opener* opens in a thread, with a tag that is strong if it can be."""
    opened = await surroundings.in_thread(opener)
    if await waited_for(surroundings, opened):
        opened = await surroundings.in_thread(opener)
    return opened


async def waited_for(surroundings: Surroundings, opened: OpenFile) -> bool:
    """
    Whether *opened* was just written, so that we closed it and waited: open it again.

    Once the clock tick of that write is over (`core.identity`) its tag can be strong.
    That takes a tenth of a second at most, and spares the reader a weak tag, with which
    nothing can be resumed.
    """
    delay = stamp_of(opened).settles_in(surroundings.now())
    if not 0 < delay <= FINE_TICK:
        return False
    opened.close()
    await deferLater(surroundings.clock, delay)
    return True


async def serve_open_file(
    request: Request,
    opened: OpenFile,
    surroundings: Surroundings,
    *,
    kind: str | None = None,
    kept: Sequence[Field] = (),
    described: Sequence[Field] = (),
    rate_limit: int | None = None,
    shared_pace: Pace | None = None,
    keep: Callable[[Representation], None] = lambda _: None,
) -> None:
    """
    Answer a GET or HEAD with *opened*, with all that ranges and conditions mean, and close it.

    :param kind: the media type; None: what the file's name says.
    :param kept: fields that a 304 has too (Cache-Control, Vary, …).
    :param described: further fields of the 200 and 206 (Content-Disposition, …).
    :param rate_limit: octets per second on this connection.
    :param shared_pace: the pace of this and other connections together.
    :param keep: told what is answered with, while *opened* is open, where that will not
        be another just because time passes.
    """
    if peer_gone(request):
        opened.close()
        return
    try:
        now = surroundings.now()
        stamp = stamp_of(opened)
        representation = Representation(
            opened.size,
            kind or media_type(opened.name),
            Validators(stamp.entity_tag(now), stamp.last_modified(now)),
            tuple(kept),
            tuple(described),
        )
        if not stamp.settles_in(now) and stamp.mtime_ns <= now * 1e9:
            keep(representation)
        plan = _plan(request, representation, surroundings, now)
        await _send(request, plan, opened, surroundings, rate_limit, shared_pace)
    finally:
        opened.close()


def _plan(
    request: Request, representation: Representation, surroundings: Surroundings, now: float
) -> ResponsePlan:
    facts = request_facts(request)
    # Chance is asked for only where there may be several parts: it costs a call of the system.
    boundary = surroundings.boundary() if facts.range is not None and "," in facts.range else ""
    return plan_response(facts, representation, now=now, boundary=boundary)


async def _send(
    request: Request,
    plan: ResponsePlan,
    opened: OpenFile,
    surroundings: Surroundings,
    rate_limit: int | None,
    shared_pace: Pace | None,
) -> None:
    set_head(request, plan.status, plan.fields)
    parts = [
        FileSlice(opened.fd, part.start, part.stop) if isinstance(part, ByteRange) else part
        for part in plan.parts
    ]
    if any(isinstance(part, FileSlice) for part in parts):
        try:
            await send_body(
                request,
                parts,
                clock=surroundings.clock,
                in_thread=surroundings.in_thread,
                still_same=opened.still_same,
                rate_limit=rate_limit,
                shared_pace=shared_pace,
                patience=surroundings.patience,
            )
        except BodyCut as cut:
            _log.debug("{name} was not sent to its end: {why}", name=opened.name, why=cut.detail)
            return
    else:
        request.write(b"".join(part for part in parts if isinstance(part, bytes)))
    if not peer_gone(request):
        request.finish()


def serve_octets(
    request: Request,
    octets: bytes,
    surroundings: Surroundings,
    *,
    kind: str,
    kept: Sequence[Field] = (),
    described: Sequence[Field] = (),
) -> None:
    """Answer a GET or HEAD with octets that were made, under a tag made of them."""
    tag = EntityTag(f"c1-{sha256(octets).hexdigest()[:32]}")
    representation = Representation(
        len(octets), kind, Validators(tag), tuple(kept), tuple(described)
    )
    plan = _plan(request, representation, surroundings, surroundings.now())
    parts = [
        octets[part.start : part.stop] if isinstance(part, ByteRange) else part
        for part in plan.parts
    ]
    send_plan(request, ResponsePlan(plan.status, plan.fields, tuple(parts)))


def set_head(request: Request, status: int, fields: Iterable[Field]) -> None:
    """Set the status and add the fields of an answer."""
    request.setResponseCode(status)
    add_fields(request, fields)


def add_fields(request: Request, fields: Iterable[Field]) -> None:
    """Add fields to the answer; one that is there already gets a further line."""
    for name, value in fields:
        request.responseHeaders.addRawHeader(name.encode("ascii"), value.encode("latin-1"))


def send_plan(request: Request, plan: ResponsePlan) -> None:
    """Answer with a plan that needs no file, if there still is somebody to answer."""
    if peer_gone(request):
        return
    set_head(request, plan.status, plan.fields)
    request.write(b"".join(part for part in plan.parts if isinstance(part, bytes)))
    request.finish()
