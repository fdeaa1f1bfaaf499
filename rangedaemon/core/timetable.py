"""
Limits that depend on the time of the day: windows of local wall-clock time.

What the clock on the wall shows decides.  So a window has no special rule for the nights
in which clocks are changed: one that lies in the hour that is left out never opens, one
in the hour that comes twice opens twice, and one around them is an hour shorter or longer.
Pure: the hour is an argument.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

MINUTES_OF_DAY = 24 * 60
DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
EVERY_DAY = frozenset(range(7))

_DAY = "(?:mon|tue|wed|thu|fri|sat|sun)"
_DAY_LIST = rf"{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*"
_TIME = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]|24:00"
WINDOW_PATTERN = rf"(?:({_DAY_LIST}) )?({_TIME})-({_TIME})"
_WINDOW = re.compile(WINDOW_PATTERN, re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Hour:
    """What calendar and clock on the wall show."""

    weekday: int
    """0 is Monday."""
    minute: int
    """Minutes since midnight, by the clock."""


@dataclass(frozen=True, slots=True)
class Window:
    """Minutes ``[start, stop)`` of a day; where *stop* is not later, it ends on the next day."""

    start: int
    stop: int
    days: frozenset[int] = EVERY_DAY
    """The weekdays on which it begins."""

    def holds(self, hour: Hour) -> bool:
        """Whether *hour* lies in it."""
        if self.start < self.stop:
            return hour.weekday in self.days and self.start <= hour.minute < self.stop
        if hour.minute >= self.start:
            return hour.weekday in self.days
        return hour.minute < self.stop and (hour.weekday - 1) % 7 in self.days


@dataclass(frozen=True, slots=True)
class Timetable:
    """Octets per second at each time; None: no limit."""

    windows: tuple[tuple[Window, int | None], ...]
    """The first one that holds the hour counts."""
    default: int | None = None
    """Outside of all windows."""

    def at(self, hour: Hour) -> int | None:
        """The limit at *hour*."""
        return next((rate for window, rate in self.windows if window.holds(hour)), self.default)


Rate = int | None | Timetable
"""A limit: the same at all times, none at all, or by the hour."""


def rate_at(rate: Rate, hour: Hour) -> int | None:
    """Octets per second at *hour*, None: no limit."""
    return rate.at(hour) if isinstance(rate, Timetable) else rate


def parse_window(text: str) -> Window:
    """
    The window of ``08:00-18:00``, ``mon-fri 22:00-06:00`` or ``sat,sun 00:00-24:00``.

    :raises ValueError: it is none.
    """
    match = _WINDOW.fullmatch(text.strip())
    if match is None:
        raise ValueError("expected a window such as 08:00-18:00 or mon-fri 22:00-06:00")
    start, stop = _minutes(match[2]) % MINUTES_OF_DAY, _minutes(match[3])
    return Window(start, stop, _days(match[1]) if match[1] else EVERY_DAY)


def _minutes(text: str) -> int:
    hours, minutes = text.split(":")
    return int(hours) * 60 + int(minutes)


def _days(text: str) -> frozenset[int]:
    found: set[int] = set()
    for piece in text.lower().split(","):
        first, _, last = piece.partition("-")
        begin = DAYS.index(first)
        span = (DAYS.index(last or first) - begin) % 7
        found |= {(begin + n) % 7 for n in range(span + 1)}
    return frozenset(found)


def parse_entries(text: str) -> Mapping[str, str]:
    """
    ``08:00-18:00 2MiB; default 10MiB`` as windows and what stands behind each.

    :raises ValueError: it is no such list.
    """
    found: dict[str, str] = {}
    for piece in text.split(";"):
        name, _, limit = piece.strip().rpartition(" ")
        if not name or name in found:
            raise ValueError("expected windows with a limit each, such as 08:00-18:00 2MiB")
        found[name.strip()] = limit
    return found


def timetable(entries: Mapping[str, int | None]) -> Timetable:
    """
    The table of *entries*: a limit for each window, and one called ``default``.

    :raises ValueError: there is no window, or a name that is none.
    """
    windows = tuple((parse_window(name), rate) for name, rate in entries.items() if name != DEFAULT)
    if not windows:
        raise ValueError("a timetable needs a window such as 08:00-18:00")
    return Timetable(windows, entries.get(DEFAULT))


DEFAULT = "default"


def told(rate: Rate) -> int | dict[str, int | None] | None:
    """*rate* in the words that `timetable` takes."""
    if not isinstance(rate, Timetable):
        return rate
    return {DEFAULT: rate.default, **{_said(window): limit for window, limit in rate.windows}}


def _said(window: Window) -> str:
    times = f"{_clock(window.start)}-{_clock(window.stop)}"
    return times if window.days == EVERY_DAY else f"{_days_said(window.days)} {times}"


def _days_said(days: frozenset[int]) -> str:
    """One stretch of the week by its ends, all else day by day."""
    first = [day for day in days if (day - 1) % 7 not in days]
    if len(first) == 1 and len(days) > 2:
        return f"{DAYS[first[0]]}-{DAYS[(first[0] + len(days) - 1) % 7]}"
    return ",".join(DAYS[day] for day in sorted(days))


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"
