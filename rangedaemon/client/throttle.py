"""The rate limits that a transfer is under: its own and those that it shares."""

from __future__ import annotations

from twisted.internet.interfaces import IReactorTime

from rangedaemon.client.pacing import Pacer
from rangedaemon.core.throttle import Bucket


class Throttle:
    """One job's view of its buckets; the strictest decides."""

    def __init__(self, clock: IReactorTime, own: int | None, pacer: Pacer) -> None:
        """:param own: octets per second of this job alone; None: no limit of its own."""
        self._clock = clock
        self._own = Bucket(own, clock.seconds())
        self._pacer = pacer

    def set_rate(self, rate: int | None) -> None:
        """Change the job's own limit, in octets per second."""
        self._own.set_rate(rate, self._clock.seconds())

    def take(self, count: int, url: str) -> float:
        """Count octets that came from *url*; how many seconds to stay silent now."""
        now = self._clock.seconds()
        return max(bucket.take(count, now) for bucket in (self._own, *self._pacer.buckets(url)))

    def step(self, url: str) -> int:
        """Octets that may come from *url* at once without a wait that is felt."""
        return min(bucket.step for bucket in (self._own, *self._pacer.buckets(url)))
