"""The section ``downloads``: how files are fetched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BeforeValidator, Field

from rangedaemon.config.disk import Disk
from rangedaemon.config.rates import Limit
from rangedaemon.config.reaching import Reaching
from rangedaemon.config.retrying import Retry
from rangedaemon.config.section import Section, defaults, empty_is_default
from rangedaemon.config.values import (
    AbsolutePath,
    Count,
    PositiveDuration,
    PositiveSize,
    Rate,
    Size,
)
from rangedaemon.config.watch import Watch
from rangedaemon.core.declared import OnRemoved


class LowestSpeed(Section):
    """What is too slow; what our own limits hold back never is."""

    rate: Rate = Field(...)
    """Octets per second."""
    period: PositiveDuration = 60.0
    """Seconds for which a job may be slower."""


class Downloads(Reaching):
    """How files are fetched."""

    directory: AbsolutePath = Path("var/downloads")
    """Where finished files go; jobs cannot write outside of it."""
    watch: Watch | None = None
    """A folder whose files become jobs; null: none."""
    on_removed: OnRemoved = OnRemoved.KEEP
    """What becomes of a declared job that is not declared any more."""
    max_active: Count = 5
    """Jobs running at once."""
    segments: Annotated[Count, Field(le=256)] = 8
    """Connections per job."""
    connections_per_host: Count = 8
    """Connections to one host, over all jobs."""
    min_segment_size: PositiveSize = 1 << 20
    """Octets below which a segment is not divided."""
    rate_limit: Limit | None = None
    """Octets per second over all jobs; by the hour too: "08:00-18:00 2MiB; default 10MiB"."""
    rate_limit_per_host: Limit | None = None
    """Octets per second from each host, over all jobs; by the hour too."""
    lowest_speed: LowestSpeed | None = None
    """A job that is slower for so long gives way and is tried again; null: none is too slow."""
    disk: Annotated[Disk, BeforeValidator(empty_is_default)] = defaults()
    """How files are put on the disk."""
    retry: Annotated[Retry, BeforeValidator(empty_is_default)] = defaults()
    """When a failed attempt is made again."""
    connect_timeout: PositiveDuration = 30.0
    """Seconds until a connection must be there."""
    stall_timeout: PositiveDuration = 30.0
    """Seconds without an octet after which a connection is given up; what came is kept."""
    checkpoint_interval: PositiveDuration = 1.0
    """Seconds between two claims of what is safely on disk."""
    resume_overlap: Size = 64 * 1024
    """Octets, at most, that a resume compares again where only a validator says: the same."""
