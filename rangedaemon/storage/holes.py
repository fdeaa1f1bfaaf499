"""
Octets that were written and cannot be there any more: somebody has cut the file meanwhile.

What was cut off and then written around is a hole, which reads as zeros.  File systems
that compress make holes of zeros, too; so the file system is asked what it does with some.
Blocks; called off the reactor thread.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

from rangedaemon.core.intervals import ByteRange, IntervalSet

_ZEROS = bytes(1 << 20)
_LEAST_BESIDE = 4096


def lost_octets(descriptor: int, directory: Path, length: int) -> IntervalSet:
    """Which of the first *length* octets, all of them written and synced, are lost for sure.

    :param directory: that of the file.
    :raises OSError: the file cannot be looked at.
    """
    told = os.fstat(descriptor)
    lost = IntervalSet([ByteRange(min(told.st_size, length), length)])
    if told.st_blocks * 512 >= length:
        return lost
    holes = [*_holes(descriptor, min(told.st_size, length))]
    if holes and not _makes_holes(directory):
        # The octets of a block that was cut in its middle are zeros without being a hole.
        beside = max(told.st_blksize, _LEAST_BESIDE)
        for hole in holes:
            wide = ByteRange(max(0, hole.start - beside), min(length, hole.stop + beside))
            lost = lost.add(wide)
    return lost


def _holes(descriptor: int, stop: int) -> Iterator[ByteRange]:
    offset = 0
    while offset < stop:
        start = os.lseek(descriptor, offset, os.SEEK_HOLE)
        if start >= stop:
            return
        try:
            offset = os.lseek(descriptor, start, os.SEEK_DATA)
        except OSError as error:
            if error.errno != errno.ENXIO:  # there are no data behind it
                raise
            offset = stop
        yield ByteRange(start, min(offset, stop))


def _makes_holes(directory: Path) -> bool:
    """Whether zeros that are written there may become a hole; also where nobody can tell."""
    try:
        descriptor = os.open(directory, os.O_TMPFILE | os.O_RDWR, 0o600)
    except OSError:
        return True
    try:
        os.pwrite(descriptor, _ZEROS, 0)
        os.fsync(descriptor)
        return os.lseek(descriptor, 0, os.SEEK_HOLE) < len(_ZEROS)
    except OSError:
        return True
    finally:
        os.close(descriptor)
