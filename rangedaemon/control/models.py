"""
The shapes of the control API: request bodies and answered objects.

Requests are strict (unknown fields are errors, no silent conversions); the
OpenAPI description is generated from these very classes.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic.functional_validators import AfterValidator

from rangedaemon.control import pushing, wishes
from rangedaemon.control.picked import Picked
from rangedaemon.core import calendar, repeats
from rangedaemon.core.declared import Change
from rangedaemon.core.jobs import JobState, OnChange, OnConflict
from rangedaemon.core.push.values import PushProtocol

MAX_SAFE = 2**53 - 1
"""The largest integer that every JSON reader takes as it stands (RFC 8259, 6)."""

Url = Annotated[
    str,
    Field(
        max_length=8000, json_schema_extra={"format": "uri", "pattern": "^[Hh][Tt][Tt][Pp][Ss]?://"}
    ),
    AfterValidator(wishes.check_url),
]
Name = Annotated[str, Field(min_length=1, max_length=255), AfterValidator(wishes.check_text)]
Filename = Annotated[
    str, Field(min_length=1, max_length=250), AfterValidator(wishes.check_filename)
]
Directory = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(wishes.check_text)]
Checksum = Annotated[str, Field(max_length=4000), AfterValidator(wishes.check_checksum)]
HeaderFields = Annotated[
    dict[str, Annotated[str, Field(max_length=8000)]],
    Field(max_length=50),
    AfterValidator(wishes.check_headers),
]
Username = Annotated[str, Field(min_length=1, max_length=500), AfterValidator(wishes.check_user)]
Password = Annotated[
    str,
    Field(max_length=4000, json_schema_extra={"format": "password", "writeOnly": True}),
    AfterValidator(wishes.check_text),
]
StartAt = Annotated[str, Field(max_length=40), AfterValidator(calendar.check_start)]
WindowText = Annotated[str, Field(max_length=60), AfterValidator(calendar.check_window)]
LocalPath = Annotated[str, Field(min_length=1, max_length=4000), AfterValidator(pushing.check_file)]
Metadata = Annotated[
    dict[str, Annotated[str, Field(max_length=4000)]],
    Field(max_length=50),
    AfterValidator(pushing.check_metadata),
]
Segments = Annotated[int, Field(ge=1, le=128)]
Priority = Annotated[int, Field(ge=-(2**31), le=2**31 - 1)]
RateLimit = Annotated[int, Field(ge=1, le=MAX_SAFE)]
Moment = Annotated[str, Field(json_schema_extra={"format": "date-time"})]
Octets = Annotated[int, Field(ge=0)]


class Request(BaseModel):
    """A request body: strict, without unknown fields."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RepeatBody(Request):
    """When a job runs again after its end: after so many seconds, or by a cron expression."""

    every: Annotated[float, Field(ge=1, le=10**9)] | None = None
    cron: Annotated[str, Field(max_length=200), AfterValidator(repeats.check_cron)] | None = None
    jitter: Annotated[float, Field(ge=0, le=10**9)] = 0.0
    """Up to so many seconds later, by chance."""

    @model_validator(mode="after")
    def _one(self) -> Self:
        repeats.check_repeat(self.every, self.cron)
        return self


class Hours(Request):
    """When a job may run, and when it does again."""

    start_at: StartAt | None = None
    """Not before: RFC 3339, or a time of the day by the daemon's clock (22:00)."""
    window: WindowText | None = None
    """Only then, by the daemon's clock: 22:00-06:00, mon-fri 20:00-24:00."""
    repeat: RepeatBody | None = None
    """When it runs again after its end."""


class Wish(Hours):
    """What every new job may ask for, whatever its kind."""

    name: Name | None = None
    headers: HeaderFields = Field(default_factory=dict)
    username: Username | None = None
    password: Password | None = None
    segments: Segments | None = None
    priority: Priority = 0
    rate_limit: RateLimit | None = None
    paused: bool = False
    on_change: Annotated[OnChange, Field(strict=False)] = OnChange.RESTART

    @model_validator(mode="after")
    def _whose(self) -> Self:
        wishes.check_pair(self.username, self.password)
        return self


class NewJob(Wish):
    """What `POST /api/v1/jobs` takes."""

    kind: Literal["download"] = "download"
    url: Url | None = None
    urls: Annotated[list[Url], Field(min_length=1, max_length=64)] | None = None
    directory: Directory | None = None
    filename: Filename | None = None
    checksum: Checksum | None = None
    on_conflict: Annotated[OnConflict, Field(strict=False)] = OnConflict.RENAME
    versions: Annotated[int, Field(ge=0, le=1000)] = 0
    """How many former files stay, as NAME.1 and so on, where a repeated job brings another."""

    @model_validator(mode="after")
    def _one_file(self) -> Self:
        if (self.url is None) == (self.urls is None):
            raise ValueError("give either url or urls (mirrors of one file)")
        return self

    @property
    def addresses(self) -> tuple[str, ...]:
        """The file's addresses, each once, in the order given."""
        return tuple(dict.fromkeys(self.urls or [self.url or ""]))


class NewUpload(Wish):
    """What `POST /api/v1/jobs` takes where a file, or each file of a folder, shall be pushed."""

    kind: Literal["upload"]
    file: LocalPath | None = None
    folder: LocalPath | None = None
    url: Url
    protocol: Annotated[PushProtocol, Field(strict=False)] = PushProtocol.AUTO
    metadata: Metadata = Field(default_factory=dict)
    checksum: Annotated[Checksum, AfterValidator(pushing.check_digest)] | None = None

    @model_validator(mode="after")
    def _one_source(self) -> Self:
        if (self.file is None) == (self.folder is None):
            raise ValueError("give either file or folder")
        if self.folder is not None and self.checksum is not None:
            raise ValueError("a checksum is of one file, not of a folder")
        if self.on_change is OnChange.KEEP_OLD:
            raise ValueError("on_change of an upload is restart or fail")
        return self


class ChangedJob(Hours, Picked):
    """What `PATCH /api/v1/jobs/{id}` takes; a field that is not there stays as it is.

    Hours that are null are taken away; who runs outside of its hours stops at once. What of
    its folder a mirror keeps counts from its next round on.
    """

    priority: Priority = 0
    rate_limit: RateLimit | None = None
    segments: Segments = 1
    username: Username | None = None
    password: Password | None = None
    urls: Annotated[list[Url], Field(min_length=1, max_length=64)] | None = None
    """Other addresses of the same file, such as a fresh one for one that has expired."""
    versions: Annotated[int, Field(ge=0, le=1000)] = 0

    @model_validator(mode="after")
    def _whose(self) -> Self:
        wishes.check_pair(self.username, self.password)
        return self

    @property
    def login(self) -> tuple[str, str] | None:
        """User and password, where they shall be others."""
        return None if self.username is None else (self.username, self.password or "")


Schedule = RateLimit | dict[str, RateLimit | None] | None
"""Octets per second: at all times, or for each window (08:00-18:00) and by ``default``."""


class ChangedLimits(Request):
    """What `PATCH /api/v1/limits` takes; a field that is not there stays as it is."""

    max_active: Annotated[int, Field(ge=1, le=100_000)] = 1
    rate_limit: Schedule = None
    rate_limit_per_host: Schedule = None
    connections_per_host: Annotated[int, Field(ge=1, le=10_000)] = 1


class LimitsObject(BaseModel):
    """What all jobs may take together."""

    max_active: int
    rate_limit: Schedule
    rate_limit_now: int | None
    """What ``rate_limit`` comes to at this hour."""
    rate_limit_per_host: Schedule
    connections_per_host: int


class Nothing(Request):
    """A body without meaning: none, or an empty object."""


class SegmentObject(BaseModel):
    """Octets ``[start, end)`` of a job and how many of them are there."""

    start: Octets
    end: Octets
    received: Octets
    state: str
    url: str | None


class SegmentList(BaseModel):
    """A job's segments in ascending order."""

    segments: list[SegmentObject]


class StatusObject(BaseModel):
    """The daemon at one moment."""

    version: str
    uptime_s: float
    jobs: dict[JobState, int]
    rate_in: Octets
    rate_out: Octets
    config: str | None
    files: list[str]
    """The addresses of the served folders."""
    uploads: list[str]
    """Those of them that take uploads."""


class Reloaded(BaseModel):
    """What a configuration that was read again has changed."""

    changed: list[str]
    """Keys whose values are other ones than before, such as ``server.mounts``."""


class FieldDifference(BaseModel):
    """A wish that is declared otherwise now; secrets are not told."""

    field: str
    old: str
    new: str


class JobDifference(BaseModel):
    """A declared job that is new, changed, or not declared any more."""

    change: Change
    name: str
    fields: list[FieldDifference]


class Plan(BaseModel):
    """What a reload would make of the declared jobs."""

    changes: list[JobDifference]


class Health(BaseModel):
    """Whether the daemon serves."""

    status: str


def schema_of(model: type[BaseModel], mode: Any = "validation") -> dict[str, Any]:
    """The JSON Schema of a model, with references into an OpenAPI document."""
    return model.model_json_schema(ref_template="#/components/schemas/{model}", mode=mode)
