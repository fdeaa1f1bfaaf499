"""Which files a mount takes: by their names and media types."""

from __future__ import annotations

from dataclasses import dataclass
from fnmatch import fnmatchcase

from rangedaemon.core.media import media_type as type_of_name
from rangedaemon.core.receiving.asks import Refusal


@dataclass(frozen=True, slots=True)
class Rules:
    """What is taken; patterns are those of the shell, and none means all."""

    directory: tuple[str, ...] = ()
    """Segments below the root where files go."""
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    max_size: int | None = None
    expire: float = 7 * 24 * 3600.0

    def check(self, name: str, media_type: str | None) -> None:
        """:raises Refusal: a file of that name or type is not taken."""
        if self.names and not _fits(name.rpartition("/")[2].lower(), self.names):
            raise Refusal(403, "Files of that name are not taken here.")
        kind = (media_type or type_of_name(name)).partition(";")[0].strip().lower()
        if self.types and not _fits(kind, self.types):
            raise Refusal(415, "Files of that type are not taken here.")


def _fits(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(text, pattern.lower()) for pattern in patterns)
