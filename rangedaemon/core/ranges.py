"""
The range fields of HTTP: ``Range``, ``Content-Range`` (RFC 9110, section 14).

On the wire ranges are inclusive (first-last); in code they are half-open
`ByteRange`s, and this module is the only place where one becomes the other.

What the RFC leaves to the server is decided here: a ``Range`` that is not well
formed, names another unit, comes twice or asks for too much (more than
`MAX_SPECS` ranges, or more than `MAX_OVERLAPS` overlapping pairs: 14.2, 17.15) is
ignored; overlapping and adjoining ranges are merged, so no octet is ever sent
twice; an empty representation has no ranges.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from rangedaemon.core.grammar import MAX_DIGITS, OWS, parse_digits
from rangedaemon.core.intervals import ByteRange, IntervalSet

MAX_SPECS = 16
MAX_OVERLAPS = 2

_RANGE_UNIT = re.compile(r"bytes=", re.IGNORECASE)
_SPEC = re.compile(r"([0-9]*)-([0-9]*)")
_CONTENT_RANGE = re.compile(r"bytes (?:([0-9]+)-([0-9]+)|\*)/([0-9]+|\*)", re.IGNORECASE)


# -- Range ---------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RangeSpec:
    """One member of a ``Range``: from *first* to *last* inclusive, or the last *suffix* octets."""

    first: int | None = None
    last: int | None = None
    suffix: int | None = None

    def resolve(self, length: int) -> ByteRange | None:
        """The octets it selects of a representation of *length*; None where it selects none."""
        if self.suffix is not None:
            start, stop = max(0, length - self.suffix), length
        else:
            start = self.first or 0
            stop = length if self.last is None else min(self.last + 1, length)
        return ByteRange(start, stop) if start < stop else None


def parse_range(text: str) -> tuple[RangeSpec, ...] | None:
    """The members of a ``Range`` in bytes (14.1.1); None where the field is to be ignored."""
    unit = _RANGE_UNIT.match(text)
    if unit is None or len(text) > MAX_DIGITS:
        return None
    specs: list[RangeSpec] = []
    for raw in text[unit.end() :].split(","):
        if not (element := raw.strip(OWS)):
            continue
        spec = _parse_spec(element)
        if spec is None or len(specs) == MAX_SPECS:
            return None
        specs.append(spec)
    return tuple(specs) or None


def _parse_spec(text: str) -> RangeSpec | None:
    match = _SPEC.fullmatch(text)
    if match is None:
        return None
    first, last = parse_digits(match[1]), parse_digits(match[2])
    if first is None:
        return None if last is None else RangeSpec(suffix=last)
    if last is not None and last < first:
        return None
    return RangeSpec(first=first, last=last)


def select_ranges(text: str, length: int) -> tuple[ByteRange, ...] | None:
    """
    What a ``Range`` selects of a representation.

    :param text: the field's value, repeated lines joined (which makes it malformed).
    :param length: octets in the representation.
    :returns: the octets to send, merged, in the order asked for; no range at all
        where the field is valid but nothing of it is satisfiable (416); None where
        the field is to be ignored (200).
    """
    specs = parse_range(text) if length > 0 else None
    if specs is None:
        return None
    ranges = [resolved for spec in specs if (resolved := spec.resolve(length)) is not None]
    if _overlaps(ranges) > MAX_OVERLAPS:
        return None
    return _merge(ranges)


def _overlaps(ranges: Sequence[ByteRange]) -> int:
    return sum(a.start < b.stop and b.start < a.stop for a, b in combinations(ranges, 2))


def _merge(ranges: Sequence[ByteRange]) -> tuple[ByteRange, ...]:
    """Unite what overlaps or adjoins; each union stands where its first member stood."""
    if len(ranges) < 2:
        return tuple(ranges)
    unions = list(IntervalSet(ranges))
    homes = (next(u for u in unions if u.start <= r.start < u.stop) for r in ranges)
    return tuple(dict.fromkeys(homes))


def format_range(piece: ByteRange) -> str:
    """The value of a ``Range`` that asks for exactly *piece* (which has octets)."""
    return f"bytes={piece.start}-{piece.stop - 1}"


# -- Content-Range ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class ContentRange:
    """
    What an answer says it holds.

    ``range`` is None in the unsatisfied form (``bytes */1234``), ``complete_length``
    is None where the sender does not know it (``bytes 0-99/*``).
    """

    range: ByteRange | None
    complete_length: int | None


def parse_content_range(text: str) -> ContentRange | None:
    """
    The meaning of a ``Content-Range`` (14.4); None where it is invalid.

    Invalid is: another unit, bad syntax, a last position before the first, a
    complete length that is not beyond the last position, ``bytes */*``.
    """
    match = _CONTENT_RANGE.fullmatch(text.strip(OWS))
    if match is None or len(text) > MAX_DIGITS:
        return None
    first, last, total = (None if part in {None, "*"} else int(part) for part in match.groups())
    if first is None or last is None:
        return None if total is None else ContentRange(None, total)
    if last < first or (total is not None and total <= last):
        return None
    return ContentRange(ByteRange(first, last + 1), total)


def format_content_range(piece: ByteRange, complete_length: int | None) -> str:
    """The value of a ``Content-Range`` for *piece* (which has octets)."""
    total = "*" if complete_length is None else complete_length
    return f"bytes {piece.start}-{piece.stop - 1}/{total}"


def format_unsatisfied_range(complete_length: int) -> str:
    """The value of a ``Content-Range`` in a 416 (15.5.17)."""
    return f"bytes */{complete_length}"
