"""
Jobs as the control API answers them: one, a page of them, or those just added.

The shapes of the contract; the OpenAPI description is generated from these very classes.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from pydantic import BaseModel, Field

from rangedaemon.control.mirrored import MirrorObject
from rangedaemon.control.models import Moment, Octets, RepeatBody
from rangedaemon.core.jobs import JobState, Verified
from rangedaemon.core.push.values import PushProtocol


class JobErrorObject(BaseModel):
    """Why a job failed or waits."""

    code: str
    message: str
    url: str | None


# No model: nobody sends one, so mypy's check is enough, and a page has a thousand to be made.
@dataclass(slots=True)
class JobObject:
    """A job, as everybody sees it."""

    id: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    seq: Annotated[int, Field(ge=0, description="Order of arrival: the newest job's is highest.")]
    kind: str
    name: str | None
    urls: list[str]
    directory: str
    filename: str | None
    path: str | None
    state: JobState
    size: Octets | None
    received: Octets
    refetched: Octets
    rate: Octets
    eta_s: int | None
    connections: int
    etag: str | None
    last_modified: str | None
    accepts_ranges: bool | None
    checksum: str | None
    verified: Verified | None
    error: JobErrorObject | None
    attempts: int
    retry_at: Moment | None
    created: Moment
    started: Moment | None
    finished: Moment | None
    priority: int
    rate_limit: int | None
    segments: int
    start_at: str | None
    window: str | None
    repeat: RepeatBody | None
    versions: int
    protocol: PushProtocol | None
    """How an upload speaks with its server; null for downloads."""
    parent: str | None
    """The id of the mirror whose file it fetches."""
    mirror: MirrorObject | None
    """What a mirror does; null for all others."""


class JobList(BaseModel):
    """A page of jobs, newest first."""

    jobs: list[JobObject]
    next: str | None


class AddedJobs(BaseModel):
    """What a list of new jobs became, in the order given."""

    jobs: list[JobObject]
