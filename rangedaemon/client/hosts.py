"""
How many connections each host gets over all jobs, and which hosts asked for peace.

A slot is taken for each request and given back when its body has ended; where a redirect
leads to another host it is given back there and taken anew.  Waiters are served in order.
A host that answered 429 or 503 is left alone until the time that it named, and gets
fewer connections for a while.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall, deferLater

from rangedaemon.core.congestion import Pace
from rangedaemon.core.urls import origin_of
from rangedaemon.errors import Throttled

MOST_HOSTS = 10_000
"""Hosts whose ways are remembered; the oldest that are idle are forgotten first."""

SHORT_PEACE = 2.0
"""Seconds that a request waits in line for a host that asked for peace."""
LOOK_SECONDS = 2.0
"""How often who waits looks whether the host is good for more again."""

Key = tuple[str, str, int]


@dataclass
class Traits:
    """What experience with a host has taught."""

    rung: int = 0
    """How many rungs of the ladder of conditions were fruitless (`core.conditions`)."""
    volatile_tags: bool = False
    """Whether it gives the same octets another entity tag at each request."""


@dataclass
class _Host:
    pace: Pace
    url: str
    """An address of it."""
    own_limit: int | None = None
    used: int = 0
    quiet_until: float = 0.0
    traits: Traits = field(default_factory=Traits)
    waiters: deque[Deferred[None]] = field(default_factory=deque)


class Slot:
    """The right to one connection, until it is released."""

    def __init__(self, hosts: Hosts, host: _Host) -> None:
        """Made by `Hosts.take` alone."""
        self._hosts = hosts
        self._host: _Host | None = host

    async def move_to(self, url: str) -> None:
        """A redirect leads to *url*: return when there is a place at that host.

        Nothing is held while it waits, so nobody waits for somebody who waits.

        :raises Throttled: that host wants to be left alone.
        """
        host = self._hosts.host(url)
        if host is not self._host:
            self._hosts.insist_on_peace(url)
            self.release()
            await self._hosts.acquire(host)
            self._host = host

    def release(self) -> None:
        """Give it back; nothing happens the second time."""
        host, self._host = self._host, None
        if host is not None:
            self._hosts.give_back(host)


class Hosts:
    """The slots of all hosts."""

    def __init__(
        self,
        clock: IReactorTime,
        connections_per_host: int,
        own_limit: Callable[[str], int | None] = lambda _url: None,
    ) -> None:
        """:param own_limit: how many connections a host has that others have not; None: as all."""
        self._clock = clock
        self._limit = connections_per_host
        self._own_limit = own_limit
        self._hosts: dict[Key, _Host] = {}

    @property
    def limit(self) -> int:
        """Connections that each host may have at the most."""
        return self._limit

    def set_limit(self, connections_per_host: int) -> None:
        """Another limit for all that have none of their own; who has a connection keeps it."""
        self._limit = connections_per_host
        for host in self._hosts.values():
            host.pace = replace(host.pace, limit=host.own_limit or connections_per_host)
            self._hand_over(host)

    def set_own_limits(self, own_limit: Callable[[str], int | None]) -> None:
        """Other limits for those that have their own."""
        self._own_limit = own_limit
        for host in self._hosts.values():
            host.own_limit = own_limit(host.url)
        self.set_limit(self._limit)

    def traits(self, url: str) -> Traits:
        """What is known of that host's ways; changes are remembered."""
        return self.host(url).traits

    def overloaded(self, url: str, retry_after: float | None) -> None:
        """The host refused: fewer connections, and none at all for *retry_after* seconds."""
        host, now = self.host(url), self._clock.seconds()
        host.pace = host.pace.overloaded(now, host.used)
        host.quiet_until = max(host.quiet_until, now + (retry_after or 0.0))

    def free(self, url: str) -> bool:
        """Whether a request could start at once."""
        host = self.host(url)
        self._hand_over(host)
        return host.used < self._allowed(host) and host.quiet_until <= self._clock.seconds()

    def insist_on_peace(self, url: str) -> None:
        """Ask nothing of a host that wants to be left alone, and hold no place meanwhile.

        :raises Throttled: it does, for longer than is worth waiting in line.
        """
        self._rest(self.host(url))

    def _rest(self, host: _Host) -> float:
        """Seconds that *host* is to be left alone still, if they are few."""
        rest = host.quiet_until - self._clock.seconds()
        if rest > SHORT_PEACE:
            raise Throttled(
                f"the host asked to be left alone for {rest:.0f} s more",
                url=host.url,
                retry_after=rest,
            )
        return rest

    def quiet(self, url: str) -> bool:
        """Whether the host wants to be left alone."""
        return self.host(url).quiet_until > self._clock.seconds()

    def crowded(self, url: str) -> bool:
        """Whether the host has more connections than it is good for now."""
        host = self.host(url)
        return host.used > self._allowed(host)

    @asynccontextmanager
    async def slot(self, url: str) -> AsyncIterator[Slot]:
        """Hold one of the host's connections."""
        slot = await self.take(url)
        try:
            yield slot
        finally:
            slot.release()

    async def take(self, url: str) -> Slot:
        """One of the host's connections; who gets it must release it."""
        host = self.host(url)
        await self.acquire(host)
        return Slot(self, host)

    async def acquire(self, host: _Host) -> None:
        """Return when there is a place; used by slots.

        :raises Throttled: the host wants to be left alone: nobody sits that out in line,
            where a job would hold its place among those that run.
        """
        if host.used >= self._allowed(host):
            await self._wait(host)  # whoever wakes us has counted us
        else:
            host.used += 1
        try:
            while (rest := self._rest(host)) > 0:
                await deferLater(self._clock, rest)
        except BaseException:
            self.give_back(host)
            raise

    async def _wait(self, host: _Host) -> None:
        """Return when a slot was given back, or when the host is good for more again."""
        waiter: Deferred[None] = Deferred(host.waiters.remove)
        host.waiters.append(waiter)
        growth = LoopingCall(self._hand_over, host)
        growth.clock = self._clock
        growth.start(LOOK_SECONDS, now=False)
        try:
            await waiter
        finally:
            growth.stop()

    def give_back(self, host: _Host) -> None:
        """A place is free again; used by slots."""
        host.used -= 1
        self._hand_over(host)

    def _hand_over(self, host: _Host) -> None:
        while host.waiters and host.used < self._allowed(host):
            host.used += 1
            host.waiters.popleft().callback(None)

    def _allowed(self, host: _Host) -> int:
        return host.pace.allowed(self._clock.seconds())

    def host(self, url: str) -> _Host:
        """What is known of the host of *url*; used by slots."""
        key = origin_of(url)
        if key not in self._hosts:
            self._make_room()
            own = self._own_limit(url)
            self._hosts[key] = _Host(Pace(own or self._limit), url, own)
        return self._hosts[key]

    def _make_room(self) -> None:
        if len(self._hosts) >= MOST_HOSTS:
            idle = (key for key, host in self._hosts.items() if not host.used)
            oldest = next(idle, None)
            if oldest is not None:
                del self._hosts[oldest]
