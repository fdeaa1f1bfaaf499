"""
When a job may run: at what time it begins, and in which windows of the day.

Times of the day are those of the clock on the wall.  In the nights in which clocks are
changed, a start in the hour that is left out comes as much later, and one in the hour
that comes twice is meant once, the first time; of windows, `core.timetable` says what holds.
Pure: the moment (seconds since the epoch) and the zone are arguments.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta, tzinfo

from rangedaemon.core.timetable import MINUTES_OF_DAY, Hour, Window, parse_window

_TIME = re.compile(r"([01]?[0-9]|2[0-3]):([0-5][0-9])")
_INSTANT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_MINUTE = 60.0
_CAREFUL = 180
"""Minutes before a boundary from which each is looked at: no clock is changed by more."""
_LONGEST_SEARCH = 15
"""Days; every window that ever opens opens in these, but for one in an hour left out."""


def check_start(text: str) -> str:
    """
    A time such as ``22:00``, or an instant such as ``2026-12-24T22:00:00+01:00`` (RFC 3339).

    :raises ValueError: it is neither.
    """
    if not _TIME.fullmatch(text):
        _instant(text)
    return text


def check_window(text: str) -> str:
    """
    A window such as ``22:00-06:00`` or ``sat,sun 00:00-24:00``.

    :raises ValueError: it is none.
    """
    parse_window(text)
    return text.strip()


def start_of(text: str, now: float, zone: tzinfo) -> float:
    """The instant that *text* names, or the next at which the clock shows its time."""
    match = _TIME.fullmatch(text)
    if match is None:
        return _instant(text)
    today = datetime.fromtimestamp(now, zone).replace(second=0, microsecond=0, fold=0)
    shown = today.replace(hour=int(match[1]), minute=int(match[2]))
    days = (shown + timedelta(days=n) for n in range(3))
    return next(at for at in (day.timestamp() for day in days) if at >= now)


def _instant(text: str) -> float:
    if not _INSTANT.fullmatch(text):
        raise ValueError("expected a time such as 22:00 or 2026-12-24T22:00:00+01:00")
    try:
        return datetime.fromisoformat(text.upper()).timestamp()
    except (ValueError, OverflowError):
        raise ValueError("there is no such day or time") from None


def first_turn(start_at: str | None, window: str | None, now: float, zone: tzinfo) -> float:
    """The first moment from *now* on at which a job may run."""
    begin = now if start_at is None else max(now, start_of(start_at, now, zone))
    return begin if window is None else opening_of(parse_window(window), begin, zone)


def opening_of(window: Window, now: float, zone: tzinfo) -> float:
    """The first moment from *now* on that lies in *window*: *now* itself where it is open.

    Where it does not open for a fortnight, that is when to look again.
    """
    found = _search(window, now, zone, opens=True)
    return now + _LONGEST_SEARCH * 86400 if found is None else found


def closing_of(window: Window, now: float, zone: tzinfo) -> float | None:
    """The first moment from *now* on that does not lie in *window*; None: it never closes."""
    return _search(window, now, zone, opens=False)


def _search(window: Window, now: float, zone: tzinfo, *, opens: bool) -> float | None:
    moment, end = now, now + _LONGEST_SEARCH * 86400
    while moment < end:
        hour = hour_of(moment, zone)
        if window.holds(hour) is opens:
            return moment
        moment = (moment // _MINUTE + _stride(window, hour.minute)) * _MINUTE
    return None


def _stride(window: Window, minute: int) -> int:
    """How many minutes may pass unseen: nothing begins or ends in them, whatever clocks do."""
    bounds = window.start, window.stop
    if any((minute - bound) % MINUTES_OF_DAY <= _CAREFUL for bound in bounds):
        return 1  # a clock that is set back may show it again
    return max(1, min((bound - minute) % MINUTES_OF_DAY for bound in bounds) - _CAREFUL)


def hour_of(moment: float, zone: tzinfo) -> Hour:
    """What calendar and clock on the wall show at *moment*."""
    shown = datetime.fromtimestamp(moment, zone)
    return Hour(shown.weekday(), shown.hour * 60 + shown.minute)
