"""
Reading an open file: what may wait for the disk, and what never does.

`read_cached` is for the reactor thread: it answers from the page cache or not at
all (preadv2(2), RWF_NOWAIT).  Everything else here blocks; call it off the reactor.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Final

from rangedaemon.errors import StorageFault

_NOWAIT: Final[int | None] = getattr(os, "RWF_NOWAIT", None)
_SCRATCH: Final = 256 * 1024
_STRIDE: Final = 128 * 1024
"""The kernel reads ahead by this much, so what is in memory is rarely in smaller pieces."""


class FileCutShort(StorageFault):
    """The file ends before the octets that were promised of it."""

    code = "file-cut-short"
    title = "The file was cut short"


def read_exactly(fd: int, start: int, stop: int) -> bytes:
    """
    The octets of ``[start, stop)``.

    :raises FileCutShort: there are fewer.
    """
    blocks: list[bytes] = []
    while start < stop:
        block = os.pread(fd, stop - start, start)
        if not block:
            raise FileCutShort(f"the file ends at {start}, not at {stop}")
        blocks.append(block)
        start += len(block)
    return b"".join(blocks)


def read_cached(fd: int, start: int, stop: int) -> bytes | None:
    """The octets of ``[start, stop)`` if all are in memory; None where that is not sure."""
    buffer = bytearray(stop - start)
    return bytes(buffer) if read_cached_into(fd, start, memoryview(buffer)) else None


def read_cached_into(fd: int, start: int, buffer: memoryview) -> bool:
    """Fill *buffer* from *start* on if all that is in memory; False where that is not sure."""
    if _NOWAIT is None:
        return False
    try:
        return os.preadv(fd, [buffer], start, _NOWAIT) == len(buffer)
    except OSError:
        return False  # not in memory, or a file system that cannot tell


def read_in_memory(fd: int, start: int, stop: int) -> bytes | None:
    """As `read_cached`, of a file that `lives_in_memory`."""
    buffer = bytearray(stop - start)
    return bytes(buffer) if read_into(fd, start, memoryview(buffer)) else None


def read_into(fd: int, start: int, buffer: memoryview) -> bool:
    """As `read_cached_into`, of a file that `lives_in_memory`."""
    try:
        return os.preadv(fd, [buffer], start) == len(buffer)
    except OSError:
        return False


def lives_in_memory(fd: int) -> bool:
    """
    Whether the file system of *fd* is nothing but memory, and reading it waits for no disk.

    That of Linux cannot be asked for what is in memory.  What was swapped out has to be
    waited for, but so has what is our own.
    """
    try:
        about = Path(f"/proc/self/fdinfo/{fd}").read_text()
        mounts = Path("/proc/self/mountinfo").read_text(errors="surrogateescape")
    except OSError:
        return False
    (place,) = re.findall(r"^mnt_id:\s*(\d+)$", about, re.MULTILINE) or [""]
    kinds = re.findall(rf"^{place} .*? - (\S+)", mounts, re.MULTILINE)
    return bool(place) and kinds[:1] in (["tmpfs"], ["ramfs"])


def seems_cached(fd: int, start: int, stop: int, *, phase: int = 0) -> bool:
    """
    Whether ``[start, stop)`` is in memory as far as one octet in every 128 KiB tells.

    Never waits.  *phase* moves the octets looked at, so that nobody can prepare them.
    """
    if _NOWAIT is None:
        return False
    buffers = [bytearray(1)]
    first = start + phase % _STRIDE
    try:
        for at in (start, stop - 1, *range(first, stop, _STRIDE)):
            if os.preadv(fd, buffers, at, _NOWAIT) != 1:
                return False
    except OSError:
        return False
    return True


def bring_in(fd: int, start: int, stop: int) -> None:
    """
    Wait until ``[start, stop)`` is in the page cache, copying nothing where we can.

    :raises FileCutShort: the file ends before *stop*.
    """
    with open(os.devnull, "wb", buffering=0) as nowhere:  # noqa: PTH123 - no Path for a device
        while start < stop:
            moved = _discard(nowhere.fileno(), fd, start, stop)
            if not moved:
                raise FileCutShort(f"the file ends at {start}, not at {stop}")
            start += moved


def _discard(nowhere: int, fd: int, start: int, stop: int) -> int:
    try:
        return os.sendfile(nowhere, fd, start, stop - start)
    except OSError:  # this system or file system cannot; reading it has the same effect
        return len(os.pread(fd, min(_SCRATCH, stop - start), start))
