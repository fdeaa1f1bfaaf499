"""What of a folder at an origin a mirror is asked to keep, as the API and the file have it."""

from __future__ import annotations

from collections.abc import Collection
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field

from rangedaemon.control import wishes
from rangedaemon.core.mirroring import DEEPEST

MOST_PATTERNS = 100


def check_pattern(pattern: str) -> str:
    """A pattern of names or paths, as the shell has them."""
    wishes.check_text(pattern)
    if not pattern.strip("/"):
        raise ValueError("a pattern of names (*.iso) or of paths (updates/*)")
    return pattern


Patterns = Annotated[
    list[Annotated[str, Field(max_length=1000), AfterValidator(check_pattern)]],
    Field(max_length=MOST_PATTERNS),
]
Depth = Annotated[int, Field(ge=0, le=DEEPEST)]


class Picked(BaseModel):
    """Which files of a folder are wanted: a part of requests, which are strict."""

    include: Patterns = Field(default_factory=list)
    """Only such files: *.iso; patterns with a slash are of the whole path below the folder."""
    exclude: Patterns = Field(default_factory=list)
    """No such files and folders."""
    depth: Depth | None = None
    """How many levels of folders to go into; 0: only the folder's own files."""
    delete: bool = False
    """Whether files are deleted that are not listed any more."""


PICKED = frozenset(Picked.model_fields)


def picked(wish: Picked, names: Collection[str]) -> dict[str, Any]:
    """Those of *wish* that are called *names*, as `MirrorSpec` has them."""
    values = {name: getattr(wish, name) for name in names}
    return {name: tuple(v) if isinstance(v, list) else v for name, v in values.items()}
