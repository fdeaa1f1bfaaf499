"""Uploads joined from others (tus 1.0.0, concatenation): their octets, one behind the other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence

from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.uploads import Scope, Upload, Wish
from rangedaemon.storage.partfile import PartFile
from rangedaemon.storage.uploads.files import UploadFiles, copy_slices
from rangedaemon.storage.uploads.live import Live
from rangedaemon.storage.uploads.means import Means


def joined_id(scope: Scope, wish: Wish, part_ids: Sequence[str]) -> str:
    """The id of what is joined: the same for the same question, whose answer may be lost.

    Nobody can guess it who does not know the ids of the parts.
    """
    told = [scope.mount, scope.protocol, scope.owner, wish.directory, wish.name, [*part_ids]]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:32]


async def join(means: Means, live: Live, parts: Sequence[Upload]) -> Upload:
    """
    Fill the new upload *live* with the octets of *parts*, which are whole.

    :raises PartFileLost: the octets of one of them are gone.
    :raises StorageFault: the disk fails.
    """
    target = await live.file()
    await means.in_steps(_copy_all(means.files, target, parts))
    live.wrote(ByteRange(0, sum(part.length or 0 for part in parts)))
    await live.checkpoint()
    return live.upload


def _copy_all(files: UploadFiles, target: PartFile, parts: Sequence[Upload]) -> Iterator[None]:
    at = 0
    for part in parts:
        if part.length:
            yield from copy_slices(files.path(part.file), target, at, part.length)
            at += part.length
