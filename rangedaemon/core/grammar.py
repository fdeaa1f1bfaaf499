"""
The pieces of grammar that several fields share (RFC 9110, section 5.6).

Field values are `str` decoded as latin-1, so that every octet has one character.
Everything here is ASCII by construction: the patterns name their characters, and
``int()`` is never the judge of what a number is (it takes ``1_0`` and ``+1``).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

OWS = " \t"
"""Optional white space (5.6.3)."""

TOKEN = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"  # noqa: S105
"""``token`` (5.6.2)."""

QUOTED_STRING = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
"""``quoted-string`` (5.6.4)."""

_DIGITS = re.compile(r"[0-9]+")
_QUOTED_PAIR = re.compile(r"\\(.)", re.DOTALL)
_LIST_ELEMENT = re.compile(rf'(?:{QUOTED_STRING}|[^",])+')

MAX_DIGITS = 4000
"""More than the largest disk needs and less than ``int()`` refuses (4300)."""


def parse_digits(text: str) -> int | None:
    """``1*DIGIT`` as a number; None for anything else, or for more digits than we read."""
    if len(text) > MAX_DIGITS or _DIGITS.fullmatch(text) is None:
        return None
    return int(text)


def join_lines(values: Iterable[str]) -> str | None:
    """Repeated field lines as the one value that they mean (5.3); None where there is none."""
    lines = list(values)
    return ", ".join(lines) if lines else None


def split_quoted_list(text: str) -> Iterator[str]:
    """The non-empty elements of a list whose quoted strings may hold commas (5.6.1, 5.6.4)."""
    for match in _LIST_ELEMENT.finditer(text):
        if element := match[0].strip(OWS):
            yield element


def unquote(text: str) -> str:
    """The content of a quoted-string, its backslash escapes resolved; a token as it is."""
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return _QUOTED_PAIR.sub(r"\1", text[1:-1])
    return text
