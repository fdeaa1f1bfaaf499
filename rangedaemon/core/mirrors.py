"""What a mirror is: the values of a job that keeps a copy of a folder at an origin."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MirrorSpec:
    """What was asked for; patterns as in the shell, whose ``*`` goes beyond slashes, too."""

    include: tuple[str, ...] = ()
    """Files that are wanted; none: all."""
    exclude: tuple[str, ...] = ()
    """Files and folders that are not, before ``include``."""
    depth: int | None = None
    """Levels of folders below the first that are gone into; None: all."""
    delete: bool = False
    """Whether files are deleted here that are gone at the origin."""


@dataclass(frozen=True, slots=True)
class Mirrored:
    """What became of a mirror's latest round; counts of files but for ``folders``."""

    began: float
    """Seconds since the epoch, as is ``ended``."""
    ended: float | None = None
    folders: int = 0
    """Listings that were read."""
    found: int = 0
    """That the listings have, and that are wanted."""
    unchanged: int = 0
    fetched: int = 0
    failed: int = 0
    left: int = 0
    """Those that are still to be asked for or fetched."""
    gone: int = 0
    """That were here and are not listed any more."""
    deleted: int = 0


@dataclass(frozen=True, slots=True)
class Family:
    """How the files of a mirror stand."""

    pending: int = 0
    """That are fetched or wait for it."""
    failed: int = 0
    fetched: int = 0
    """That were finished since the round began."""
