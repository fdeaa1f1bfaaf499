"""
When to try again: exponential back-off with full jitter, Retry-After as its floor.

RFC 9110 10.2.3 (Retry-After), RFC 6585 4 (429).  Seconds everywhere; the random
number is an argument.
"""

from __future__ import annotations

from dataclasses import dataclass

from rangedaemon.core.dates import parse_http_date

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; an origin that asks for more is asked again after this time."""


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
