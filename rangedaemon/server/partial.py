"""
The commonest answer of all, made ready: one range of a file, without conditions.

What is said in such an answer is decided by `rangedaemon.core.responses`: it is asked
once for a file, for its first octet, and what differs in the answers for other octets,
length and position, is filled in.  A property test holds it to that.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, Self

from rangedaemon.core.responses import Field, Representation, RequestFacts, plan_response

_FIRST_AND_LAST: Final = re.compile(rb"bytes=([0-9]{1,18})-([0-9]{1,18})")


def simple_range(value: bytes, length: int) -> tuple[int, int] | None:
    """What ``bytes=FIRST-LAST`` selects of *length* octets; None where it is not that simple."""
    match = _FIRST_AND_LAST.fullmatch(value)
    if match is None:
        return None
    first, last = int(match[1]), int(match[2])
    if not first <= last or first >= length:
        return None
    return first, min(last + 1, length)


def lines(fields: Sequence[Field]) -> bytes:
    """Fields as they go to the wire."""
    return "".join([f"{name}: {value}\r\n" for name, value in fields]).encode("latin-1")


class PartialHead:
    """The head of the 206 for any one range of a representation."""

    def __init__(self, form: bytes) -> None:
        self._form = form

    @classmethod
    def of(cls, representation: Representation, common: Sequence[Field]) -> Self | None:
        """
        The head of the parts of *representation*; None where it has none.

        :param common: fields of all answers, before those of the representation.
        """
        probe = RequestFacts("GET", "bytes=0-0")
        plan = plan_response(probe, representation, now=0.0, boundary="")
        if plan.status != 206:
            return None
        places = {
            "Content-Length": "%d",
            "Content-Range": f"bytes %d-%d/{representation.length}",
        }
        fields = [
            (name, places.get(name) or value.replace("%", "%%"))
            for name, value in (*common, *plan.fields)
        ]
        return cls(b"HTTP/1.1 206 Partial Content\r\n%b" + lines(fields) + b"\r\n")

    def fill(self, beginning: bytes, start: int, stop: int) -> bytes:
        """The head for ``[start, stop)``; *beginning* are the fields that stand first."""
        return self._form % (beginning, stop - start, start, stop - 1)
