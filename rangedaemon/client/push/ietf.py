"""
An upload by the IETF draft "Resumable Uploads for HTTP" (interop version 8).

It is begun with an empty body, so that its address is known before the first octet
leaves (the draft's careful creation), whatever becomes of 104 answers on the way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rangedaemon.client.push.body import Body
from rangedaemon.client.push.described import Described
from rangedaemon.client.push.server import Server
from rangedaemon.core.digests import format_digest
from rangedaemon.core.disposition import format_disposition
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.push.answers import Answer, flag_of, limits_of, offset_of
from rangedaemon.core.push.values import Part
from rangedaemon.errors import BadResponse, NoUploads, OffsetConflict, Refused, TooLarge

_VERSION = {"Upload-Draft-Interop-Version": "8"}
_APPEND_TYPE = {"Content-Type": "application/partial-upload"}
_DIGESTS = ("sha-256", "sha-512")


class Ietf:
    """One file's upload."""

    ordered = True

    def __init__(self, server: Server, file: Described) -> None:
        self.most: int | None = None
        self._server = server
        self._file = file
        self._whole = False

    async def begin(self) -> tuple[Part, ...]:
        """An upload of nothing yet."""
        fields = {
            **_VERSION,
            "Upload-Complete": "?0",
            "Upload-Length": str(self._file.size),
            "Content-Type": self._file.media_type,
            "Content-Disposition": format_disposition("inline", self._file.name),
            **self._digest(),
        }
        answer = await self._server.ask("POST", fields)
        if not answer.ok:
            raise self._server.refusal(answer, begun=False)
        if "location" not in answer.fields:
            raise NoUploads("the server answered as if no upload had been begun", url=answer.url)
        self._learn(answer)
        return (Part(0, self._file.size, self._server.located(answer)),)

    def _digest(self) -> Mapping[str, str]:
        algorithm, _, digest = (self._file.digest or "").partition("=")
        if algorithm not in _DIGESTS:
            return {}
        return {"Repr-Digest": format_digest(algorithm, bytes.fromhex(digest))}

    def _learn(self, answer: Answer) -> None:
        limits = limits_of(answer)
        self.most = limits.get("max-append-size", self.most)
        if self._file.size > limits.get("max-size", self._file.size):
            raise TooLarge(f"the server takes at most {limits['max-size']} octets", url=answer.url)

    async def there(self, part: Part) -> IntervalSet:
        """Its offset, and whether it is complete."""
        answer = await self._server.ask("HEAD", _VERSION, at=part.token)
        if not answer.ok:
            raise self._server.refusal(answer, begun=True)
        self._learn(answer)
        return self._had(offset_of(answer), flag_of(answer, "upload-complete") is True, answer)

    async def send(self, part: Part, piece: ByteRange, body: Body | None) -> IntervalSet:
        """Append octets; the last ones complete it."""
        last = piece.stop == self._file.size
        fields = {
            **_VERSION,
            **_APPEND_TYPE,
            "Upload-Offset": str(piece.start),
            "Upload-Complete": "?1" if last else "?0",
        }
        answer = await self._server.ask("PATCH", fields, at=part.token, body=body)
        if not answer.ok:
            raise self._refused(answer)
        if last and flag_of(answer, "upload-complete") is False:
            raise OffsetConflict("the server misses octets that it has taken", url=answer.url)
        return self._had(piece.stop, last, answer)

    def _refused(self, answer: Answer) -> Exception:
        if flag_of(answer, "upload-complete") is True:
            return Refused(
                f"the server has the whole file and answered {answer.status} to it", url=answer.url
            )
        return self._server.refusal(answer, begun=True)

    def _had(self, offset: int, whole: bool, answer: Answer) -> IntervalSet:
        if offset > self._file.size or (whole and offset != self._file.size):
            raise BadResponse("the server says that it has another length", url=answer.url)
        self._whole = whole
        return IntervalSet([ByteRange(0, offset)])

    async def finish(self, parts: Sequence[Part]) -> None:
        """Say of all octets that they are all."""
        if self._whole:
            return
        end = ByteRange(self._file.size, self._file.size)
        for part in parts:
            await self.send(part, end, None)

    async def abandon(self, part: Part) -> None:
        """Cancel it."""
        await self._server.ask("DELETE", _VERSION, at=part.token)
