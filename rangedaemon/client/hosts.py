"""
How many connections each host gets over all jobs, and which hosts asked for peace.

A slot is taken for each request and given back when its body has ended.  Waiters
are served in order.  A host that answered 429 or 503 is left alone until the time
that it named.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from rangedaemon.client.redirects import origin_of

MOST_TRAITS = 10_000
"""Hosts whose ways are remembered; the oldest are forgotten first."""


@dataclass
class Traits:
    """What experience with a host has taught."""

    rung: int = 0
    """How many rungs of the ladder of conditions were fruitless (`core.conditions`)."""
    volatile_tags: bool = False
    """Whether it gives the same octets another entity tag at each request."""


@dataclass
class _Host:
    used: int = 0
    quiet_until: float = 0.0
    waiters: deque[Deferred[None]] = field(default_factory=deque)


class Hosts:
    """The slots of all hosts."""

    def __init__(self, clock: IReactorTime, connections_per_host: int) -> None:
        self._clock = clock
        self._limit = connections_per_host
        self._hosts: dict[tuple[str, str, int], _Host] = {}
        self._traits: dict[tuple[str, str, int], Traits] = {}

    def traits(self, url: str) -> Traits:
        """What is known of that host's ways; changes are remembered."""
        if len(self._traits) >= MOST_TRAITS:
            del self._traits[next(iter(self._traits))]
        return self._traits.setdefault(origin_of(url), Traits())

    def quiet(self, url: str, seconds: float) -> None:
        """Start no request to that host for so many seconds."""
        host = self._host(url)
        host.quiet_until = max(host.quiet_until, self._clock.seconds() + seconds)

    def quiet_for(self, url: str) -> float:
        """How many seconds that host is still to be left alone."""
        return max(0.0, self._host(url).quiet_until - self._clock.seconds())

    def free(self, url: str) -> bool:
        """Whether a request could start at once."""
        host = self._host(url)
        return host.used < self._limit and self.quiet_for(url) == 0

    @asynccontextmanager
    async def slot(self, url: str) -> AsyncIterator[None]:
        """Hold one of the host's connections."""
        host = self._host(url)
        await self._acquire(host)
        try:
            yield
        finally:
            self._release(host)
            self._forget_idle()

    async def _acquire(self, host: _Host) -> None:
        if host.used >= self._limit:
            waiter: Deferred[None] = Deferred(host.waiters.remove)
            host.waiters.append(waiter)
            await waiter  # the slot is handed over, so `used` stays
        else:
            host.used += 1
        try:
            while (rest := host.quiet_until - self._clock.seconds()) > 0:
                await deferLater(self._clock, rest)
        except BaseException:
            self._release(host)
            raise

    def _release(self, host: _Host) -> None:
        if host.waiters:
            host.waiters.popleft().callback(None)
        else:
            host.used -= 1

    def _host(self, url: str) -> _Host:
        return self._hosts.setdefault(origin_of(url), _Host())

    def _forget_idle(self) -> None:
        now = self._clock.seconds()
        idle = [k for k, h in self._hosts.items() if not h.used and h.quiet_until <= now]
        for key in idle:
            del self._hosts[key]
