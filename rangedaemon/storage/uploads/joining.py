"""Uploads joined from others (tus 1.0.0, concatenation): their octets, one behind the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.uploads import Upload
from rangedaemon.storage.partfile import PartFile
from rangedaemon.storage.uploads.files import UploadFiles, copy_slices
from rangedaemon.storage.uploads.live import Live
from rangedaemon.storage.uploads.means import Means


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
