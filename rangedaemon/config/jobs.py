"""The jobs that a configuration declares: downloads, files to push, folders to mirror."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Discriminator, Field, Tag

from rangedaemon.config.declared import Declared, Repeat
from rangedaemon.config.mirrors import Mirror
from rangedaemon.config.values import (
    AbsolutePath,
    Below,
    Checksum,
    Count,
    FileName,
    HttpUrl,
    Rate,
    Whole,
)
from rangedaemon.control.pushing import check_digest, check_metadata
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


class Job(Declared):
    """A download that is added at start where no job of its name is known yet."""

    kind: Annotated[Literal["download"], BeforeValidator(_known_kind)] = "download"
    """download; upload for a file that shall be pushed."""
    url: HttpUrl = Field(repr=False)
    """Where the file is."""
    mirrors: tuple[HttpUrl, ...] = Field((), repr=False)
    """Other addresses of the same file."""
    checksum: Checksum | None = None
    """algorithm=hex (sha-256, sha-512, sha-1, md5, blake2b), or the address of a SHA256SUMS."""
    directory: Below | None = None
    """Below downloads.directory, by default that itself."""
    filename: FileName | None = None
    """The finished file's name; by default what the origin calls it."""
    segments: Annotated[Count, Field(le=256)] | None = None
    """Connections; by default downloads.segments."""
    rate_limit: Rate | None = None
    """Octets per second of this job."""
    on_conflict: OnConflict = OnConflict.RENAME
    """What to do where the name is taken."""
    on_change: OnChange = OnChange.RESTART
    """What to do where the file changed at the origin under a part of it."""
    repeat: Repeat | None = None
    """When it runs again after its end."""
    versions: Annotated[Whole, Field(ge=0, le=1000)] = 0
    """How many former files stay, as NAME.1 and so on, where a repeated job brings another."""


class Upload(Declared):
    """A file that is pushed from the start on, where no job of its name is known yet."""

    kind: Literal["upload"]
    """What tells it from a download."""
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
    segments: Annotated[Count, Field(le=256)] | None = None
    """Connections, where the protocol allows several; by default downloads.segments."""
    rate_limit: Rate | None = None
    """Octets per second of this job."""
    on_change: Literal[OnChange.RESTART, OnChange.FAIL] = OnChange.RESTART
    """What to do where the local file changed after a part of it was pushed."""
    repeat: Repeat | None = None
    """When it is looked again whether the local file is another one, to be pushed as well."""


AnyJob = Annotated[
    Annotated[Job, Tag("download")]
    | Annotated[Upload, Tag("upload")]
    | Annotated[Mirror, Tag("mirror")],
    Discriminator(_kind_of),
]
