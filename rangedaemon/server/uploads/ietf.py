"""
Resumable Uploads for HTTP over the store; the fields are in `rangedaemon.core.receiving.draft`.

An upload is complete when its client says so (``Upload-Complete: ?1``), and then it is
published.  Digests of the whole and of one request's content are those of RFC 9530.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from twisted.web.http import RESPONSES

from rangedaemon.core.disposition import parse_disposition
from rangedaemon.core.promises import best, parse_digest_field
from rangedaemon.core.receiving import draft
from rangedaemon.core.receiving.asks import Refusal
from rangedaemon.core.responses import ResponsePlan
from rangedaemon.core.uploadfaults import LengthMismatch, OffsetMismatch
from rangedaemon.core.uploads import Upload, UploadProtocol
from rangedaemon.errors import Fault
from rangedaemon.server.uploads.reception import (
    Adapter,
    Reception,
    fields_of,
    say,
    status_of,
    words_of,
)


class Ietf(Adapter):
    """The protocol of draft-ietf-httpbis-resumable-upload."""

    protocol = UploadProtocol.IETF

    async def answer(self, reception: Reception) -> ResponsePlan:
        """Creation wherever files may be put, the rest at an upload's own address."""
        if reception.upload_id is None:
            return await _create(reception)
        match reception.ask.method:
            case "HEAD" | "GET":
                return await _stand(reception)
            case "PATCH":
                return await _append(reception)
            case "DELETE":
                await reception.store.terminate(await reception.find())
                return say(204)
        raise Refusal(
            405, "That cannot be done with an upload.", ("Allow", "GET, HEAD, PATCH, DELETE")
        )

    def refused(self, fault: Fault) -> ResponsePlan:
        """As a problem (RFC 9457)."""
        refusal = _as_refusal(fault)
        title = RESPONSES.get(refusal.http_status, b"Refused").decode("ascii")
        body = draft.problem(refusal, title)
        own = (("Content-Type", draft.PROBLEM), ("Content-Length", str(len(body))))
        return ResponsePlan(refusal.http_status, (*refusal.fields, *own), (body,))


def _as_refusal(fault: Fault) -> Refusal:
    match fault:
        case Refusal():
            return fault
        case OffsetMismatch():
            return draft.Mismatch(expected=fault.expected, provided=fault.provided)
        case LengthMismatch():
            return draft.Inconsistent(fault.detail)
    return Refusal(status_of(fault), words_of(fault), *fields_of(fault))


def _limits(reception: Reception) -> draft.Limits:
    return draft.Limits(reception.rules.max_size, int(reception.rules.expire))


async def _create(reception: Reception) -> ResponsePlan:
    asked = draft.read_creation(reception.ask)
    upload = await _begin(reception, asked.length)
    tell = reception.tell if asked.interim and reception.ask.length != 0 else _silent
    tell(draft.supported(reception.address(upload), _limits(reception)))
    return await _receive(reception, upload, complete=asked.complete, tell=tell, created=True)


async def _begin(reception: Reception, length: int | None) -> Upload:
    """A new upload; a PUT names its file by its target, all else by a field."""
    ask = reception.ask
    if ask.method == "PUT":
        wish = reception.wish_for_target()
    else:
        name = parse_disposition(ask.get("content-disposition") or "")
        wish = reception.wish(name, ask.media_type)
    digest = best(parse_digest_field(ask.get("repr-digest")))
    return await reception.store.create(
        reception.scope, replace(wish, length=length, digest=digest)
    )


async def _append(reception: Reception) -> ResponsePlan:
    upload = await reception.find_still()
    asked = draft.read_append(reception.ask, upload.offset, upload.length)
    if asked.length is not None and upload.length is None:
        upload = await reception.store.set_length(upload, asked.length)
    tell = reception.tell if asked.interim and reception.ask.length != 0 else _silent
    return await _receive(reception, upload, complete=asked.complete, tell=tell)


def _silent(_octets: bytes) -> None:
    """What is told to a client that does not understand interim answers."""


async def _receive(
    reception: Reception,
    upload: Upload,
    *,
    complete: bool,
    tell: Callable[[bytes], None],
    created: bool = False,
) -> ResponsePlan:
    """Take what the request brings; the last of it makes a file of the upload."""
    if reception.ask.length != 0:
        upload = await reception.take(
            upload,
            upload.offset,
            digest=best(parse_digest_field(reception.ask.get("content-digest"))),
            on_committed=lambda offset: tell(draft.advanced(offset)),
        )
    if complete:
        return await _complete(reception, upload)
    place = ("Location", reception.address(upload))
    limits = ("Upload-Limit", draft.format_limits(_limits(reception)))
    told = draft.progress(upload.offset, complete=False)
    return say(201, [place, limits, *told]) if created else say(204, told)


async def _complete(reception: Reception, upload: Upload) -> ResponsePlan:
    if upload.length is None:
        upload = await reception.store.set_length(upload, upload.offset)
    upload = await reception.finish(upload)
    place = ("Location", reception.file_address(upload))
    return say(201, [place, *draft.progress(upload.offset, complete=True)])


async def _stand(reception: Reception) -> ResponsePlan:
    upload = await reception.find_still()
    limits = _limits(reception)
    return say(204, draft.standing(upload.offset, upload.finished, upload.length, limits))
