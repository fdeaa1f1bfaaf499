"""
One request that brings or asks after an upload: who asks, for what, and how its octets are taken.

The protocols' adapters see this and the store, and nothing of twisted.web.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

from rangedaemon.core.disposition import FALLBACK_NAME
from rangedaemon.core.receiving.asks import Ask, Refusal
from rangedaemon.core.responses import Field, ResponsePlan
from rangedaemon.core.uploadfaults import UnknownUpload, UploadGone
from rangedaemon.core.uploads import Scope, Upload, UploadProtocol, UploadState, Wish
from rangedaemon.errors import Fault, StorageFault
from rangedaemon.server.arrival import Body, BodyCut
from rangedaemon.server.mounts import Target, encode_segments
from rangedaemon.server.uploads.arriving import Arriving
from rangedaemon.server.uploads.rules import Rules
from rangedaemon.storage.uploads.ports import Ears, UploadStore, Writer

UPLOADS = ".uploads"
"""The segment below a mount below which unfinished uploads have their addresses."""


_HOST = re.compile(r"[A-Za-z0-9._-]{1,253}(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]{2,45}\](?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class Reception:
    """One request, for the adapter that answers it."""

    ask: Ask
    scope: Scope
    prefix: tuple[str, ...]
    """Segments of the mount's address."""
    target: Target
    """What is addressed below it."""
    body: Body
    store: UploadStore
    rules: Rules
    tell: Callable[[bytes], None]
    """Sends an interim answer."""
    single: Callable[[], str]
    """A new id for an upload of one request."""
    arriving: Arriving
    """The bodies of this and other requests that bring octets now."""
    secure: bool = False
    """Whether the request came over TLS."""

    @property
    def segments(self) -> tuple[str, ...]:
        """The segments of what is addressed."""
        return self.target.segments

    @property
    def upload_id(self) -> str | None:
        """The id of the upload that is addressed; None where it is a place for new ones."""
        if self.segments[:1] != (UPLOADS,):
            return None
        return self.segments[2] if len(self.segments) == 3 else ""

    @property
    def subject(self) -> str:
        """The id of the upload that the request is about, where its address says that."""
        return "/".join(self.segments) if self.upload_id is None else self.upload_id

    def address(self, upload: Upload) -> str:
        """Where the upload can be asked after and gone on with."""
        segments = (*self.prefix, UPLOADS, self.scope.protocol.value, upload.id)
        return encode_segments(segments)

    def whole_address(self, upload: Upload) -> str:
        """
        The same with scheme and host, as the client or its proxy has called us.

        There are clients that cannot resolve a relative one.
        """
        host = self.ask.get("x-forwarded-host") or self.ask.get("host") or ""
        if not _HOST.fullmatch(host):
            return self.address(upload)
        forwarded = (self.ask.get("x-forwarded-proto") or "").strip().lower()
        scheme = "https" if self.secure or forwarded == "https" else "http"
        return f"{scheme}://{host}{self.address(upload)}"

    def file_address(self, upload: Upload) -> str:
        """Where the finished file is."""
        name = upload.name if upload.path is None else upload.path.name
        return encode_segments((*self.prefix, *upload.directory, name))

    def id_at(self, path: str) -> str:
        """
        The id of the upload whose address has *path*.

        :raises Refusal: it is none of ours.
        """
        begin = encode_segments((*self.prefix, UPLOADS, self.scope.protocol.value)) + "/"
        if not path.startswith(begin):
            raise Refusal(400, "That is no upload of this place.")
        return path.removeprefix(begin)

    def wish(self, name: str | None, media_type: str | None) -> Wish:
        """
        A new upload in the directory that is addressed.

        :raises Refusal: such a file is not taken here.
        """
        return self._wish(self.segments, name or FALLBACK_NAME, media_type)

    def wish_for_target(self) -> Wish:
        """
        A new upload of the very file that is addressed.

        :raises Refusal: that is a directory, or such a file is not taken here.
        """
        if self.target.slash or not self.segments:
            raise Refusal(400, "The address has to end with the name of a file.")
        *directory, name = self.segments
        return self._wish(directory, name, self.ask.media_type)

    def _wish(self, directory: Sequence[str], name: str, media_type: str | None) -> Wish:
        self.rules.check(name, media_type)
        return Wish(name, directory=(*self.rules.directory, *directory), media_type=media_type)

    async def find(self, upload_id: str | None = None) -> Upload:
        """The upload that is addressed, or another one of the same kind."""
        return await self.store.find(self.scope, self._id(upload_id))

    async def find_still(self, upload_id: str | None = None) -> Upload:
        """
        The same, when nobody writes to it any more.

        Who comes back after a broken connection is often quicker than what was still on
        its way over that: it is given a moment, and then who writes is ended.
        """
        await self._quiet(upload_id)
        return await self.store.find(self.scope, self._id(upload_id), preempt=True)

    async def find_soon(self) -> Upload:
        """The same, but whoever still writes then goes on: segments come side by side."""
        await self._quiet(None)
        return await self.find()

    async def _quiet(self, upload_id: str | None) -> None:
        await self.arriving.quiet(self.scope, self._id(upload_id), self.body)

    def _id(self, upload_id: str | None) -> str:
        return (self.upload_id or "") if upload_id is None else upload_id

    async def take(
        self,
        upload: Upload,
        offset: int,
        *,
        digest: str | None = None,
        on_committed: Callable[[int], None] | None = None,
    ) -> Upload:
        """
        Have the body's octets written from *offset* on; the upload with them.

        :raises BodyCut: the connection was lost; what came is kept.
        :raises Fault: they are not taken.
        """
        body = self.body
        ears = Ears(body.drained, body.stop, on_committed or (lambda _offset: None))
        writer = await self.store.write(upload, offset, ears, count=body.length, digest=digest)
        self.arriving.enter(self.scope, upload.id, body)
        try:
            return await _written(body, writer)
        finally:
            self.arriving.leave(self.scope, upload.id, body)

    async def take_in_turn(self, upload: Upload, offset: int) -> Upload:
        """As `take`, but who brings the same octets now has a moment to end."""
        return await self.arriving.in_turn(self.scope, upload.id, lambda: self.take(upload, offset))

    async def forget(self, upload: Upload) -> None:
        """Terminate *upload*, with which nobody can go on; not another one that took its id."""
        with suppress(UnknownUpload, UploadGone):
            now = await self.find(upload.id)
            if now.file == upload.file and now.state is UploadState.OPEN:
                await self.store.terminate(now)

    async def finish(self, upload: Upload) -> Upload:
        """Have an upload that is whole published."""
        return upload if upload.finished else await self.store.finish(upload)


async def _written(body: Body, writer: Writer) -> Upload:
    try:
        await body.into(writer)
    except BodyCut:
        await writer.abandon()
        raise
    except Fault:
        return await writer.commit()  # raises what ended the writer
    except BaseException:
        await writer.abandon()
        raise
    return await writer.commit()


def say(status: int, fields: Sequence[Field] = (), text: str = "") -> ResponsePlan:
    """A short answer."""
    body = text.encode()
    own: list[Field] = [] if status == 204 else [("Content-Length", str(len(body)))]
    if body:
        own.append(("Content-Type", "text/plain; charset=utf-8"))
    return ResponsePlan(status, (*fields, *own), (body,) if body else ())


def status_of(fault: Fault) -> int:
    """The status that a fault is answered with where the protocol has none of its own."""
    return fault.http_status if isinstance(fault, Refusal) else fault.status


def words_of(fault: Fault) -> str:
    """What the peer is told of it; what ails our disk, and where, is for the log."""
    if isinstance(fault, StorageFault):
        return f"{fault.title} at the server; what it has acknowledged is kept, so try again later"
    return fault.detail


def fields_of(fault: Fault) -> list[Field]:
    """The fields that belong to it."""
    if isinstance(fault, Refusal):
        return list(fault.fields)
    return [("Retry-After", "5")] if fault.status == 503 else []


class Refuser:
    """Tells in words why a request is refused, as one that speaks no protocol."""

    def refused(self, fault: Fault) -> ResponsePlan:
        """How a fault is told."""
        return say(status_of(fault), fields_of(fault), f"{words_of(fault)}\n")


class Adapter(Refuser, ABC):
    """What each protocol is: methods, an answer, and how it refuses."""

    protocol: UploadProtocol

    @abstractmethod
    async def answer(self, reception: Reception) -> ResponsePlan:
        """
        What a request is answered.

        :raises BodyCut: there is nobody to answer any more.
        :raises Fault: it is refused.
        """
