"""
What an upload job is asked for beyond what every job is, and what it must not forget.

Pure values; the journal keeps both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class PushProtocol(StrEnum):
    """How an upload server is spoken to."""

    AUTO = "auto"
    """As the server says that it likes it (OPTIONS)."""
    TUS = "tus"
    """tus 1.0.0."""
    IETF = "ietf"
    """Resumable Uploads for HTTP, the draft of interop version 8."""
    SEGMENTED = "segmented"
    """Segments in any order, as the nginx upload module takes them."""


@dataclass(frozen=True, slots=True)
class PushSpec:
    """What an upload is asked for."""

    protocol: PushProtocol = PushProtocol.AUTO
    metadata: Mapping[str, str] = field(default_factory=dict)
    """What the server is told of the file besides its name; tus only."""


@dataclass(frozen=True, slots=True)
class LocalStamp:
    """What tells, without reading it, that a local file is still the same."""

    size: int
    mtime_ns: int
    inode: int
    device: int


@dataclass(frozen=True, slots=True)
class Part:
    """Octets ``[start, stop)`` of the file that are one upload at the server."""

    start: int
    stop: int
    token: str = field(repr=False)
    """Its address, or the id of its session: whoever knows it may write to it."""


@dataclass(frozen=True, slots=True)
class Pushed:
    """What became of an upload so far, besides the octets that the server has."""

    stamp: LocalStamp
    """The local file that its octets are of."""
    protocol: PushProtocol
    """The one in use, never AUTO."""
    parts: tuple[Part, ...] = ()
