"""
Heads of requests in their plainest form, read without twisted.web.

A whole head in one piece, GET or HEAD, HTTP/1.1, each field once and on one line, and
only fields of which we know that they change nothing or what they change.  Anything
else is None, and left to twisted.web: this recognizes, and never refuses.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rangedaemon.core.preconditions import UNCONDITIONAL, Conditions
from rangedaemon.core.responses import RequestFacts

_LONGEST: Final = 4096
_MOST_KNOWN: Final = 512
_CONDITIONS: Final = (
    "If-Match",
    "If-Unmodified-Since",
    "If-None-Match",
    "If-Modified-Since",
    "If-Range",
)
_WITHOUT_EFFECT: Final = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Cache-Control",
    "Cookie",
    "DNT",
    "Host",
    "Origin",
    "Pragma",
    "Priority",
    "Referer",
    "Sec-Ch-Ua",
    "Sec-Ch-Ua-Mobile",
    "Sec-Ch-Ua-Platform",
    "Sec-Fetch-Dest",
    "Sec-Fetch-Mode",
    "Sec-Fetch-Site",
    "Sec-Fetch-User",
    "Sec-GPC",
    "Upgrade-Insecure-Requests",
    "User-Agent",
)
"""On a file that has no variants and is shared with all origins or none."""

_KNOWN: Final = {
    form.encode("ascii"): name
    for name in (*_CONDITIONS, *_WITHOUT_EFFECT, "Connection")
    for form in (name, name.lower())
}


@dataclass(frozen=True, slots=True)
class PlainHead:
    """A head without its ``Range``: the target as it was sent, and the fields by their names."""

    method: bytes
    uri: bytes
    fields: dict[str, str]
    conditional: bool

    def facts(self, wanted: str | None) -> RequestFacts:
        """What of the request decides its answer, where *wanted* is its ``Range``."""
        conditions = UNCONDITIONAL
        if self.conditional:
            conditions = Conditions(*map(self.fields.get, _CONDITIONS))
        return RequestFacts(self.method.decode("ascii"), wanted, conditions)


class HeadReader:
    """
    Reads heads, and knows those again that differ in their ``Range`` only.

    That is what a client sends that reads a file in pieces.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[bytes, bytes], PlainHead | None] = {}

    def read(self, octets: bytes) -> tuple[PlainHead | None, bytes]:
        """The head that *octets* are, if they are one and nothing else, and its ``Range``."""
        if len(octets) > _LONGEST:
            return None, b""
        before, _, rest = octets.partition(b"\r\nRange:")
        wanted, _, after = rest.partition(b"\r\n")
        if b"\n" in wanted or b"\r" in wanted or b"\0" in wanted:
            return None, b""
        key = (before, after)
        if key not in self._known:
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            whole = b"%b\r\n%b" % (before, after) if rest else octets
            self._known[key] = read_plain_head(whole)
        return self._known[key], wanted.lstrip(b" \t")


def read_plain_head(octets: bytes) -> PlainHead | None:
    """The head that *octets* are, without ``Range``, as a whole and with nothing after it."""
    if len(octets) > _LONGEST or not octets.endswith(b"\r\n\r\n") or b"\0" in octets:
        return None
    first, *lines = octets[:-4].split(b"\r\n")
    ends = len(lines) + 2
    if octets.count(b"\n") != ends or octets.count(b"\r") != ends:
        return None
    words = first.split(b" ")
    if len(words) != 3 or words[2] != b"HTTP/1.1" or words[0] not in {b"GET", b"HEAD"}:
        return None
    fields = _read_fields(lines)
    if fields is None or "Host" not in fields:
        return None
    if fields.get("Connection", "keep-alive").lower() != "keep-alive":
        return None
    conditional = any(name in fields for name in _CONDITIONS)
    return PlainHead(words[0], words[1], fields, conditional)


def _read_fields(lines: list[bytes]) -> dict[str, str] | None:
    fields: dict[str, str] = {}
    for line in lines:
        raw, colon, value = line.partition(b":")
        name = _KNOWN.get(raw) or _KNOWN.get(raw.lower())
        if name is None or not colon or name in fields:
            return None
        fields[name] = value.strip(b" \t").decode("latin-1")
    return fields
