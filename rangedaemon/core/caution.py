"""
Which octets to look at again although the validator says that nothing has changed.

An origin's tag is as good as what it is made of.  Those made of a file's time and size
(nginx ``"mtime-size"``, Apache ``"[inode-]size-mtime"``, Caddy's both in base 36) stay
where a file is written anew with the same size and within the same second, or has its
old time put back, and so does Last-Modified, the strong validator of RFC 9110 8.8.2.2.
A checksum tells in the end; where there is none, some octets that are there are asked
for again.  Those right before a hole come with the answer that fills it, at no
request more, whatever the tag looks like; blocks drawn at random are requests of their
own, and only for validators that are known to be made of the time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from random import Random

from rangedaemon.core.dates import parse_http_date
from rangedaemon.core.etags import EntityTag
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import Remembered
from rangedaemon.core.overlap import BLOCK_OCTETS, END_OCTETS
from rangedaemon.core.validators import strong_etag

SHARE = 100
"""At most one octet in so many of those that are there is asked for again."""
LEAST_OCTETS = 64
"""Except where so few are there that this would prove nothing."""
MOST_EDGES = 8
MOST_BLOCKS = 4
LEAST_BLOCK = 512
"""Octets for which a request of their own is worth its while."""

_HEX = re.compile(r"([0-9a-f]{1,16})-([0-9a-f]{1,16})(?:-([0-9a-f]{1,16}))?(?:-gzip|-br)?")
_BASE_36 = re.compile(r"([0-9a-z]{1,13})-?")
_UNITS = (1, 10**3, 10**6, 10**9)
"""Of a second: what servers count the time of a file in."""
_EARLIEST, _LATEST = 86_400 * 365, 1 << 33
"""What is taken for a time, in seconds since the epoch: 1971 to 2242."""


@dataclass(frozen=True, slots=True)
class SecondLook:
    """What to compare with the octets on the disk."""

    edges: Mapping[int, int] = field(default_factory=dict)
    """Where a hole begins, and how many octets before it its first answer is to bring too."""
    blocks: Sequence[ByteRange] = ()
    """What else, by requests of its own: disjoint, ascending."""


def made_of_time(remembered: Remembered) -> bool:
    """Whether the strong validator is known to be made of the file's time (and size).

    With neither strong tag nor length nothing is known; a date alone is a time.
    """
    tag = strong_etag(remembered)
    if tag is None:
        return remembered.last_modified is not None
    if remembered.length is None:
        return False
    modified = _seconds(remembered.last_modified)
    return any(_fits(time, modified) for time in _times_beside(tag, remembered.length))


def _times_beside(tag: EntityTag, size: int) -> Iterator[int]:
    """The numbers that stand in *tag* beside its *size*, as far as the form is known."""
    match = _HEX.fullmatch(tag.opaque)
    if match is not None:
        numbers = [int(digits, 16) for digits in match.groups() if digits is not None]
        if size in numbers:
            numbers.remove(size)
            yield from numbers
    before, _, after = tag.opaque.rpartition(_base_36(size))
    match = _BASE_36.fullmatch(before)
    if match is not None and not after:
        yield int(match[1], 36)


def _fits(number: int, modified: int | None) -> bool:
    """Whether *number* is a time; that of Last-Modified, where there is one."""
    times = [number // unit for unit in _UNITS]
    if modified is not None and modified in times:
        return True
    return any(_EARLIEST <= time < _LATEST for time in times)


def _seconds(date: str | None) -> int | None:
    return parse_http_date(date, now=0) if date is not None else None


def _base_36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = "0123456789abcdefghijklmnopqrstuvwxyz"[digit] + digits
    return digits or "0"


def second_look(
    covered: IntervalSet, end: int, random: Random, *, most: int, blocks: bool
) -> SecondLook:
    """What of *covered* to compare: little of it, and at most *most* octets.

    :param end: the complete length.
    :param blocks: whether anything is worth requests of its own.
    """
    budget = min(most, max(LEAST_OCTETS, covered.total // SHARE))
    edges = _edges(covered, end, random, budget // 2 if blocks else budget)
    if not blocks:
        return SecondLook(edges)
    elsewhere = covered - IntervalSet(ByteRange(at - n, at) for at, n in edges.items())
    return SecondLook(edges, _blocks(elsewhere, random, budget - sum(edges.values())))


def _edges(covered: IntervalSet, end: int, random: Random, budget: int) -> dict[int, int]:
    """The first hole's always: it is asked for first."""
    pieces = [piece for piece in covered if piece.stop < end]
    if len(pieces) > MOST_EDGES:
        pieces = [pieces[0], *random.sample(pieces[1:], MOST_EDGES - 1)]
    each = min(END_OCTETS, budget // max(1, len(pieces)))
    return {piece.stop: min(len(piece), each) for piece in pieces if each}


def _blocks(covered: IntervalSet, random: Random, budget: int) -> list[ByteRange]:
    pieces, count = list(covered), min(MOST_BLOCKS, budget // LEAST_BLOCK)
    if not pieces or not count:
        return []
    each = min(BLOCK_OCTETS, budget // count)
    wanted = []
    for piece in random.choices(pieces, [len(piece) for piece in pieces], k=count):
        start = random.randrange(piece.start, piece.stop)
        wanted.append(ByteRange(start, min(piece.stop, start + each)))
    return list(IntervalSet(wanted))
