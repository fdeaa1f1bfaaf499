"""
The segmented form: one POST for each segment, in any order and at the same time.

What nginx's upload module speaks (its upload-protocol.md), with the gaps of that closed:
what is malformed is refused in words instead of by closing the connection, and what
is sent after the end is answered as the end was.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from rangedaemon.core.disposition import parse_disposition
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.ranges import parse_content_range
from rangedaemon.core.receiving.asks import LARGEST, Ask, Refusal

_SESSION = re.compile(r"[0-9A-Za-z_-]{1,200}")
_KIND = re.compile(r"[ \t]*(?:attachment|form-data)[ \t]*(?:;|$)", re.IGNORECASE)
MOST_LISTED = 4096
"""Octets that the list of ranges takes in a field; whoever needs all reads the body."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some octets of a file."""

    filename: str | None
    """As it came."""
    range: ByteRange | None
    """None: the request brings the whole file."""
    length: int | None
    """The file's octets, None where it comes as a whole and does not tell."""
    session: str | None
    """What the client calls the file; None where it comes as a whole."""


def is_spoken(ask: Ask) -> bool:
    """Whether a request is one of this protocol."""
    return ask.method == "POST" and ask.get("content-disposition") is not None


def read_segment(ask: Ask) -> Segment:
    """
    What a POST asks for.

    :raises Refusal: it breaks the protocol.
    """
    if "content-type" not in ask.fields:
        raise Refusal(400, "Content-Type is missing.")
    if ask.media_type is None or ask.media_type == "multipart/form-data":
        raise Refusal(415, "Send the octets of the file as they are, not as a form.")
    disposition = ask.get("content-disposition") or ""
    if not _KIND.match(disposition):
        raise Refusal(415, "Content-Disposition has to be attachment, with a filename.")
    filename = parse_disposition(disposition)
    text = ask.get("x-content-range") or ask.get("content-range")
    if text is None:
        return Segment(filename, None, ask.length, None)
    piece, length = _range(text)
    if ask.length != len(piece):
        raise Refusal(416, "Content-Length is not the length of the range.")
    return Segment(filename, piece, length, _session(ask))


def _range(text: str) -> tuple[ByteRange, int]:
    told = parse_content_range(text)
    if told is None or told.range is None or told.complete_length is None:
        raise Refusal(400, "The range has to be bytes FIRST-LAST/LENGTH.")
    if told.complete_length > LARGEST:
        raise Refusal(413, "No file is that long.")
    return told.range, told.complete_length


def _session(ask: Ask) -> str:
    session = ask.get("x-session-id") or ask.get("session-id") or ""
    if not _SESSION.fullmatch(session):
        raise Refusal(400, "X-Session-ID has to be 1 to 200 of 0-9 A-Z a-z _ and -.")
    return session


def format_ranges(there: IntervalSet, length: int, most: int | None = None) -> str:
    """
    What is there: ``0-99/511,200-299/511``.

    :param most: octets that the text may take; ranges that do not fit are left out.
    """
    items = [f"{piece.start}-{piece.stop - 1}/{length}" for piece in there]
    while most is not None and sum(map(len, items)) + len(items) - 1 > most:
        items = items[: max(1, len(items) * 3 // 4)] if len(items) > 1 else []
    return ",".join(items)
