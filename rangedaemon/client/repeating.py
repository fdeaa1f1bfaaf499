"""
A job that was complete before, and whose turn it is again: did its file change?

One conditional request tells (RFC 9110, 13.1): 304, and nothing is touched.  It asks for
one octet, so that an origin that does not know conditions sends no more than that; then
the validators of its answer are compared.  What cannot be told is fetched anew.
"""

from __future__ import annotations

import stat
from dataclasses import replace
from pathlib import Path
from typing import Any

from twisted.internet.protocol import Protocol

from rangedaemon.client.origin import Request
from rangedaemon.client.surroundings import Surroundings
from rangedaemon.core.acceptance import Unsatisfiable, judge
from rangedaemon.core.intervals import EMPTY, ByteRange
from rangedaemon.core.jobs import JobRecord, JobSpec, Remembered
from rangedaemon.core.validators import Verdict, compare
from rangedaemon.errors import Throttled

NOT_MODIFIED = 304


def is_there(path: Path, size: int | None) -> bool:
    """Whether the finished file is still a file of that size; blocking."""
    try:
        found = path.stat()
    except OSError:
        return False
    return stat.S_ISREG(found.st_mode) and found.st_size == size


async def is_unchanged(around: Surroundings, request: Request, remembered: Remembered) -> bool:
    """Whether the origin still has the representation *remembered*.

    :raises OriginFault: there is no usable answer.
    """
    if remembered.etag is None and remembered.last_modified is None:
        return False  # nobody could tell
    around.hosts.insist_on_peace(request.url)
    slot = await around.hosts.take(request.url)
    try:
        reply = await around.origin.get(_conditional(request, remembered), slot.move_to)
        answer = reply.answer
        if answer.status == NOT_MODIFIED:
            reply.deliver(Protocol())  # it has no body: the connection can serve the next
            return True
        reply.drop()
        try:
            accepted = judge(answer, ByteRange(0, 1), None, now=around.wall())
        except Throttled as fault:
            around.hosts.overloaded(answer.url, fault.retry_after)
            raise
        seen = around.remembered_of(answer, accepted.length)
        same = compare(remembered, seen).verdict is Verdict.SAME
        return same and not isinstance(accepted, Unsatisfiable)
    finally:
        slot.release()


def _conditional(request: Request, remembered: Remembered) -> Request:
    return replace(
        request,
        range=ByteRange(0, 1),
        if_none_match=remembered.etag,
        if_modified_since=remembered.last_modified,
    )


def begun_anew(record: JobRecord, spec: JobSpec | None = None) -> dict[str, Any]:
    """What changes in the record of a job whose file is to be fetched again, to its old name.

    :param spec: its wishes, where they are others by now.
    """
    spec = spec or record.spec
    return {
        "spec": replace(spec, replaces=record.filename, checksum=spec.sums or spec.checksum),
        "covered": EMPTY,
        "remembered": Remembered(),
        "accepts_ranges": None,
        "filename": None,
        "verified": None,
        "digest": None,
        "finished": None,
    }
