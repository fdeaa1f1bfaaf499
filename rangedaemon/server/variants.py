"""
Which file stands for a name: the file itself, or a sibling with its content compressed.

``NAME.zst``, ``NAME.br`` and ``NAME.gz`` are sent in NAME's place to a client that
likes their coding better.  They are representations of their own, with their own tag,
length and ranges.  A sibling that is older than the file is not of this version, and
is passed over.  Functions here block; call them off the reactor.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

from rangedaemon.errors import Fault
from rangedaemon.server.mounts import Mount
from rangedaemon.storage.tree import OpenFile, ServedTree

SUFFIXES = {"zstd": ".zst", "br": ".br", "gzip": ".gz"}
"""Content codings and what the siblings' names end with, the best first."""


@dataclass(frozen=True, slots=True)
class Variant:
    """An open file, and how it came to be chosen."""

    opened: OpenFile
    coding: str | None = None
    negotiated: bool = False
    """Whether another client may get another file under this name."""


def open_variant(
    mount: Mount, tree: ServedTree, segments: Sequence[str], liked: Sequence[str]
) -> Variant:
    """
    Open what stands for *segments*.

    :param liked: the codings that the client prefers to none, best first.
    :raises NoSuchFile, IsDirectory, Forbidden, StorageFault: as `ServedTree.open`.
    """
    plain = tree.open(segments)
    if not mount.precompressed:
        return Variant(plain)
    path = os.path.join(mount.root, *segments)  # noqa: PTH118 - a name may be no text
    there = [coding for coding, suffix in SUFFIXES.items() if os.path.lexists(path + suffix)]
    for coding in (coding for coding in liked if coding in there):
        if (sibling := _sibling(tree, segments, coding, plain)) is not None:
            plain.close()
            return Variant(sibling, coding, negotiated=True)
    return Variant(plain, negotiated=bool(there))


def _sibling(
    tree: ServedTree, segments: Sequence[str], coding: str, plain: OpenFile
) -> OpenFile | None:
    try:
        sibling = tree.open([*segments[:-1], segments[-1] + SUFFIXES[coding]])
    except Fault:
        return None
    if sibling.mtime_ns >= plain.mtime_ns:
        return sibling
    sibling.close()
    return None
