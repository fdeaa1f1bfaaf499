"""
Who a file is that is about to get its final name, told so that it is known afterwards.

A power cut may come when the name is there already and the journal does not know.  What
then shows that the file is ours, and whole, is an *intent*: its number on the file system,
its size and the time of its last write, in records of the form of the extent log's, which
was on the disk before the name was.  They have a seed of their own, so that none is taken
for an extent.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator
from typing import NamedTuple

from xxhash import xxh3_64_intdigest

_FIELDS = struct.Struct("<QQQ")
_RECORD = struct.Struct("<24sQ")
_SALT = 0x1D_E17


class Intent(NamedTuple):
    """What a file is known by."""

    number: int
    size: int
    modified: int
    """When it was last written to, whole seconds since the epoch: some disks keep no more."""


def intent_of(descriptor: int, modified: float | None = None) -> Intent:
    """What the open file is known by.

    :param modified: the time that it will get, seconds since the epoch; None: it keeps its own.
    """
    told = os.fstat(descriptor)
    time = int(modified) if modified is not None else told.st_mtime_ns // 10**9
    return Intent(told.st_ino, told.st_size, time)


def pack_intent(intent: Intent, seed: int) -> bytes:
    """An intent as the log of *seed* has it."""
    fields = _FIELDS.pack(*intent)
    return _RECORD.pack(fields, xxh3_64_intdigest(fields, seed ^ _SALT))


def parse_intents(octets: bytes, seed: int) -> Iterator[Intent]:
    """The intents among the records of a log."""
    for fields, check in _RECORD.iter_unpack(octets[: len(octets) // _RECORD.size * _RECORD.size]):
        if xxh3_64_intdigest(fields, seed ^ _SALT) == check:
            yield Intent(*_FIELDS.unpack(fields))
