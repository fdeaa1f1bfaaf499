"""The segmented form over the store; its fields are in `rangedaemon.core.receiving.segmented`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from rangedaemon.core.disposition import FALLBACK_NAME, safe_filename
from rangedaemon.core.receiving.asks import Refusal
from rangedaemon.core.receiving.segmented import MOST_LISTED, Segment, format_ranges, read_segment
from rangedaemon.core.responses import ResponsePlan
from rangedaemon.core.uploadfaults import UnknownUpload, UploadBusy
from rangedaemon.core.uploads import Upload, UploadProtocol
from rangedaemon.errors import Fault
from rangedaemon.server.uploads.reception import Adapter, Reception, say


class Segmented(Adapter):
    """The protocol of nginx's upload module."""

    protocol = UploadProtocol.SEGMENTED

    async def answer(self, reception: Reception) -> ResponsePlan:
        """POST brings a segment; a session can be asked after, and given up."""
        if reception.upload_id is None:
            segment = read_segment(reception.ask)
            if segment.session is None or segment.range is None or segment.length is None:
                return await _whole(reception, segment)
            return await _part(reception, segment)
        match reception.ask.method:
            case "HEAD" | "GET":
                return _standing(reception, await reception.find_soon())
            case "DELETE":
                await reception.store.terminate(await reception.find())
                return say(204)
        raise Refusal(405, "That cannot be done with a session.", ("Allow", "GET, HEAD, DELETE"))


async def _part(reception: Reception, segment: Segment) -> ResponsePlan:
    upload = await _session(reception, segment)
    if upload.length != segment.length or upload.name != _safe(segment):
        raise Refusal(409, "This session is that of another file: its name or length differ.")
    if not upload.finished and segment.range is not None:
        upload = await reception.take_in_turn(upload, segment.range.start)
    if upload.whole:
        upload = await reception.finish(upload)
    return _standing(reception, upload)


async def _session(reception: Reception, segment: Segment) -> Upload:
    """The upload of the session, whichever of its segments was the first."""
    with suppress(UnknownUpload):
        return await reception.find(segment.session)
    wish = reception.wish(segment.filename, reception.ask.media_type)
    try:
        return await reception.store.create(
            reception.scope, replace(wish, id=segment.session, length=segment.length)
        )
    except UploadBusy:  # another segment was quicker
        return await reception.find(segment.session)


def _safe(segment: Segment) -> str | None:
    return safe_filename(segment.filename or FALLBACK_NAME)


async def _whole(reception: Reception, segment: Segment) -> ResponsePlan:
    """A file that comes at once; what is cut cannot be gone on with, as it has no name yet."""
    wish = reception.wish(segment.filename, reception.ask.media_type)
    single = reception.single()
    upload = await reception.store.create(
        reception.scope, replace(wish, id=single, length=segment.length)
    )
    try:
        if reception.ask.length != 0:
            upload = await reception.take(upload, 0)
        if upload.length is None:
            upload = await reception.store.set_length(upload, upload.offset)
        upload = await reception.finish(upload)
    except Fault:
        await reception.forget(upload)
        raise
    return _standing(reception, upload)


def _standing(reception: Reception, upload: Upload) -> ResponsePlan:
    """What is there; 200 says that it is all."""
    if upload.finished:
        place = ("Location", reception.file_address(upload))
        return say(200, [place], "" if reception.ask.method == "HEAD" else "complete\n")
    text = format_ranges(upload.arrived, upload.length or 0, MOST_LISTED)
    plan = say(201, [("Range", text)] if text else [], text)
    return replace(plan, parts=()) if reception.ask.method == "HEAD" else plan
