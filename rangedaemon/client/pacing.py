"""
The rates that jobs share: over all of them, and for each host; by the hour where asked for.

The hour is looked at when octets come, so that nothing has to run while none do.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.interfaces import IReactorTime

from rangedaemon.core.throttle import Bucket
from rangedaemon.core.timetable import Hour, Rate, rate_at
from rangedaemon.core.urls import origin_of

LOOK_SECONDS = 1.0
"""How often the hour is looked at, at most."""
MOST_HOSTS = 10_000
"""Hosts whose debts are remembered; the oldest are forgiven."""


class Pacer:
    """The buckets of all jobs together."""

    def __init__(
        self,
        clock: IReactorTime,
        hour: Callable[[], Hour],
        over_all: Rate = None,
        per_host: Rate = None,
        own_rate: Callable[[str], Rate] = lambda _url: None,
    ) -> None:
        """
        :param hour: what the clock on the wall shows.
        :param own_rate: what the host of an address has in place of *per_host*; None: nothing.
        """
        self._clock = clock
        self._hour = hour
        self.over_all = over_all
        self.per_host = per_host
        self._bucket = Bucket(None, clock.seconds())
        self._own_rate = own_rate
        self._hosts: dict[tuple[str, Rate], Bucket] = {}
        self._host_rate: int | None = None
        self._look()

    def set_rates(self, over_all: Rate, per_host: Rate) -> None:
        """Other limits from now on."""
        self.over_all, self.per_host = over_all, per_host
        self._look()

    def set_own_rates(self, own_rate: Callable[[str], Rate]) -> None:
        """Other limits for the hosts that have their own."""
        self._own_rate = own_rate

    @property
    def rate(self) -> int | None:
        """Octets per second over all jobs at this moment, None: no limit."""
        return rate_at(self.over_all, self._hour())

    def buckets(self, url: str) -> Iterable[Bucket]:
        """What octets that come from *url* are counted in."""
        if self._clock.seconds() >= self._look_at:
            self._look()
        own = self._own_rate(url)
        if own is None and self._host_rate is None:
            return (self._bucket,)
        return (self._bucket, self._of_host(origin_of(url).host, own))

    def _of_host(self, host: str, own: Rate) -> Bucket:
        key = (host, own)
        if key not in self._hosts:
            if len(self._hosts) >= MOST_HOSTS:
                del self._hosts[next(iter(self._hosts))]
            self._hosts[key] = Bucket(self._rate_at(own, self._hour()), self._clock.seconds())
        return self._hosts[key]

    def _rate_at(self, own: Rate, hour: Hour) -> int | None:
        return self._host_rate if own is None else rate_at(own, hour)

    def _look(self) -> None:
        """Take on the limits of the hour."""
        now, hour = self._clock.seconds(), self._hour()
        self._look_at = now + LOOK_SECONDS
        rate = rate_at(self.over_all, hour)
        if rate != self._bucket.rate:
            self._bucket.set_rate(rate, now)
        self._host_rate = rate_at(self.per_host, hour)
        for (_, own), bucket in self._hosts.items():
            rate = self._rate_at(own, hour)
            if rate != bucket.rate:
                bucket.set_rate(rate, now)
