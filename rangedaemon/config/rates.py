"""Limits by the hour: a rate, or windows of the day with a rate each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import PlainValidator, WithJsonSchema

from rangedaemon.config.values import RATE_SCHEMA, parse_rate
from rangedaemon.core.timetable import DEFAULT, WINDOW_PATTERN, Timetable, parse_entries, timetable


def _limit(value: object) -> int | Timetable:
    """
    ``2MiB``, ``08:00-18:00 2MiB; default 10MiB``, or the same as keys and values.

    :raises ValueError: it is none of these.
    """
    if isinstance(value, Timetable):
        return value
    if isinstance(value, Mapping):
        return _table(value)
    if isinstance(value, str) and "-" in value:
        return _table(parse_entries(value))
    return _positive(value)


def _table(entries: Mapping[Any, Any]) -> Timetable:
    return timetable({str(name): _entry(str(name), rate) for name, rate in entries.items()})


def _entry(name: str, rate: object) -> int | None:
    if rate is None or rate == "none":
        return None
    try:
        return _positive(rate)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _positive(value: object) -> int:
    rate = parse_rate(value)
    if rate < 1:
        raise ValueError("must be at least 1")
    return rate


_WINDOWS = {
    "type": "object",
    "propertyNames": {"pattern": f"^(?:{WINDOW_PATTERN}|{DEFAULT})$"},
    "additionalProperties": {"anyOf": [RATE_SCHEMA, {"type": "null"}]},
    "minProperties": 1,
}
_TEXT = {"type": "string", "pattern": "^[^;]+-[^;]+ [^; ]+(?:; ?[^;]+ [^; ]+)*$"}

Limit = Annotated[
    int | Timetable,
    PlainValidator(_limit),
    WithJsonSchema({"anyOf": [RATE_SCHEMA, _TEXT, _WINDOWS], "examples": [
        "2MiB", "08:00-18:00 2MiB", {"default": None, "mon-fri 08:00-18:00": "2MiB"},
    ]}),
]  # fmt: skip
"""Octets per second, at all times or by the hour."""
