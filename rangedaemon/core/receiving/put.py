"""
PUT: a whole file, or with ``Content-Range`` a part of one (RFC 9110, 9.3.4 and 14.5).

Partial PUT is defined for servers that say that they support it; curl sends it for
``-T FILE -C OFFSET``.  A PUT from the first octet on begins anew, so what is resumed
is always what the octets before it belong to as well.
"""

from __future__ import annotations

from dataclasses import dataclass

from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.ranges import parse_content_range
from rangedaemon.core.receiving.asks import LARGEST, Ask, Refusal


@dataclass(frozen=True, slots=True)
class Placement:
    """Where the octets of a PUT belong."""

    start: int
    length: int | None
    """The file's octets; None: the body is the whole file, and its end will tell."""
    question: bool = False
    """Whether nothing is sent, and what is there is asked for."""

    @property
    def anew(self) -> bool:
        """Whether what came before does not count any more."""
        return self.start == 0 and not self.question


def read_put(ask: Ask) -> Placement:
    """
    What a PUT asks for.

    :raises Refusal: its range is malformed, or not that of its body.
    """
    text = ask.get("content-range")
    if text is None:
        return Placement(0, ask.length)
    told = parse_content_range(text)
    if told is None or told.complete_length is None:
        raise Refusal(400, "Content-Range has to be bytes FIRST-LAST/LENGTH.")
    if told.complete_length > LARGEST:
        raise Refusal(413, "No file is that long.")
    if told.range is None:
        if ask.length != 0:
            raise Refusal(400, "Content-Range says that there is no body, and there is one.")
        return Placement(0, told.complete_length, question=True)
    if ask.length not in {None, len(told.range)}:
        raise Refusal(400, "Content-Length is not the length of the range.")
    return Placement(told.range.start, told.complete_length)


def span(placement: Placement, ask: Ask) -> ByteRange | None:
    """The octets that a PUT brings, None where only its end will tell."""
    if ask.length is not None:
        return ByteRange(placement.start, placement.start + ask.length)
    return None
