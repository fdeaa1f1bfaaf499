"""
A whole upload becomes a file of its mount: checked, claimed, put in place.

The steps, and why a kill between any two of them loses nothing and brings nothing twice,
stand in `rangedaemon.storage.uploads.files`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from rangedaemon.core.jobs import OnConflict
from rangedaemon.core.uploadfaults import DigestMismatch, NotWhole
from rangedaemon.core.uploadrules import parse_digest
from rangedaemon.core.uploads import Upload, UploadState
from rangedaemon.errors import Fault, NameTaken, PartFileLost, StorageFault
from rangedaemon.storage.hashes import HashState, new_hash
from rangedaemon.storage.partfile import PartFile, discard
from rangedaemon.storage.uploads import queries
from rangedaemon.storage.uploads.files import (
    STEP,
    copy_beside,
    free_name,
    landing_directory,
    link_beside,
    put_in_place,
    settle_length,
    staged_path,
)
from rangedaemon.storage.uploads.means import Means
from rangedaemon.storage.uploads.mounts import UploadMount

_BLOCK = 1024 * 1024


class Publisher:
    """Brings whole uploads to their names; one call for an upload at a time."""

    def __init__(self, means: Means) -> None:
        self._means = means

    async def publish(self, upload: Upload, part: PartFile) -> Upload:
        """
        Check it and give it its final name, or go on with that where a kill cut it off.

        :param part: its octets, open.
        :raises NotWhole, DigestMismatch, NameTaken, NameRefused, StorageFault: no.
        """
        mount = self._means.mount(upload.scope)
        if upload.state is UploadState.OPEN:
            upload = await self._stage(upload, part, mount)
        while True:
            try:
                return await self._put(upload, mount)
            except PartFileLost:
                # Somebody has removed what we staged; the octets are where they were.
                upload = await self._stage(await self._unclaim(upload), part, mount)

    # -- before the claim -----------------------------------------------------------

    async def _stage(self, upload: Upload, part: PartFile, mount: UploadMount) -> Upload:
        if upload.length is None or not upload.whole:
            raise NotWhole("octets are missing still; ask for the upload's offset and go on")
        await self._means.in_thread(settle_length, part, upload.length)
        await self._judge(upload, part)
        directory = await self._means.in_thread(landing_directory, mount.root, upload.directory)
        staged = staged_path(directory, upload.file)
        try:
            if not await self._means.in_thread(link_beside, part.path, staged):
                await self._means.in_steps(copy_beside(part.path, staged, upload.length))
            return await self._claim(upload, directory, mount.on_conflict)
        except Fault:
            await self._unstage(staged)
            raise

    async def _judge(self, upload: Upload, part: PartFile) -> None:
        if upload.digest is None:
            return
        algorithm, wanted = parse_digest(upload.digest)
        state = new_hash(algorithm)
        await self._means.in_steps(_hash(part, state, upload.length or 0))
        if state.hexdigest() != wanted:
            raise DigestMismatch(f"the whole is not what was promised: its {algorithm} differs")

    async def _claim(self, upload: Upload, directory: Path, on_conflict: OnConflict) -> Upload:
        wanted = directory / upload.name
        final = await self._means.in_thread(free_name, wanted, on_conflict)
        return await self._move(upload, UploadState.PUBLISHING, final)

    async def _unstage(self, staged: Path) -> None:
        with suppress(StorageFault):  # the next try begins with removing it
            await self._means.in_thread(discard, staged)

    # -- behind it --------------------------------------------------------------------

    async def _put(self, upload: Upload, mount: UploadMount) -> Upload:
        while True:
            final = _claimed(upload)
            staged = staged_path(final.parent, upload.file)
            try:
                await self._means.in_thread(put_in_place, staged, final, mount.on_conflict)
                break
            except NameTaken:
                upload = await self._claim_another(upload, final.parent, staged, mount)
        # Before the journal: whom a kill keeps from being told is told by the next life.
        self._means.on_published(upload)
        finished = await self._move(upload, UploadState.FINISHED, final)
        with suppress(StorageFault):  # the sweep removes it, at the latest
            await self._means.in_thread(self._means.files.discard, upload.file)
        return finished

    async def _claim_another(
        self, upload: Upload, directory: Path, staged: Path, mount: UploadMount
    ) -> Upload:
        """Somebody has taken the name that was claimed."""
        if mount.on_conflict is OnConflict.FAIL:
            await self._unclaim(upload)
            await self._unstage(staged)
            raise NameTaken(f"{upload.name} appeared while it was uploaded; choose another name")
        return await self._claim(upload, directory, mount.on_conflict)

    async def _unclaim(self, upload: Upload) -> Upload:
        return await self._move(upload, UploadState.OPEN, None)

    async def _move(self, upload: Upload, state: UploadState, path: Path | None) -> Upload:
        expires = self._means.wall() + self._means.mount(upload.scope).expire
        work = partial(queries.move, key=upload.key, state=state, expires=expires, path=path)
        moved = await self._means.journal.transact(work)
        return replace(moved, arrived=upload.arrived)


def _claimed(upload: Upload) -> Path:
    if upload.path is None:
        raise StorageFault(f"the journal does not say where upload {upload.file} is published")
    return upload.path


def _hash(part: PartFile, state: HashState, length: int) -> Iterator[None]:
    """Feed *state* the whole, some with each step."""
    for start in range(0, length, STEP):
        for offset in range(start, min(start + STEP, length), _BLOCK):
            state.update(part.read(offset, min(_BLOCK, length - offset)))
        yield
