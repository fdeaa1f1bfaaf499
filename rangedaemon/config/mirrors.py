"""Folders of other servers that the configuration declares to be mirrored."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from rangedaemon.config.section import Section
from rangedaemon.config.values import (
    Below,
    Count,
    Duration,
    Fields,
    HttpUrl,
    Rate,
    StartAt,
    Text,
    User,
    Whole,
    WindowText,
)
from rangedaemon.control.mirroring import MOST_PATTERNS, check_pattern
from rangedaemon.control.wishes import check_pair
from rangedaemon.core.jobs import OnChange
from rangedaemon.core.mirroring import DEEPEST
from rangedaemon.core.repeats import check_cron, check_repeat

Priority = Annotated[int, Field(ge=-1000, le=1000, strict=True)]
Pattern = Annotated[Text, AfterValidator(check_pattern)]
Patterns = Annotated[tuple[Pattern, ...], Field(max_length=MOST_PATTERNS)]


class Repeat(Section):
    """When a job runs again: so long after its end, or by a cron expression."""

    every: Annotated[Duration, Field(ge=1)] | None = None
    """From the end of one run to the next."""
    cron: Annotated[Text, AfterValidator(check_cron)] | None = None
    """Minute, hour, day of the month, month, weekday, by the clock here."""
    jitter: Duration = 0.0
    """Up to so much later, by chance."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        check_repeat(self.every, self.cron)
        return self


class Mirror(Section):
    """A folder, as a web server lists it, whose files are kept up to date here."""

    kind: Literal["mirror"]
    """What tells it from a download."""
    name: Text
    """By which the mirror is known again at the next start."""
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
    headers: Fields = Field({}, repr=False)
    """Extra request fields; they may hold secrets and are never shown."""
    username: User | None = None
    """Who we are to the origin of url."""
    password: Text | None = Field(None, repr=False)
    """Its password; better ${NAME} than the thing itself."""
    priority: Priority = 0
    """Higher runs first."""
    segments: Annotated[Count, Field(le=256)] | None = None
    """Connections for each file, and for questions at once; by default downloads.segments."""
    rate_limit: Rate | None = None
    """Octets per second of each file."""
    paused: bool = False
    """Whether it waits to be resumed by hand."""
    on_change: OnChange = OnChange.RESTART
    """What to do where a file changed at the origin under a part of it."""
    start_at: StartAt | None = None
    """Not before: 22:00 by the clock here, or 2026-12-24T22:00:00+01:00."""
    window: WindowText | None = None
    """Only in these hours by the clock here: 22:00-06:00, sat,sun 00:00-24:00."""
    repeat: Repeat | None = None
    """When its next round is."""
    versions: Annotated[Whole, Field(ge=0, le=1000)] = 0
    """How many former files stay, as NAME.1 and so on, beside one that replaces them."""

    @model_validator(mode="after")
    def _whose(self) -> Self:
        check_pair(self.username, self.password)
        return self
