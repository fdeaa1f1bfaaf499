"""The jobs that a configuration declares: downloads, files to push, folders to mirror."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag, model_validator

from rangedaemon.config.mirrors import Mirror, Priority, Repeat
from rangedaemon.config.section import Section
from rangedaemon.config.values import (
    AbsolutePath,
    Below,
    Checksum,
    Count,
    Fields,
    FileName,
    HttpUrl,
    Rate,
    StartAt,
    Text,
    User,
    Whole,
    WindowText,
)
from rangedaemon.control.pushing import check_digest, check_metadata
from rangedaemon.control.wishes import check_pair
from rangedaemon.core.jobs import OnChange, OnConflict
from rangedaemon.core.push.values import PushProtocol


def _known_kind(value: object) -> object:
    if value != "download":
        raise ValueError("expected download, upload or mirror")
    return value


def _kind_of(value: object) -> str:
    """Which kind of job a value is meant for."""
    kind = value.get("kind") if isinstance(value, dict) else getattr(value, "kind", None)
    return kind if kind in ("upload", "mirror") else "download"


class Job(Section):
    """A download that is added at start where no job of its name is known yet."""

    kind: Annotated[Literal["download"], BeforeValidator(_known_kind)] = "download"
    """download; upload for a file that shall be pushed."""
    name: Text
    """By which the job is known again at the next start."""
    url: HttpUrl = Field(repr=False)
    """Where the file is."""
    mirrors: tuple[HttpUrl, ...] = Field((), repr=False)
    """Other addresses of the same file."""
    checksum: Checksum | None = None
    """algorithm=hex (sha-256, sha-512, sha-1, md5, blake2b), or the address of a SHA256SUMS."""
    headers: Fields = Field({}, repr=False)
    """Extra request fields; they may hold secrets and are never shown."""
    username: User | None = None
    """Who we are to the origin of url."""
    password: Text | None = Field(None, repr=False)
    """Its password; better ${NAME} than the thing itself."""
    priority: Priority = 0
    """Higher runs first."""
    directory: Below | None = None
    """Below downloads.directory, by default that itself."""
    filename: FileName | None = None
    """The finished file's name; by default what the origin calls it."""
    segments: Annotated[Count, Field(le=256)] | None = None
    """Connections; by default downloads.segments."""
    rate_limit: Rate | None = None
    """Octets per second of this job."""
    paused: bool = False
    """Whether it waits to be resumed by hand."""
    on_conflict: OnConflict = OnConflict.RENAME
    """What to do where the name is taken."""
    on_change: OnChange = OnChange.RESTART
    """What to do where the file changed at the origin under a part of it."""
    start_at: StartAt | None = None
    """Not before: 22:00 by the clock here, or 2026-12-24T22:00:00+01:00."""
    window: WindowText | None = None
    """Only in these hours by the clock here: 22:00-06:00, sat,sun 00:00-24:00."""
    repeat: Repeat | None = None
    """When it runs again after its end."""
    versions: Annotated[Whole, Field(ge=0, le=1000)] = 0
    """How many former files stay, as NAME.1 and so on, where a repeated job brings another."""

    @model_validator(mode="after")
    def _whose(self) -> Job:
        check_pair(self.username, self.password)
        return self


class Upload(Section):
    """A file that is pushed from the start on, where no job of its name is known yet."""

    kind: Literal["upload"]
    """What tells it from a download."""
    name: Text
    """By which the job is known again at the next start."""
    file: AbsolutePath
    """Below one of pushes.directories."""
    url: HttpUrl = Field(repr=False)
    """Where uploads are begun."""
    protocol: PushProtocol = PushProtocol.AUTO
    """tus, ietf or segmented; auto asks the server."""
    metadata: Annotated[dict[str, str], AfterValidator(check_metadata)] = Field({}, repr=False)
    """What the server is told besides; tus only."""
    checksum: Annotated[Checksum, AfterValidator(check_digest)] | None = None
    """algorithm=hex that the local file must have."""
    headers: Fields = Field({}, repr=False)
    """Extra request fields; they may hold secrets and are never shown."""
    username: User | None = None
    """Who we are to the origin of url."""
    password: Text | None = Field(None, repr=False)
    """Its password; better ${NAME} than the thing itself."""
    priority: Priority = 0
    """Higher runs first."""
    segments: Annotated[Count, Field(le=256)] | None = None
    """Connections, where the protocol allows several; by default downloads.segments."""
    rate_limit: Rate | None = None
    """Octets per second of this job."""
    paused: bool = False
    """Whether it waits to be resumed by hand."""
    on_change: Literal[OnChange.RESTART, OnChange.FAIL] = OnChange.RESTART
    """What to do where the local file changed after a part of it was pushed."""
    start_at: StartAt | None = None
    """Not before: 22:00 by the clock here, or 2026-12-24T22:00:00+01:00."""
    window: WindowText | None = None
    """Only in these hours by the clock here: 22:00-06:00, sat,sun 00:00-24:00."""
    repeat: Repeat | None = None
    """When it is looked again whether the local file is another one, to be pushed as well."""

    @model_validator(mode="after")
    def _whose(self) -> Self:
        check_pair(self.username, self.password)
        return self


AnyJob = Annotated[
    Annotated[Job, Tag("download")]
    | Annotated[Upload, Tag("upload")]
    | Annotated[Mirror, Tag("mirror")],
    Discriminator(_kind_of),
]
