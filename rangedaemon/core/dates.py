"""
Dates as HTTP writes them (RFC 9110, section 5.6.7).

Three forms are read, one is written.  The time zone is always UTC, names are
case-sensitive, and the day's name is checked for form only.  A date that no
calendar has (30 February, 25 o'clock) is no date.
"""

from __future__ import annotations

import calendar
import re
import time

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTH = rf"(?P<month>{'|'.join(_MONTHS)})"
_DAY_NAME = f"(?:{'|'.join(_DAYS)})"
_CLOCK = r"(?P<hour>[0-9]{2}):(?P<minute>[0-9]{2}):(?P<second>[0-9]{2})"
_LONG_DAY_NAME = "(?:Monday|Tuesday|Wednesday|Thursday|Friday|Saturday|Sunday)"

_FORMS = (
    re.compile(rf"{_DAY_NAME}, (?P<day>[0-9]{{2}}) {_MONTH} (?P<year>[0-9]{{4}}) {_CLOCK} GMT"),
    re.compile(
        rf"{_LONG_DAY_NAME}, (?P<day>[0-9]{{2}})-{_MONTH}-(?P<year>[0-9]{{2}}) {_CLOCK} GMT"
    ),
    re.compile(rf"{_DAY_NAME} {_MONTH} (?P<day>[0-9]{{2}}| [0-9]) {_CLOCK} (?P<year>[0-9]{{4}})"),
)

_Moment = tuple[int, int, int, int, int, int]


def parse_http_date(text: str, *, now: float) -> int | None:
    """
    Seconds since the epoch, or None where *text* is not one HTTP date.

    :param now: the present, in seconds since the epoch; it decides the century of
        the two-digit years of RFC 850.
    """
    for form in _FORMS:
        if match := form.fullmatch(text):
            return _epoch(_moment(match, now))
    return None


def _moment(match: re.Match[str], now: float) -> _Moment:
    year, month, day, hour, minute, second = (
        int(match["year"]),
        _MONTHS.index(match["month"]) + 1,
        int(match["day"]),
        int(match["hour"]),
        int(match["minute"]),
        int(match["second"]),
    )
    if len(match["year"]) == 4:
        return year, month, day, hour, minute, second
    present = time.gmtime(now)
    year += present.tm_year // 100 * 100
    rest = (month, day, hour, minute, second)
    if (year, *rest) > (present.tm_year + 50, *present[1:6]):
        year -= 100
    return (year, *rest)


def _epoch(moment: _Moment) -> int | None:
    year, month, day, hour, minute, second = moment
    if not 1 <= year <= 9999 or not 1 <= day <= calendar.monthrange(year, month)[1]:
        return None
    if hour > 23 or minute > 59 or second > 60:
        return None
    return calendar.timegm((year, month, day, hour, minute, second))


def format_http_date(seconds: float) -> str:
    """The IMF-fixdate of a moment, its fraction cut off (a date must not lie ahead)."""
    moment = time.gmtime(int(seconds // 1))
    day, month = _DAYS[moment.tm_wday], _MONTHS[moment.tm_mon - 1]
    clock = f"{moment.tm_hour:02}:{moment.tm_min:02}:{moment.tm_sec:02}"
    return f"{day}, {moment.tm_mday:02} {month} {moment.tm_year:04} {clock} GMT"
