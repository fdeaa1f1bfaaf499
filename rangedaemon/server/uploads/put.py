"""PUT over the store, whole or with ``Content-Range``: `rangedaemon.core.receiving.put`."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from rangedaemon.core.receiving.asks import Refusal
from rangedaemon.core.receiving.put import Placement, read_put
from rangedaemon.core.responses import Field, ResponsePlan
from rangedaemon.core.uploadfaults import OffsetMismatch, UnknownUpload, UploadGone
from rangedaemon.core.uploads import Upload, UploadProtocol, UploadState
from rangedaemon.errors import Fault
from rangedaemon.server.uploads.reception import (
    Adapter,
    Reception,
    fields_of,
    say,
    status_of,
    words_of,
)


class Put(Adapter):
    """What every HTTP client can, and curl can go on with."""

    protocol = UploadProtocol.PUT

    async def answer(self, reception: Reception) -> ResponsePlan:
        """A file, a part of one, or the question what is there."""
        if reception.ask.method != "PUT" or reception.upload_id is not None:
            raise Refusal(405, "Files are put here, and nothing else.", ("Allow", "PUT"))
        asked = read_put(reception.ask)
        upload = await (_anew(reception, asked) if asked.anew else _known(reception, asked))
        if asked.question:
            return _standing(reception, upload)
        return await _receive(reception, upload, asked)

    def refused(self, fault: Fault) -> ResponsePlan:
        """In words; where the offset is another, with the right one."""
        fields = fields_of(fault)
        if isinstance(fault, OffsetMismatch):
            fields += _progress(fault.expected)
        return say(status_of(fault), fields, f"{words_of(fault)}\n")


async def _anew(reception: Reception, asked: Placement) -> Upload:
    """A new upload of the target, in the place of one that was not finished."""
    with suppress(UnknownUpload, UploadGone):
        former = await reception.find(reception.subject)
        if former.state is UploadState.OPEN:
            await reception.store.terminate(former)
    wish = reception.wish_for_target()
    return await reception.store.create(
        reception.scope, replace(wish, id=reception.subject, length=asked.length, replace=True)
    )


async def _known(reception: Reception, asked: Placement) -> Upload:
    upload = await reception.find_still(reception.subject)
    if upload.length != asked.length:
        raise Refusal(409, "The file that was begun has another length: begin anew.")
    return upload


async def _receive(reception: Reception, upload: Upload, asked: Placement) -> ResponsePlan:
    try:
        if reception.ask.length != 0:
            upload = await reception.take(upload, asked.start)
    except Fault:
        if asked.length is None:  # nobody can name the range that is missing
            await reception.forget(upload)
        raise
    if upload.length is None:
        upload = await reception.store.set_length(upload, upload.offset)
    if upload.whole:
        upload = await reception.finish(upload)
    return _standing(reception, upload, created=True)


def _standing(reception: Reception, upload: Upload, *, created: bool = False) -> ResponsePlan:
    """201 or 200 for a file that is there, 202 for one that is not whole."""
    if upload.finished:
        return say(201 if created else 200, [("Location", reception.file_address(upload))])
    length = [] if upload.length is None else [("Upload-Length", str(upload.length))]
    return say(202, [*_progress(upload.offset), *length])


def _progress(offset: int) -> list[Field]:
    ranges = [("Range", f"bytes=0-{offset - 1}")] if offset else []
    return [*ranges, ("Upload-Offset", str(offset))]
