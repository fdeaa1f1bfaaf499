"""Folders of other servers that the configuration declares to be mirrored."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from rangedaemon.config.declared import Declared, Repeat
from rangedaemon.config.values import Below, Count, HttpUrl, Rate, Text, Whole
from rangedaemon.control.picked import MOST_PATTERNS, check_pattern
from rangedaemon.core.jobs import OnChange
from rangedaemon.core.mirroring import DEEPEST

Pattern = Annotated[Text, AfterValidator(check_pattern)]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=MOST_PATTERNS)]


class Mirror(Declared):
    """A folder, as a web server lists it, whose files are kept up to date here."""

    kind: Literal["mirror"]
    """What tells it from a download."""
    url: HttpUrl = Field(repr=False)
    """Where the folder is listed, as HTML or JSON."""
    directory: Below | None = None
    """Below downloads.directory; by default a folder that is called as the mirror."""
    include: Patterns = ()
    """Only such files: *.iso, or with a slash, of the whole path, updates/*; by default all."""
    exclude: Patterns = ()
    """No such files and folders."""
    depth: Annotated[Whole, Field(ge=0, le=DEEPEST)] | None = None
    """How many levels of folders to go into: 0 for none; by default all, up to 32."""
    delete: bool = False
    """Whether files are deleted here that a whole listing has no more."""
    segments: Annotated[Count, Field(le=256)] | None = None
    """Connections for each file, and for questions at once; by default downloads.segments."""
    rate_limit: Rate | None = None
    """Octets per second of each file."""
    on_change: OnChange = OnChange.RESTART
    """What to do where a file changed at the origin under a part of it."""
    repeat: Repeat | None = None
    """When its next round is."""
    versions: Annotated[Whole, Field(ge=0, le=1000)] = 0
    """How many former files stay, as NAME.1 and so on, beside one that replaces them."""
