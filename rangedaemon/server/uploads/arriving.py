"""Which requests bring octets of which upload at this moment."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from rangedaemon.core.uploadfaults import UploadBusy
from rangedaemon.core.uploads import Scope, Upload
from rangedaemon.server.arrival import Body

PAUSE: Final = 0.05
"""Seconds without an octet after which no more is expected."""
MOST_PAUSES: Final = 40
MOST_OF_OURS: Final = 600
"""Pauses for which octets that have come may wait for our disk: nobody sees a cut behind them."""


class Arriving:
    """The bodies that are on their way into uploads, until their requests are done."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._bodies: dict[tuple[Scope, str], list[Body]] = {}

    def enter(self, scope: Scope, upload_id: str, body: Body) -> None:
        """*body* is meant for that upload."""
        self._bodies.setdefault((scope, upload_id), []).append(body)

    def leave(self, scope: Scope, upload_id: str, body: Body) -> None:
        """Its request is done."""
        bodies = self._bodies[scope, upload_id]
        bodies.remove(body)
        if not bodies:
            del self._bodies[scope, upload_id]

    def _before(self, scope: Scope, upload_id: str, own: Body) -> Body | None:
        """The last that came before *own*."""
        others = [body for body in self._bodies.get((scope, upload_id), ()) if body is not own]
        return others[-1] if others else None

    async def quiet(self, scope: Scope, upload_id: str, own: Body) -> None:
        """
        Return when nothing seems to be on its way to that upload, or after a while.

        :param own: the body of who asks, which does not count.
        """
        theirs, ours = MOST_PAUSES, MOST_OF_OURS
        while theirs and ours:
            body = self._before(scope, upload_id, own)
            if body is None:
                return
            seen = body.received
            await deferLater(self._clock, PAUSE)
            if body.busy or body.over:
                ours -= 1
            elif body.received == seen:
                return
            else:
                theirs -= 1

    async def in_turn(
        self, scope: Scope, upload_id: str, attempt: Callable[[], Awaitable[Upload]]
    ) -> Upload:
        """
        What *attempt* gives when nobody brings the same octets any more.

        A client whose connection was cut sends again before we know of the cut.

        :raises UploadBusy: somebody still does, after a while.
        """
        theirs, ours = MOST_PAUSES, MOST_OF_OURS
        while theirs and ours:
            with suppress(UploadBusy):
                return await attempt()
            if any(body.busy or body.over for body in self._bodies.get((scope, upload_id), ())):
                ours -= 1
            else:
                theirs -= 1
            await deferLater(self._clock, PAUSE)
        return await attempt()
