"""What every transfer of this daemon shares, and how it remembers what an answer said."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from http.cookiejar import CookieJar
from random import Random

from twisted.internet.interfaces import IReactorTime

from rangedaemon.client.hosts import Hosts
from rangedaemon.client.origin import Origin
from rangedaemon.core.acceptance import Answer
from rangedaemon.core.counters import Counters
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.promises import promised_whole
from rangedaemon.core.retry import RetryRules


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The network, the time, chance and the rules."""

    origin: Origin
    clock: IReactorTime
    hosts: Hosts
    retry: RetryRules
    random: Random
    wall: Callable[[], float]
    """Seconds since the epoch."""
    stall_timeout: float
    """Seconds of silence after which a connection is given up."""
    new_jar: Callable[[], CookieJar] = CookieJar
    """The cookies that a job begins with."""
    zone: tzinfo = UTC
    """What times of the day are told by."""
    counters: Counters = field(default_factory=Counters)
    """What all transfers add up to."""

    def remembered_of(self, answer: Answer, length: int | None) -> Remembered:
        """What *answer* says of its representation.

        A host that gives the same octets another tag at each request has no tag.
        """
        volatile = self.hosts.traits(answer.url).volatile_tags
        return Remembered(
            etag=None if volatile else answer.etag,
            last_modified=answer.last_modified,
            date=answer.date,
            length=length,
            url=answer.url,
            digest=promised_whole(answer),
        )
