"""What a server is told of the file that comes to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Described:
    """A local file as servers are told of it."""

    name: str
    size: int
    media_type: str
    metadata: Mapping[str, str]
    """What the job wants told besides; tus only."""
    digest: str | None
    """``algorithm=hex`` of the whole, where it is known."""
