"""A request as the hostile origin reads it, and the faults that its address asks for."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import parse_qs, unquote

_UNITS = {"": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}
_SIZE = re.compile(r"(\d+)(|KiB|MiB|GiB)")
_RANGE = re.compile(r"bytes=(?:(\d+)-(\d+)?|-(\d+))")


def octets(text: str) -> int:
    """``65536``, ``64KiB``, ``10MiB`` as a number.

    :raises ValueError: not a size.
    """
    match = _SIZE.fullmatch(text)
    if match is None:
        raise ValueError(f"not a size: {text!r}")
    return int(match[1]) * _UNITS[match[2]]


@dataclass(frozen=True)
class Ask:
    """One request; field names in lower case."""

    method: str
    target: str
    fields: dict[str, str]
    number: int = 1
    connection: int = 1

    @property
    def path(self) -> str:
        """The target without its query."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> dict[str, str]:
        """The last value of each parameter of the query."""
        values = parse_qs(self.target.partition("?")[2])
        return {name: value[-1] for name, value in values.items()}

    def range_of(self, size: int) -> tuple[int, int] | None:
        """The octets ``[start, stop)`` that Range selects; None: no single range here.

        A range without any octet of the file comes back with start == stop.
        """
        match = _RANGE.fullmatch(self.fields.get("range", ""))
        if match is None:
            return None
        first, last, suffix = match.groups()
        if suffix is not None:
            return max(0, size - int(suffix)), size
        start, stop = int(first), size if last is None else min(int(last) + 1, size)
        return (start, stop) if start < stop else (size, size)


@dataclass(frozen=True)
class Wish:
    """One fault of an address: ``word=argument~condition~condition``."""

    word: str
    argument: str
    conditions: tuple[str, ...]

    def holds(self, ask: Ask) -> bool:
        """Whether every condition holds for this request."""
        return all(_holds(condition, ask) for condition in self.conditions)


def wishes(path: str) -> list[Wish]:
    """The faults that a path asks for, in order."""
    return [_wish(part) for part in path.split("/")[1:-1]]


def _wish(part: str) -> Wish:
    part = _CODED_EQUALS.sub(r"\1=", part)  # some clients code more than they need
    fault, *conditions = part.split("~")
    word, _, argument = fault.partition("=")
    return Wish(word, unquote(argument), tuple(conditions))


_CODED_EQUALS = re.compile(r"^([a-z0-9-]+)%3D", re.IGNORECASE)
_CONDITION = re.compile(r"(first|after|only|every|conn)(\d+)")


def _holds(condition: str, ask: Ask) -> bool:
    if condition in ("ranged", "whole"):
        return ("range" in ask.fields) == (condition == "ranged")
    match = _CONDITION.fullmatch(condition)
    if match is None:
        raise ValueError(f"no such condition: {condition!r}")
    word, count = match[1], int(match[2])
    return {
        "first": ask.number <= count,
        "after": ask.number > count,
        "only": ask.number == count,
        "every": ask.number % count == 0,
        "conn": ask.connection == count,
    }[word]
