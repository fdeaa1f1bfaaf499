"""
Listings of a folder, as web servers make them: what is in it; pure.

HTML of nginx, Apache (plain, fancy, as a table), Caddy, Python and ourselves, and the JSON
of nginx, Caddy and ourselves.  Nothing is read of a page but where its links lead: an entry
is what lies directly below the address of the listing, by the rules of RFC 3986 (5.2), and
whatever leads elsewhere (parents, sorting, other hosts) is none.

Pages are searched rather than parsed: the parser of the standard library takes time that
grows with the square of what a peer may send, these patterns stop at each ``<``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from html import unescape
from typing import Any, NamedTuple
from urllib.parse import SplitResult, quote, unquote_to_bytes, urljoin, urlsplit

from rangedaemon.core.urls import origin_of
from rangedaemon.errors import UnusableDocument

ACCEPT = "application/json, text/html;q=0.9, */*;q=0.1"
"""JSON leaves nothing to guess."""
MOST_OCTETS = 16 * 1024 * 1024
MOST_ENTRIES = 100_000
_MOST_PARTS = 4 * MOST_ENTRIES
"""Links of a page, and brackets of JSON, which may become objects of their own however small."""

_PCHAR = "!$&'()*+,=:@~"
"""What a segment of a path may hold as it is, beside letters, digits, ``-._`` (RFC 3986, 3.3),
but for the semicolon, which old rules of URLs gave a meaning."""
_NEVER = re.compile(rb"[/\\\x00-\x1f\x7f]")
_HREF = re.compile(
    r"<a\s[^<>]{0,2000}?(?<![\w-])href\s*=\s*"
    r"(?:\"([^\"<>]{0,8000})\"|'([^'<>]{0,8000})'|([^\s\"'<>]{1,8000}))",
    re.IGNORECASE,
)
_SIMPLE = re.compile(r"(?:\./)?([^/?#:;\\\s]+)(/?)")
"""By far the most: one segment, which needs no resolving."""
_FOLDERS = ("directory", "dir")


class Entry(NamedTuple):
    """One file or folder of a listing."""

    segment: str
    """The last segment of its address, percent-encoded in one way whoever lists it."""
    is_folder: bool = False

    @property
    def name(self) -> str:
        """What it is called; not yet safe to be a file's name here."""
        octets = unquote_to_bytes(self.segment)
        try:
            return octets.decode("utf-8")
        except UnicodeDecodeError:
            return octets.decode("latin-1")


def parse_index(octets: bytes, content_type: str | None, url: str) -> list[Entry]:
    """
    What the listing at *url* lists, each once, in its order.

    :param url: the address that the listing came from, after redirects.
    :raises UnusableDocument: it is no listing, or of too much.
    """
    kind = (content_type or "").partition(";")[0].strip().lower()
    if kind == "application/json":
        links = _links_of_json(octets, url)
    elif kind in ("text/html", "application/xhtml+xml"):
        links = _links_of_page(octets)
    else:
        raise UnusableDocument(f"no listing of a folder, but {kind or 'of no type'}", url=url)
    found: dict[Entry, None] = {}
    base = urlsplit(url)
    for count, (href, is_folder) in enumerate(links):
        entry = _child(url, base, href)
        if entry is not None:
            found[Entry(entry.segment, entry.is_folder or is_folder)] = None
        if len(found) > MOST_ENTRIES or count > _MOST_PARTS:
            raise UnusableDocument(f"more than {MOST_ENTRIES} entries", url=url)
    return list(found)


def _links_of_page(octets: bytes) -> Iterator[tuple[str, bool]]:
    # Octets that are no UTF-8 stay what they are, and are encoded as such.
    text = octets.decode("utf-8", "surrogateescape")
    for start, stop in (("<!--", "-->"), ("<script", "</script")):
        text = _without(text, start, stop)
    for match in _HREF.finditer(text):
        yield unescape(match[1] or match[2] or match[3] or ""), False


def _without(text: str, start: str, stop: str) -> str:
    """*text* without what stands between *start* and *stop*."""
    kept, at = [], 0
    while (begin := text.find(start, at)) >= 0:
        end = text.find(stop, begin)
        if end < 0:
            break
        kept.append(text[at:begin])
        at = end + len(stop)
    return "".join([*kept, text[at:]])


def _links_of_json(octets: bytes, url: str) -> Iterator[tuple[str, bool]]:
    if octets.count(b"{") + octets.count(b"[") > _MOST_PARTS:
        raise UnusableDocument(f"more than {MOST_ENTRIES} entries", url=url)
    try:
        told = json.loads(octets)
    except (ValueError, RecursionError):
        raise UnusableDocument("a listing that is no JSON", url=url) from None
    entries = told.get("entries") if isinstance(told, dict) else told
    if not isinstance(entries, list):
        raise UnusableDocument("JSON, but no listing of a folder", url=url)
    for entry in entries:
        link = _link_of(entry) if isinstance(entry, dict) else None
        if link is None:
            raise UnusableDocument("JSON, but no listing of a folder", url=url)
        yield link


def _link_of(entry: dict[str, Any]) -> tuple[str, bool] | None:
    """Where an entry is: ``href`` of ours, ``url`` of Caddy's; nginx' have a name only."""
    is_folder = entry.get("type") in _FOLDERS or entry.get("is_dir") is True
    link = entry.get("href") or entry.get("url")
    if link is None and isinstance(name := entry.get("name"), str):
        link = "./" + _quoted(name.encode("utf-8", "surrogatepass"))
    return (link, is_folder) if isinstance(link, str) else None


def _child(url: str, base: SplitResult, href: str) -> Entry | None:
    """What *href* leads to, where that lies directly below *base*, which is *url*."""
    simple = _SIMPLE.fullmatch(href)
    if simple is not None:
        name, is_folder = _decoded(simple[1]), bool(simple[2])
    else:
        found = _resolved(url, base, href)
        if found is None:
            return None
        name, is_folder = found
    if name in (b"", b".", b"..") or _NEVER.search(name):
        return None
    return Entry(_quoted(name), is_folder)


def _resolved(url: str, base: SplitResult, href: str) -> tuple[bytes, bool] | None:
    try:
        target = urlsplit(urljoin(url, href.strip()))
        inside = origin_of(target.geturl()) == origin_of(url)
    except ValueError:
        return None
    if not inside or target.query or target.fragment:
        return None
    above, below = _segments(base.path or "/"), _segments(target.path)
    depth = len(above) - 1  # what stands behind the last slash is no folder
    is_folder = len(below) == depth + 2 and below[-1] == b""
    if below[:depth] != above[:depth] or len(below) - is_folder != depth + 1:
        return None
    return below[depth], is_folder


def _segments(path: str) -> list[bytes]:
    """Decoded only once they are apart: an encoded slash parts nothing."""
    return [_decoded(part) for part in path.split("/")]


def _decoded(segment: str) -> bytes:
    return unquote_to_bytes(segment.encode("utf-8", "surrogateescape"))


def _quoted(octets: bytes) -> str:
    return quote(octets, safe=_PCHAR)
