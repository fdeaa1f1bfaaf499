"""Giving up the connections that are silent, or far slower than the others."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from rangedaemon.client.intake import Intake
from rangedaemon.core.laggards import laggards
from rangedaemon.errors import TimedOut


def give_up_silent(intakes: Iterable[Intake], now: float, limit: float) -> None:
    """End those that brought nothing for *limit* seconds and were not held back by us.

    Where this process was held up itself, octets wait to be read: who seems to be silent has
    until the next look to bring them.
    """
    for intake in list(intakes):
        if intake.paused or now - intake.heard_at <= limit:
            intake.doubted = False
        elif intake.doubted:
            intake.give_up(TimedOut(f"no octet for {limit:g} s", url=intake.url))
        else:
            intake.doubted = True


def give_up_slow(intakes: Iterable[Intake]) -> None:
    """End those whose rate is far below the others'; what they leave goes to these."""
    running = list(intakes)
    for at in laggards([intake.pulse() for intake in running]):
        slow = running[at]
        slow.give_up(TimedOut("far slower than the others", url=slow.url))


def held_back(intakes: Collection[Intake]) -> bool:
    """Whether limits of ours were in their way lately; nobody there waits for a place."""
    return not intakes or any(intake.pulse().held_back for intake in intakes)
