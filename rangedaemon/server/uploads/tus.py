"""tus 1.0.0 over the store; what the fields mean is in `rangedaemon.core.receiving.tus`."""

from __future__ import annotations

from dataclasses import replace

from rangedaemon.core.receiving import tus
from rangedaemon.core.receiving.asks import Refusal
from rangedaemon.core.responses import Field, ResponsePlan
from rangedaemon.core.uploadfaults import (
    AlreadyFinished,
    DigestMismatch,
    NotAPart,
    NotWhole,
    OffsetMismatch,
    UploadBusy,
)
from rangedaemon.core.uploads import Upload, UploadProtocol, Wish
from rangedaemon.errors import Fault, NameTaken
from rangedaemon.server.uploads.reception import (
    Adapter,
    Reception,
    fields_of,
    say,
    status_of,
    words_of,
)

_ALGORITHMS = {"sha1": "sha-1", "sha256": "sha-256", "sha512": "sha-512", "md5": "md5"}
_METADATA, _CONCAT = "Upload-Metadata", "Upload-Concat"
_STATUSES: dict[type[Fault], int] = {
    DigestMismatch: tus.MISMATCH,
    AlreadyFinished: 403,
    NotWhole: 400,
    NotAPart: 403,
    UploadBusy: 423,
    # 409 would have clients ask for the offset and take a whole upload for a finished one.
    NameTaken: 403,
}


class Tus(Adapter):
    """The protocol of tus.io."""

    protocol = UploadProtocol.TUS

    async def answer(self, reception: Reception) -> ResponsePlan:
        """Creation at the place of uploads, the rest at an upload's own address."""
        method = tus.effective_method(reception.ask)
        if method != "HEAD":
            tus.check_version(reception.ask)
        if reception.upload_id is None:
            return await _create(reception)
        match method:
            case "HEAD":
                return await _stand(reception)
            case "PATCH":
                return await _append(reception)
            case "DELETE":
                await reception.store.terminate(await reception.find())
                return say(204, tus.spoken())
        raise Refusal(405, "That cannot be done with an upload.", ("Allow", "HEAD, PATCH, DELETE"))

    def refused(self, fault: Fault) -> ResponsePlan:
        """As words, with the statuses of tus."""
        status = _STATUSES.get(type(fault), status_of(fault))
        fields: list[Field] = [*tus.spoken(), *fields_of(fault)]
        if isinstance(fault, OffsetMismatch):
            fields.append(("Upload-Offset", str(fault.expected)))
        return say(status, fields, f"{words_of(fault)}\n")


async def _create(reception: Reception) -> ResponsePlan:
    asked = tus.read_creation(reception.ask)
    kept = {_METADATA: asked.raw_metadata, _CONCAT: reception.ask.get("upload-concat")}
    wish = replace(
        reception.wish(asked.filename, asked.filetype),
        length=asked.length,
        partial=asked.partial,
        metadata={name: value for name, value in kept.items() if value is not None},
    )
    if asked.parts:
        return await _join(reception, wish, asked.parts)
    upload = await reception.store.create(reception.scope, wish)
    if asked.has_content:
        upload = await reception.take(upload, 0, digest=_digest(asked.checksum))
    upload = await _settled(reception, upload)
    offset = upload.offset if asked.has_content else None
    return say(201, tus.created(reception.whole_address(upload), offset, _expiry(upload)))


async def _join(reception: Reception, wish: Wish, parts: tuple[str, ...]) -> ResponsePlan:
    ids = [reception.id_at(path) for path in parts]
    upload = await reception.store.concatenate(reception.scope, wish, ids)
    upload = await reception.finish(upload)
    return say(201, tus.created(reception.whole_address(upload), None, None))


async def _stand(reception: Reception) -> ResponsePlan:
    upload = await _settled(reception, await reception.find_still())
    fields = tus.standing(
        upload.offset,
        upload.length,
        metadata=upload.metadata.get(_METADATA),
        concat=upload.metadata.get(_CONCAT),
        expires=_expiry(upload),
    )
    return say(200, fields)


async def _append(reception: Reception) -> ResponsePlan:
    asked = tus.read_append(reception.ask)
    upload = await reception.find_still()
    length = tus.agreed_length(asked, upload.length)
    if length is not None and upload.length is None:
        upload = await reception.store.set_length(upload, length)
    if upload.finished and upload.parts is None and reception.body.length == 0:
        tus.check_offset(asked, upload.offset)
    else:
        upload = await reception.take(upload, asked.offset, digest=_digest(asked.checksum))
        upload = await _settled(reception, upload)
    return say(204, tus.progress(upload.offset, _expiry(upload)))


async def _settled(reception: Reception, upload: Upload) -> Upload:
    """An upload that is whole is published, also where an end of ours came in between."""
    return await reception.finish(upload) if upload.whole and not upload.partial else upload


def _digest(checksum: tus.Checksum | None) -> str | None:
    if checksum is None:
        return None
    return f"{_ALGORITHMS[checksum.algorithm]}={checksum.digest.hex()}"


def _expiry(upload: Upload) -> float | None:
    return None if upload.finished else upload.expires
