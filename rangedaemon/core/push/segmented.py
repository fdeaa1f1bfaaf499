"""
The segmented protocol (nginx upload module) as a client speaks it.

Pure.  201 acknowledges the segment that was sent; the ranges that it lists are there
too, but a long list may be cut off, so what it leaves out says nothing.
"""

from __future__ import annotations

import re

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.push.answers import Answer

_LISTED = re.compile(r"([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")


def format_segment(piece: ByteRange, size: int) -> str:
    """The value of ``X-Content-Range``."""
    return f"bytes {piece.start}-{piece.stop - 1}/{size}"


def listed(answer: Answer, size: int) -> IntervalSet:
    """The ranges that a 201 lists, of a file of *size* octets; none where they are odd."""
    text = answer.fields.get("range") or answer.body.strip()
    ranges = []
    for item in text.split(","):
        match = _LISTED.fullmatch(item.strip())
        if match is None:
            continue
        first, last, total = (int(number) for number in match.groups())
        if total != size or not first <= last < total:
            return EMPTY
        ranges.append(ByteRange(first, last + 1))
    return IntervalSet(ranges)
