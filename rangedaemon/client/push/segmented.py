"""
An upload by the segmented protocol (nginx upload module): segments in any order, in parallel.

Nobody can be asked what the server has: what it acknowledged is what the journal says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from rangedaemon.client.push.body import Body
from rangedaemon.client.push.described import Described
from rangedaemon.client.push.server import Server
from rangedaemon.core.disposition import format_disposition
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.push.segmented import format_segment, listed
from rangedaemon.core.push.values import Part
from rangedaemon.errors import NoUploads, UploadGone


class Segmented:
    """One file's upload."""

    ordered = False
    most: int | None = None

    def __init__(self, server: Server, file: Described, new_token: Callable[[], str]) -> None:
        self._server = server
        self._file = file
        self._new_token = new_token
        self._fresh = False
        """Whether the session began with this object: nothing was sent in it before."""
        self._finals = 0
        """How often the server has said that the file is whole."""

    async def begin(self) -> tuple[Part, ...]:
        """A session, which the server will hear of with the first segment."""
        self._fresh = True
        return (Part(0, self._file.size, self._new_token()),)

    async def there(self, part: Part) -> None:
        """It cannot be asked."""

    async def send(self, part: Part, piece: ByteRange, body: Body | None) -> IntervalSet:
        """Send one segment."""
        if self._fresh and self._finals:
            raise self._dumb()
        answer = await self._server.ask("POST", self._fields(part, piece), body=body)
        if answer.status == 201:
            return IntervalSet([piece]) | listed(answer, self._file.size)
        if 200 <= answer.status < 400 and answer.whole:
            self._finals += 1
            return IntervalSet([piece])
        raise self._server.refusal(answer, begun=False)

    def _dumb(self) -> NoUploads:
        return NoUploads("the server takes each segment for a file of its own")

    def _fields(self, part: Part, piece: ByteRange) -> Mapping[str, str]:
        fields = {
            "Content-Type": self._file.media_type,
            "Content-Disposition": format_disposition("attachment", self._file.name),
            "X-Session-ID": part.token,
        }
        if piece:  # a file without octets has no range: it is whole at once
            fields["X-Content-Range"] = format_segment(piece, self._file.size)
        return fields

    async def finish(self, parts: Sequence[Part]) -> None:
        """Make sure that the server has taken the segments for one whole file.

        :raises NoUploads: it has taken each for a file.
        :raises UploadGone: it has taken none for the last one.
        """
        if self._file.size == 0 and not self._finals:
            for part in parts:
                await self.send(part, ByteRange(0, 0), None)
        if self._fresh and self._finals > 1:
            raise self._dumb()
        if not self._finals:
            raise UploadGone("the server took every segment, but not the file as a whole")

    async def abandon(self, part: Part) -> None:
        """It cannot be told."""
