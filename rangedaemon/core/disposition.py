"""
File names on the wire: ``Content-Disposition`` made and read, and names made safe.

RFC 6266 and RFC 8187.  What a peer says is advice (RFC 6266, 4.3): a name that is
used for a file goes through `safe_filename` first.
"""

from __future__ import annotations

import re
import unicodedata
from urllib.parse import quote, unquote_to_bytes, urlsplit

from rangedaemon.core.grammar import OWS, QUOTED_STRING, TOKEN, unquote

NAME_LIMIT = 255
"""Octets that common file systems allow in a name."""

PART_SUFFIX_ROOM = len(".part")

FALLBACK_NAME = "download"

# -- made ------------------------------------------------------------------------

_ATTR_CHAR = "!#$&+-.^_`|~"
_NOT_IN_FALLBACK = re.compile(r'[^\x20-\x7e]|["\\]|%(?=[0-9A-Fa-f]{2})')


def format_disposition(kind: str, filename: str) -> str:
    """
    A ``Content-Disposition`` of *kind* (``inline``, ``attachment``) with a file name.

    ASCII goes first as a quoted string; what that cannot say follows as
    ``filename*`` (RFC 6266, appendix D).
    """
    fallback = _NOT_IN_FALLBACK.sub("_", filename)
    value = f'{kind}; filename="{fallback}"'
    if fallback == filename:
        return value
    octets = filename.encode("utf-8", "replace")
    return f"{value}; filename*=UTF-8''{quote(octets, safe=_ATTR_CHAR)}"


# -- read ------------------------------------------------------------------------

_TYPE = re.compile(rf"[ \t]*{TOKEN}[ \t]*(?=;|$)")
_PARAMETER = re.compile(
    rf";[ \t]*(?:({TOKEN})[ \t]*=[ \t]*({QUOTED_STRING}|[^\";]*))?[ \t]*(?=;|$)"
)
_EXT_VALUE = re.compile(
    r"(utf-8|iso-8859-1)'[^']*'((?:%[0-9A-Fa-f]{2}|[!#$&+\-.^_`|~0-9A-Za-z])*)", re.IGNORECASE
)


def parse_disposition(text: str) -> str | None:
    """
    The file name in a ``Content-Disposition`` as the peer sent it, not yet safe.

    :param text: the field's value, decoded as latin-1.
    :returns: the name (of ``filename*`` where that one is sound), or None where the
        field names none or is broken: a repeated parameter spoils all (RFC 6266, 4.1).
    """
    parameters = _parameters(text)
    if parameters is None:
        return None
    if (name := _extended(parameters.get("filename*", ""))) is not None:
        return name
    if (plain := parameters.get("filename")) is None:
        return None
    return _decoded(unquote(plain)) or None


def _parameters(text: str) -> dict[str, str] | None:
    kind = _TYPE.match(text)
    if kind is None:
        return None
    found: dict[str, str] = {}
    at = kind.end()
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            return None
        at = match.end()
        if match[1] is None:
            continue
        name = match[1].lower()
        if name in found:
            return None
        found[name] = match[2].strip(OWS)
    return found


def _extended(value: str) -> str | None:
    """The name in an ext-value (RFC 8187, 3.2); None where it is not sound."""
    match = _EXT_VALUE.fullmatch(value)
    if match is None or not match[2]:
        return None
    try:
        return unquote_to_bytes(match[2]).decode(match[1])
    except UnicodeDecodeError:
        return None


def _decoded(text: str) -> str:
    """Octets that came as latin-1: read as UTF-8 where they are UTF-8."""
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


# -- made safe -------------------------------------------------------------------

_JOINERS = "\u200c\u200d"
"""Characters without a look of their own that some scripts, and emoji, cannot do without."""
_UNSEEN = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})
"""Control, format (what changes the direction, too), surrogates, separators of lines."""
_FORBIDDEN = re.compile(r'[<>:"|?*]')
_DEVICES = frozenset(
    {"con", "prn", "aux", "nul", "conin$", "conout$"}
    | {f"{stem}{n}" for stem in ("com", "lpt") for n in "0123456789\u00b9\u00b2\u00b3"}
)
"""Names that Windows takes for devices, with any extension."""


def safe_filename(name: str) -> str | None:
    """
    *name* as a name that is safe to create in a directory of ours.

    No directory, no control or direction-changing characters, nothing that hides the
    file, that a shell or Windows takes for something else, or that is too long once
    ``.part`` stands behind it.

    :returns: the name, or None where nothing usable is left.
    """
    name = re.split(r"[/\\]", name)[-1]
    name = "".join(c for c in name if _is_plain(c))
    name = _FORBIDDEN.sub("_", unicodedata.normalize("NFC", name))
    name = _bare(name)
    if not name:
        return None
    if name[0] in "~-" or name.split(".", 1)[0].rstrip().lower() in _DEVICES:
        name = "_" + name.lstrip("~-")
    return _shortened(name, NAME_LIMIT - PART_SUFFIX_ROOM)


def _is_plain(character: str) -> bool:
    return character in _JOINERS or unicodedata.category(character) not in _UNSEEN


def _bare(name: str) -> str:
    """Without dots, blanks and joiners at either end: Windows drops some, eyes miss the others."""
    return re.sub(rf"^[\s.{_JOINERS}]+|[\s.{_JOINERS}]+$", "", name)


def _shortened(name: str, limit: int, tail: str = "") -> str:
    """*name* with *tail* before its extension, in at most *limit* octets of UTF-8."""
    stem, dot, extension = name.rpartition(".")
    if not stem or len(extension) > 16:
        stem, dot, extension = name, "", ""
    end = tail + dot + extension
    room = limit - len(end.encode())
    return _bare(stem.encode()[:room].decode("utf-8", "ignore")) + end


def numbered_filename(name: str, number: int) -> str:
    """The *number*-th other name for a safe name that is taken: ``name (1).ext``."""
    return _shortened(name, NAME_LIMIT - PART_SUFFIX_ROOM, f" ({number})")


def filename_from_url(url: str) -> str:
    """A safe name from the last segment of an address's path, `FALLBACK_NAME` where none is."""
    try:
        path = urlsplit(url).path
    except ValueError:
        return FALLBACK_NAME
    segment = path.rstrip("/").rpartition("/")[2]
    octets = unquote_to_bytes(segment.encode("utf-8", "replace"))
    try:
        name = octets.decode("utf-8")
    except UnicodeDecodeError:
        name = octets.decode("latin-1")
    return safe_filename(name) or FALLBACK_NAME
