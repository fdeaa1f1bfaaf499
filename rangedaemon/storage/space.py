"""
Room on a file system, and what a finished file looks like there.

Preallocation reserves blocks behind the end of the file and leaves its size alone
(FALLOC_FL_KEEP_SIZE, fallocate(2)): what has come is told by the size and by our logs as
it always is, and a hole stays a hole for them.  Blocks; called off the reactor thread.
"""

from __future__ import annotations

import ctypes
import errno
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

_KEEP_SIZE = 1
_CANNOT = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM})
"""What file systems say that do not know it."""


@dataclass(frozen=True, slots=True)
class Room:
    """The file system of an open file, and how much of it the file has."""

    device: int
    free: int
    """Octets that we may still take."""
    total: int
    """Octets of the whole file system."""
    allocated: int
    """Octets that the file has already, be they written or not."""


def room_of(descriptor: int) -> Room:
    """The room around an open file."""
    told, file = os.fstatvfs(descriptor), os.fstat(descriptor)
    block = told.f_frsize
    return Room(file.st_dev, told.f_bavail * block, told.f_blocks * block, file.st_blocks * 512)


def allocate(descriptor: int, length: int) -> bool:
    """
    Give the file blocks for *length* octets; whether this file system can.

    :raises OSError: it can, and has no room.
    """
    fallocate = _fallocate()
    if fallocate is None:
        return False
    while fallocate(descriptor, _KEEP_SIZE, 0, length) != 0:
        number = ctypes.get_errno()
        if number in _CANNOT:
            return False
        if number != errno.EINTR:
            raise OSError(number, os.strerror(number))
    return True


@cache
def _fallocate() -> Any:
    """The system's call; Python has only one that writes zeros where it is not known."""
    try:
        found = ctypes.CDLL(None, use_errno=True).fallocate
    except (OSError, AttributeError):
        return None
    found.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64)
    found.restype = ctypes.c_int
    return found


def dress(descriptor: int, mode: int | None, modified: float | None) -> None:
    """Give a finished file its permissions and its time, seconds since the epoch."""
    if mode is not None:
        os.fchmod(descriptor, mode)
    if modified is not None:
        now = os.fstat(descriptor).st_atime
        os.utime(descriptor, (now, modified))
