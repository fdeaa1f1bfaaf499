"""
Numbers and words between people and the API: sizes, rates, times, safe text.

Sizes are read as the configuration reads them (``1.5MiB``, ``2GB``) and shown in
powers of 1024.  Names and messages come from strangers, so whatever could steer
a terminal is replaced before it is shown.
"""

from __future__ import annotations

import re
import unicodedata
from fractions import Fraction

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)\s*([kmgtp]?)(i?)b?", re.IGNORECASE)
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?) ?([smhd])?")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_POWERS = {letter: power for power, letter in enumerate("_kmgtp")} | {"": 0}
_SHOWN = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Co", "Zl", "Zp"})
FOREVER = 100 * 3600


def parse_size(text: str) -> int:
    """
    Octets that *text* means: ``65536``, ``64KiB``, ``64k``, ``1.5MiB``, ``2GB``.

    :raises ValueError: not a size.
    """
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a size: {text!r}; write it like 65536, 64KiB or 1.5MB")
    number, letter, binary = match.groups()
    decimal = text.strip()[-1:].lower() == "b" and not binary
    return int(Fraction(number) * (1000 if decimal else 1024) ** _POWERS[letter.lower()])


def parse_duration(text: str) -> float:
    """
    Seconds that *text* means: ``90``, ``90s``, ``5m``, ``6h``, ``1d``.

    :raises ValueError: not a duration.
    """
    match = _DURATION.fullmatch(text.strip())
    if match is None:
        raise ValueError(f"not a duration: {text!r}; write it like 90s, 5m, 6h or 1d")
    return float(match[1]) * _SECONDS[match[2] or "s"]


def show_size(octets: float | None) -> str:
    """``1.5 MiB``; ``?`` where it is not known."""
    if octets is None:
        return "?"
    amount, unit = float(octets), 0
    while round(amount, 1) >= 1024 and unit < len(_SHOWN) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.0f} {_SHOWN[unit]}" if unit == 0 else f"{amount:.1f} {_SHOWN[unit]}"


def show_rate(octets_per_second: float | None) -> str:
    """``1.5 MiB/s``; nothing for nothing."""
    return f"{show_size(octets_per_second)}/s" if octets_per_second else ""


def show_seconds(seconds: float | None) -> str:
    """``1:02:03`` or ``2:03``; nothing where it is not known or beyond four days."""
    if seconds is None or seconds > FOREVER:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def show_percent(received: int, size: int | None) -> str:
    """``42 %``, cut off and never rounded up to 100; nothing where the size is not known."""
    if size is None:
        return ""
    return f"{100 * received // size if size else 100} %"


def plain(value: object) -> str:
    """A value of the API's as people would say it, as `safe` as its text."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(safe(each) for each in value) or "none"
    return safe(value)


def safe(value: object) -> str:
    """*value* as text on one line in which nothing steers a terminal."""
    return "".join(_seen(character) for character in str(value))


def _seen(character: str) -> str:
    """*character*, or a sign in the place of one that is not to be seen but to work."""
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _UNSEEN else character
