"""
The file that everyone fetches: as large as asked, hardly any disk.

One marked block in each MiB, holes between: the origin and the network move every
octet all the same, and a block that is missing, moved or of another file shows.
"""

from __future__ import annotations

import os
from pathlib import Path

from tests.hostile.content import content

_STEP = 1 << 20
_MARK = 4096


def make(path: Path, size: int) -> Path:
    """Make the file at *path*."""
    with path.open("wb") as file:
        file.truncate(size)
        for offset in range(0, size, _STEP):
            file.seek(offset)
            file.write(_mark(offset, size))
    return path


def is_right(path: Path, size: int) -> bool:
    """Whether *path* has the size and every mark in its place."""
    if not path.exists() or path.stat().st_size != size:
        return False
    with path.open("rb") as file:
        return all(_has_mark(file.fileno(), offset, size) for offset in range(0, size, _STEP))


def _mark(offset: int, size: int) -> bytes:
    return content(1, offset, min(_MARK, size - offset))


def _has_mark(descriptor: int, offset: int, size: int) -> bool:
    expected = _mark(offset, size)
    return os.pread(descriptor, len(expected), offset) == expected
