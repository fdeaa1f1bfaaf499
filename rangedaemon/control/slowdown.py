"""Holding back the refusals of wrong tokens, by the rules of `core.patience`."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater
from twisted.web.iweb import IRequest

from rangedaemon.core.patience import Patience, peer_of


class Slowdown:
    """One for the whole site: REST and RPC share what they know of a peer."""

    def __init__(self, clock: IReactorTime) -> None:
        self._clock = clock
        self._patience = Patience()

    async def wait(self, peer: str, fixed: float | None = None) -> None:
        """
        *peer* has shown a wrong token: return when it may be told.

        :param fixed: seconds that this takes, whatever came before.
        :raises TooManyFailures: too many of them wait already; tell it that, and hang up.
        """
        delay = self._patience.hold(peer, self._clock.seconds(), fixed)
        try:
            if delay > 0:
                await deferLater(self._clock, delay)
        finally:
            self._patience.release(peer)


def peer_at(request: IRequest) -> str:
    """Whose failures a request's count among."""
    return peer_of(getattr(request.getClientAddress(), "host", None))
