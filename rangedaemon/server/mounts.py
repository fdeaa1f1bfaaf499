"""
What is served where: mounts, and which of them an address belongs to.

Pure.  A path is decoded once, segment by segment, after it was split (RFC 3986,
2.4), so that an encoded slash can never become a separator.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

_ABSOLUTE_FORM = re.compile(rb"https?://[^/?#]*", re.IGNORECASE)
_PATH = re.compile(rb"(?:[^%\0]|%(?!00)[0-9A-Fa-f]{2})*")


@dataclass(frozen=True, slots=True)
class Mount:
    """One directory that is served under a prefix."""

    prefix: str
    """Path that its addresses begin with, as in a URL: ``/files``."""
    root: str | Path
    listing: bool = False
    disposition: str = "inline"
    """``inline`` or ``attachment``."""
    cache_control: str | None = None
    cors: tuple[str, ...] = ()
    """Origins whose pages may read; ``*`` for all."""
    hidden_files: bool = False
    follow_symlinks: bool = False
    rate_limit: int | None = None
    """Octets per second and connection."""
    rate_limit_total: int | None = None
    """Octets per second over all connections."""
    precompressed: bool = True
    """Whether ``NAME.zst``, ``NAME.br`` and ``NAME.gz`` are sent for NAME to who likes them."""
    metalink: bool = True
    """Whether ``NAME.meta4`` describes NAME, and NAME's answers say so."""
    uploads: bool = False
    """Whether uploads are taken, by this process or by the one that it carries them to."""


@dataclass(frozen=True, slots=True)
class Target:
    """The path of a request target: decoded segments, and whether it ends with a slash."""

    segments: tuple[str, ...]
    slash: bool

    def below(self, prefix: Sequence[str]) -> Target | None:
        """The target as seen from *prefix*; None where it is not below it."""
        if self.segments[: len(prefix)] != tuple(prefix):
            return None
        return Target(self.segments[len(prefix) :], self.slash)


def parse_target(uri: bytes) -> Target | None:
    """The path of a request target (RFC 9112, 3.2); None where it is not a path, or has NULs."""
    absolute = _ABSOLUTE_FORM.match(uri)
    if absolute:
        uri = uri[absolute.end() :] or b"/"
    path = uri.split(b"?", 1)[0]
    if not path.startswith(b"/") or not _PATH.fullmatch(path):
        return None
    pieces = [os.fsdecode(unquote_to_bytes(piece)) for piece in path[1:].split(b"/")]
    slash = pieces[-1] == ""
    return Target(tuple(pieces[:-1] if slash else pieces), slash)


def encode_segments(segments: Iterable[str]) -> str:
    """Decoded segments as the path of an address, with a slash before each."""
    return "".join(f"/{quote_from_bytes(os.fsencode(s), safe='')}" for s in segments)
