"""
Octets that are cheap to make at any offset and tell where they belong.

A block of 64 KiB starts with its seed and number; the rest is a slice of a random
table that moves with the number.  So content of another version, at another offset
or left zero never passes for the right one.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from random import Random

BLOCK = 65536
_HEADER = struct.Struct(">QQ")
_STEP = 4099


@lru_cache(maxsize=8)
def _table(seed: int) -> bytes:
    """Two blocks of random octets, so that a slice of one block may start anywhere."""
    return Random(seed).randbytes(2 * BLOCK)


def _block(seed: int, number: int) -> bytes:
    shift = number * _STEP % BLOCK
    body = _table(seed)[shift : shift + BLOCK - _HEADER.size]
    return _HEADER.pack(seed, number) + body


def content(seed: int, offset: int, length: int) -> bytes:
    """The octets ``[offset, offset + length)`` of the endless file of *seed*."""
    if length <= 0:
        return b""
    first, last = offset // BLOCK, (offset + length - 1) // BLOCK
    blocks = b"".join(_block(seed, number) for number in range(first, last + 1))
    skipped = offset - first * BLOCK
    return blocks[skipped : skipped + length]


def blocks(seed: int, size: int, step: int = 16 * BLOCK) -> Iterator[bytes]:
    """The first *size* octets in order, *step* at a time."""
    for offset in range(0, size, step):
        yield content(seed, offset, min(step, size - offset))


def write_content(path: Path, seed: int, size: int) -> None:
    """Make the file of *seed* and *size* at *path*."""
    with path.open("wb") as file:
        for block in blocks(seed, size):
            file.write(block)


def digest(seed: int, size: int, algorithm: str = "sha256") -> bytes:
    """The digest of the file of *seed* and *size*."""
    state = hashlib.new(algorithm)
    for block in blocks(seed, size):
        state.update(block)
    return state.digest()


def difference(path: Path, seed: int, size: int) -> str | None:
    """What is wrong with the file at *path*, in words; None where it is right."""
    actual = path.stat().st_size
    if actual != size:
        return f"{path.name} has {actual} octets, not {size}"
    offset = 0
    with path.open("rb") as file:
        for expected in blocks(seed, size):
            found = file.read(len(expected))
            if found != expected:
                return f"{path.name} is wrong from octet {offset + _first(found, expected)}"
            offset += len(expected)
    return None


def _first(found: bytes, expected: bytes) -> int:
    """Where two unequal strings part."""
    pairs = zip(found, expected, strict=False)
    return next((at for at, (a, b) in enumerate(pairs) if a != b), len(found))
