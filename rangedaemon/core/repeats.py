"""
When a job that repeats has its next turn; pure.

The next turn is counted from the end of the last one, so those that were missed while the
daemon was down are made up for once.  Cron expressions are read by the clock on the wall;
in the nights in which that is changed, cronsim goes by the rules of Debian's cron.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from cronsim import CronSim, CronSimError

from rangedaemon.core.calendar import first_turn

SHORTEST = 1.0
"""Seconds between two turns, at least."""


@dataclass(frozen=True, slots=True)
class Repeat:
    """Either *every* or *cron*."""

    every: float | None = None
    """Seconds from the end of one run to the next."""
    cron: str | None = None
    """Minute, hour, day, month, weekday; a sixth field in front would be seconds."""
    jitter: float = 0.0
    """Seconds by which chance may put it off further."""


def check_cron(text: str) -> str:
    """
    A cron expression such as ``0 3 * * *``.

    :raises ValueError: it is none, or such a time never comes.
    """
    try:
        next(CronSim(text, datetime(2026, 1, 1, tzinfo=UTC)))
    except CronSimError as wrong:
        raise ValueError(f"expected a cron expression such as 0 3 * * * ({wrong})") from None
    except StopIteration:
        raise ValueError("such a time never comes") from None
    return " ".join(text.split())


def check_repeat(every: float | None, cron: str | None) -> None:
    """:raises ValueError: it is not exactly one of them."""
    if (every is None) == (cron is None):
        raise ValueError("give either every or cron")


def next_turn(
    repeat: Repeat | None, window: str | None, now: float, zone: tzinfo, chance: float
) -> float | None:
    """
    When a job runs again that has ended *now*; None: it does not.

    :param chance: at least 0, below 1.
    """
    if repeat is None:
        return None
    if repeat.every is not None:
        due = now + max(SHORTEST, repeat.every)
    else:
        due = next(CronSim(repeat.cron or "", datetime.fromtimestamp(now, zone))).timestamp()
    return first_turn(None, window, due + repeat.jitter * chance, zone)
