"""Telling a running story to stop: what waits for the network is cut short, nothing else."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from twisted.internet.defer import CancelledError, Deferred, ensureDeferred

from rangedaemon.core.transfer import Trigger
from rangedaemon.errors import Fault, OriginFault

T = TypeVar("T")


class Stopped(Fault):
    """The job was told to stop; nobody's error."""

    code = "stopped"


class Interrupt:
    """Whether, and by what, a job was told to stop."""

    def __init__(self) -> None:
        self.by: Trigger | None = None
        """PAUSE or INTERRUPT; None: it goes on."""
        self._network: Deferred[Any] | None = None

    def stop(self, by: Trigger) -> None:
        """Cut short what waits for the network, now and from now on."""
        self.by = by
        if self._network is not None:
            self._network.cancel()

    async def cancellable(self, story: Awaitable[T]) -> T:
        """Await *story*, which `stop` may cut short.

        :raises Stopped: it was.
        """
        network: Deferred[T] = ensureDeferred(_awaited(story))
        self._network = network
        if self.by is not None:
            network.cancel()
        try:
            return await network
        except (CancelledError, OriginFault):  # a cancelled request fails as a broken one does
            if self.by is None:
                raise
            raise Stopped from None
        finally:
            self._network = None


async def _awaited(story: Awaitable[T]) -> T:
    return await story
