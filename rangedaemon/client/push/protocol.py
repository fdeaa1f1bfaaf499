"""What the pusher of octets needs of an upload protocol."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from rangedaemon.client.push.body import Body
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.push.values import Part


class Uploading(Protocol):
    """One file's upload in one protocol."""

    @property
    def ordered(self) -> bool:
        """Whether the octets of a part must go one behind the other."""

    @property
    def most(self) -> int | None:
        """Octets that the server takes in one request; None: as many as we like."""

    async def begin(self) -> tuple[Part, ...]:
        """Begin uploads for the file. :raises OriginFault: the server refuses."""

    async def there(self, part: Part) -> IntervalSet | None:
        """Ask which octets of the file the server has; None: it cannot be asked.

        :raises UploadGone: it has forgotten the upload.
        :raises OriginFault: it does not say.
        """

    async def send(self, part: Part, piece: ByteRange, body: Body) -> IntervalSet:
        """Send octets; which octets of the file the server surely has of the part then.

        :raises OffsetConflict: it has other octets than we think.
        :raises OriginFault: it did not take them, or did not say so.
        """

    async def finish(self, parts: Sequence[Part]) -> None:
        """Every octet is there: say what is left to be said.

        :raises OriginFault: the server does not take the file as a whole.
        """

    async def abandon(self, part: Part) -> None:
        """Let the server forget it. :raises OriginFault: it did not answer."""
