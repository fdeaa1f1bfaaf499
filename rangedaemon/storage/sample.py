"""
The sample file: something to try the daemon with that is on no other server.

Its content is fixed by its length (SHAKE-128, FIPS 202), so its checksum can be
written into a configuration.  It appears whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

_BLOCK = 1 << 20


def sample_blocks(size: int) -> Iterator[bytes]:
    """The *size* octets of a sample file, in blocks that are all different."""
    for number, start in enumerate(range(0, size, _BLOCK)):
        seed = b"rangedaemon sample %d" % number
        yield hashlib.shake_128(seed).digest(min(_BLOCK, size - start))


def make_sample(path: Path, size: int) -> bool:
    """
    Write a sample file where there is none; blocks, so call it off the reactor thread.

    :returns: whether it was made now.
    :raises OSError: it cannot be written; then nothing of it is left.
    """
    if path.exists():
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.unfinished")
    try:
        with unfinished.open("wb") as stream:
            stream.writelines(sample_blocks(size))
            stream.flush()
            os.fsync(stream.fileno())
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)
    return True
