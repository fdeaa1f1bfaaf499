"""
Room on the disks for all running jobs together, and what their files look like.

A job that knows its length claims what is still missing of it.  It starts only where the
file system has room for its own claim and for all others on it, and keeps so much free.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

from rangedaemon.errors import NeverFits, NoSpace
from rangedaemon.storage.space import Room


@dataclass(frozen=True, slots=True)
class DiskRules:
    """How files are put on the disk."""

    keep_free: int = 0
    """Octets of each file system that are left to others."""
    preallocate: bool = False
    """Whether a file gets its blocks before its octets come."""
    origin_time: bool = False
    """Whether a finished file has the time of the origin's."""
    mode: int | None = None
    """Permissions of a finished file; None: what the umask leaves."""


@dataclass(frozen=True, slots=True)
class _Claim:
    device: int
    missing: Callable[[], int]


@dataclass(frozen=True, slots=True)
class Space:
    """The claims of the running jobs."""

    _claims: dict[Hashable, _Claim] = field(default_factory=dict)

    def claim(
        self,
        who: Hashable,
        room: Room,
        length: int,
        missing: Callable[[], int],
        keep_free: int = 0,
        *,
        where: str = "there",
    ) -> None:
        """
        Claim room for a file of *length* octets, in place of what *who* had claimed.

        :param missing: how many of them need room still, at each moment.
        :param where: the directory, as a fault tells it.
        :raises NeverFits: the whole file system is smaller.
        :raises NoSpace: there is no room now.
        """
        self.release(who)
        if length + keep_free > room.total:
            raise NeverFits(
                f"the file has {length} octets, the whole disk of {where} {room.total}:"
                " give the job a directory on a larger one"
            )
        needed = max(0, length - room.allocated)
        others = sum(each.missing() for each in self._claims.values() if each.device == room.device)
        if needed + others + keep_free > room.free:
            also = f", other jobs need {others}" if others else ""
            kept = f", {keep_free} are to stay free" if keep_free else ""
            raise NoSpace(
                f"{needed} octets are needed{also}{kept}, {room.free} are free:"
                f" free some on the disk of {where}"
            )
        self._claims[who] = _Claim(room.device, missing)

    def release(self, who: Hashable) -> None:
        """Its job runs no more."""
        self._claims.pop(who, None)


def insist_on_room(room: Room, keep_free: int, where: str = "there") -> None:
    """:raises NoSpace: less is free than is to be kept free."""
    if room.free < keep_free:
        raise NoSpace(
            f"{room.free} octets are free, {keep_free} are to stay so:"
            f" free some on the disk of {where}"
        )
