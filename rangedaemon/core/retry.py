"""
Whether to try again, and when: exponential back-off with jitter, Retry-After as its floor.

Statuses are told apart here, exceptions by their class in the tree of faults; either may
be put into another class by name.  RFC 9110 10.2.3 (Retry-After) and 15.5, 15.6; RFC 6585 4
(429); RFC 8470 5.2 (425).  Seconds everywhere; the random number is an argument.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from rangedaemon.core.dates import parse_http_date
from rangedaemon.errors import Fault, NeverFits, NoSpace, OriginFault, Throttled

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; an origin that asks for more is asked again after this time."""

LONGEST_PATIENCE = 60.0
"""Seconds between two looks at what lasts until somebody mends it."""


class RetryClass(StrEnum):
    """What a fault means for the next try."""

    PERMANENT = "permanent"
    """No repetition betters it: the job fails."""
    TRANSIENT = "transient"
    """It may be better soon: so many tries, without progress in between, are made."""
    THROTTLED = "throttled"
    """Somebody asks for peace: later, and slower."""
    PATIENT = "patient"
    """It lasts until somebody mends it, and then all is well: tried without end, and said so."""


STATUSES: Mapping[int, RetryClass] = {
    408: RetryClass.TRANSIENT,
    425: RetryClass.TRANSIENT,
    429: RetryClass.THROTTLED,
    501: RetryClass.PERMANENT,
    503: RetryClass.THROTTLED,
    505: RetryClass.PERMANENT,
    509: RetryClass.THROTTLED,
}
"""Statuses that differ from the others of their hundred."""


def class_of_status(status: int) -> RetryClass:
    """What a status that is no success means, unless it is configured otherwise."""
    usual = RetryClass.TRANSIENT if status >= 500 else RetryClass.PERMANENT
    return STATUSES.get(status, usual)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How often and how late: delays in seconds."""

    attempts: int = 10
    initial_delay: float = 1.0
    max_delay: float = 300.0

    def exhausted(self, attempt: int) -> bool:
        """Whether *attempt* failures in a row (without any progress) are enough."""
        return attempt >= self.attempts

    def delay(self, attempt: int, jitter: float, retry_after: float | None = None) -> float:
        """Seconds to wait after failure number *attempt* (from 1).

        :param jitter: a random number in ``[0, 1)``; spreads the delay over its upper half.
        :param retry_after: what the origin asked for; never undercut.
        """
        doublings = min(max(attempt - 1, 0), 63)
        ceiling = min(self.max_delay, self.initial_delay * 2.0**doublings)
        own = ceiling * (0.5 + jitter / 2)
        return max(own, retry_after or 0.0)


@dataclass(frozen=True, slots=True)
class RetryRules:
    """Which faults are tried again, how often and how late."""

    transient: RetryPolicy = RetryPolicy()
    throttled: RetryPolicy = RetryPolicy()
    others: Mapping[str, RetryClass] = field(default_factory=dict)
    """Classes other than the usual ones: by status (``404``), or by the code of a fault."""

    def class_of(self, fault: Fault) -> RetryClass:
        """The class of *fault*: by its status, else by its code, else the usual one."""
        status = fault.answered if isinstance(fault, OriginFault) else None
        for name in (str(status), fault.code):
            if name in self.others:
                return self.others[name]
        if isinstance(fault, NoSpace) and not isinstance(fault, NeverFits):
            return RetryClass.PATIENT
        if isinstance(fault, Throttled):
            return RetryClass.THROTTLED
        return RetryClass.TRANSIENT if fault.retryable else RetryClass.PERMANENT

    def hopeful(self, fault: Fault) -> bool:
        """Whether trying again may help."""
        return self.class_of(fault) is not RetryClass.PERMANENT

    def next_try(self, fault: Fault, attempt: int, jitter: float) -> float | None:
        """Seconds to wait after *fault* ended try number *attempt*; None: that was the last."""
        kind = self.class_of(fault)
        policy = self.throttled if kind is RetryClass.THROTTLED else self.transient
        if kind is RetryClass.PERMANENT:
            return None
        if kind is RetryClass.PATIENT:
            return min(policy.delay(attempt, jitter), LONGEST_PATIENCE)
        asked = fault.retry_after if isinstance(fault, Throttled) else None
        return None if policy.exhausted(attempt) else policy.delay(attempt, jitter, asked)

    def delay(self, attempt: int, jitter: float) -> float:
        """Seconds that one connection of several waits after its failure number *attempt*."""
        return self.transient.delay(attempt, jitter)


def parse_retry_after(text: str, *, now: float) -> float | None:
    """Seconds from *now* that a Retry-After value asks for, in ``[0, 3600]``.

    None where it is neither delta-seconds nor a date, or a date that has passed.
    """
    text = text.strip()
    if text.isascii() and text.isdigit():
        return LONGEST_RETRY_AFTER if len(text) > 9 else min(float(text), LONGEST_RETRY_AFTER)
    when = parse_http_date(text, now=now)
    if when is None or when < now:
        return None
    return min(when - now, LONGEST_RETRY_AFTER)
