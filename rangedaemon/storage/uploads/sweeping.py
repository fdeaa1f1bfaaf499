"""
What has expired goes, some of it with each call.

Unfinished uploads lose their octets, and are remembered as gone for a while; finished
ones are forgotten, but count against quotas as long as their files are there.  What a
kill has left on its way to its final name is brought there first.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from functools import partial

from rangedaemon.core.uploadfaults import UnknownUpload
from rangedaemon.core.uploads import Scope, Upload, UploadState
from rangedaemon.errors import ClientFault, Fault
from rangedaemon.storage.uploads import queries
from rangedaemon.storage.uploads.files import discard_staged, is_published
from rangedaemon.storage.uploads.live import Live
from rangedaemon.storage.uploads.means import Means
from rangedaemon.storage.uploads.registry import Registry

SLICE = 20
"""Uploads of each state that one call looks at."""
REMEMBERED = 24 * 3600.0
"""Seconds for which an upload that is gone answers so (410), not as unknown (404)."""
LOOKED_AFTER = 3600.0
"""Seconds between two looks at whether a finished file is still there."""

MOST_LOOKED_AFTER = 1000
"""Finished files that are looked after at once, when a quota is exhausted."""

Finish = Callable[[Live], Awaitable[Upload]]


class Sweeper:
    """Removes what has expired."""

    def __init__(self, means: Means, registry: Registry, finish: Finish) -> None:
        """:param finish: brings an upload that was being published to its name."""
        self._means = means
        self._registry = registry
        self._finish = finish
        self._concluded = False

    async def sweep(self) -> bool:
        """Do some of what is due; whether there may be more."""
        if not self._concluded:
            await self._conclude()
        now = self._means.wall()
        due = await self._means.journal.transact(partial(queries.due, now=now, limit=SLICE))
        for upload in due:
            await self._treat(upload.key)
        return len(due) >= SLICE

    async def _conclude(self) -> None:
        """Finish what a kill has left half published; once in a life of the daemon."""
        self._concluded = True
        left = await self._means.journal.transact(partial(queries.publishing, limit=SLICE))
        for upload in left:
            await self._treat(upload.key, conclude=True)

    async def _treat(self, key: str, *, conclude: bool = False) -> None:
        try:
            async with self._registry.alone(key) as live:
                conclude = conclude and live.upload.state is UploadState.PUBLISHING
                if conclude or live.upload.expires <= self._means.wall():
                    await self._let_go(live)
        except UnknownUpload:
            pass  # somebody was faster

    async def _let_go(self, live: Live) -> None:
        upload = live.upload
        if upload.state is UploadState.PUBLISHING:
            await self._publish(live)
        elif upload.state is UploadState.OPEN:
            await self._expire(live)
        elif upload.state is UploadState.FINISHED:
            await self._means.in_thread(self._means.files.discard, upload.file)
            await self._move(live, UploadState.KEPT, 0.0)
        elif upload.state is UploadState.KEPT:
            await self._look_after(live)
        else:
            await self._forget(upload)

    async def _publish(self, live: Live) -> None:
        try:
            await self._finish(live)
        except Fault as fault:
            if live.upload.state is UploadState.PUBLISHING:
                await self._move(live, UploadState.PUBLISHING, LOOKED_AFTER)
            if not isinstance(fault, ClientFault):  # nobody but its sender can help those
                raise

    async def _expire(self, live: Live) -> None:
        if live.writers:
            mount = self._means.mounts.get(live.upload.scope.mount)
            await self._move(live, UploadState.OPEN, mount.expire if mount else LOOKED_AFTER)
            return
        await drop(self._means, live)

    async def _look_after(self, live: Live) -> None:
        path, length = live.upload.path, live.upload.length
        await self._means.in_thread(self._means.files.discard_left, live.upload.file)
        if await self._means.in_thread(is_published, path, length):
            await self._move(live, UploadState.KEPT, LOOKED_AFTER)
        else:
            await self._forget(live.upload)

    async def _forget(self, upload: Upload) -> None:
        await self._means.in_thread(self._means.files.discard, upload.file)
        await self._means.journal.transact(partial(queries.remove, key=upload.key))

    async def make_room(self, scope: Scope) -> bool:
        """Look after finished files of a mount at once; whether some were gone."""
        work = partial(queries.published, mount=scope.mount, limit=MOST_LOOKED_AFTER)
        counted = await self._means.journal.transact(work)
        gone = await self._means.in_thread(_gone, counted)
        await self._means.journal.transact(partial(queries.give_back, keys=gone))
        return bool(gone)

    async def _move(self, live: Live, state: UploadState, seconds: float) -> None:
        await move(self._means, live, state, seconds)


def _gone(counted: Iterable[Upload]) -> list[str]:
    return [x.key for x in counted if not is_published(x.path, x.length)]


async def move(means: Means, live: Live, state: UploadState, seconds: float) -> None:
    """Put it into *state*, to be looked at again after so many *seconds*."""
    upload = live.upload
    work = partial(
        queries.move,
        key=upload.key,
        state=state,
        expires=means.wall() + seconds,
        path=upload.path,
    )
    moved = await means.journal.transact(work)
    live.upload = replace(moved, arrived=live.upload.arrived)


async def drop(means: Means, live: Live) -> None:
    """Remove an upload's octets, then remember it as gone.

    In this order a kill between leaves an upload without octets, never octets that no
    upload has.
    """
    upload = live.upload
    mount = means.mounts.get(upload.scope.mount)
    if mount is not None and not upload.partial:
        await means.in_thread(discard_staged, mount.root, upload.directory, upload.file)
    await means.in_thread(means.files.discard, upload.file)
    await move(means, live, UploadState.GONE, REMEMBERED)
