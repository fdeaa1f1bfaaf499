"""An upload by tus 1.0.0, in parallel parts where the server can join them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rangedaemon.client.push.body import Body
from rangedaemon.client.push.described import Described
from rangedaemon.client.push.server import Server
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.push import tus
from rangedaemon.core.push.answers import Answer, offset_of
from rangedaemon.core.push.plan import parted
from rangedaemon.core.push.values import Part
from rangedaemon.errors import BadResponse, TooLarge

_VERSION = {"Tus-Resumable": tus.VERSION}


class Tus:
    """One file's upload."""

    ordered = True
    most: int | None = None

    def __init__(self, server: Server, file: Described, *, most_parts: int) -> None:
        self._server = server
        self._file = file
        self._most_parts = most_parts

    async def begin(self) -> tuple[Part, ...]:
        """One upload, or several that are joined at the end."""
        offer = await self._server.ask("OPTIONS", {})
        limit = tus.most(offer) if offer.ok else None
        if limit is not None and self._file.size > limit:
            raise TooLarge(f"the server takes at most {limit} octets", url=offer.url)
        joins = offer.ok and "concatenation" in tus.extensions(offer)
        pieces = parted(self._file.size, self._most_parts if joins else 1)
        if len(pieces) == 1:
            fields = {"Upload-Metadata": tus.format_metadata(self._metadata)}
            return (await self._create(pieces[0], fields),)
        return tuple([await self._create(p, {"Upload-Concat": "partial"}) for p in pieces])

    @property
    def _metadata(self) -> Mapping[str, str]:
        own = {"filename": self._file.name, "filetype": self._file.media_type}
        return {**own, **self._file.metadata}

    async def _create(self, piece: ByteRange, fields: Mapping[str, str]) -> Part:
        length = {"Upload-Length": str(len(piece))}
        answer = await self._server.ask("POST", {**_VERSION, **length, **fields})
        if answer.status != 201:
            raise self._refusal(answer, begun=False)
        return Part(piece.start, piece.stop, self._server.located(answer))

    async def there(self, part: Part) -> IntervalSet:
        """Its offset."""
        answer = await self._server.ask("HEAD", _VERSION, at=part.token)
        if not answer.ok:
            raise self._refusal(answer, begun=True)
        return self._had(part, answer)

    async def send(self, part: Part, piece: ByteRange, body: Body) -> IntervalSet:
        """Append octets."""
        fields = {
            **_VERSION,
            "Content-Type": tus.APPEND_TYPE,
            "Upload-Offset": str(piece.start - part.start),
        }
        answer = await self._server.ask("PATCH", fields, at=part.token, body=body)
        if not answer.ok:
            raise self._refusal(answer, begun=True)
        return self._had(part, answer)

    def _had(self, part: Part, answer: Answer) -> IntervalSet:
        offset = offset_of(answer)
        if offset > part.stop - part.start:
            raise BadResponse("the server says that it has more than there is", url=answer.url)
        return IntervalSet([ByteRange(part.start, part.start + offset)])

    def _refusal(self, answer: Answer, *, begun: bool) -> Exception:
        if answer.ok:
            return BadResponse(f"{answer.status} where 201 is due", url=answer.url)
        return self._server.refusal(answer, begun=begun)

    async def finish(self, parts: Sequence[Part]) -> None:
        """Join the parts."""
        if len(parts) == 1:
            return
        fields = {
            **_VERSION,
            "Upload-Concat": tus.format_final(part.token for part in parts),
            "Upload-Metadata": tus.format_metadata(self._metadata),
        }
        answer = await self._server.ask("POST", fields)
        if answer.status != 201:
            raise self._refusal(answer, begun=answer.status in (404, 410))

    async def abandon(self, part: Part) -> None:
        """Termination, where the server knows it."""
        await self._server.ask("DELETE", _VERSION, at=part.token)
