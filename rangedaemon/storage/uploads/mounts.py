"""What a mount that takes uploads asks for, as plain values."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rangedaemon.core.jobs import OnConflict


@dataclass(frozen=True, slots=True)
class UploadMount:
    """One mount; sizes in octets, times in seconds, None: no limit."""

    path: str
    """Its URL prefix, which names it in the journal."""
    root: Path
    """Finished files go below it, never anywhere else."""
    on_conflict: OnConflict = OnConflict.RENAME
    hidden_files: bool = False
    """Whether names may begin with a dot."""
    max_size: int | None = None
    """Of one upload."""
    expire: float = 7 * 24 * 3600.0
    """An unfinished upload goes so long after its last octet; a finished one is told of so
    long after its publication."""
    quota: int | None = None
    """Of all uploads: what unfinished ones have declared or brought, and finished ones as
    long as their files are there."""
    quota_per_owner: int | None = None
    """The same for each owner (all anonymous ones together)."""
    max_unfinished: int | None = 1000
    max_parallel: int | None = 32
    """Requests that write at the same time."""
