"""
The upload store: what it promises stands in `rangedaemon.storage.uploads.ports`.

In the state directory::

    journal.sqlite      table ``uploads``: a row for each, with the octets that are claimed
                        table ``upload_tally``: what counts against quotas
    uploads/HEX.part    the octets of one upload, made with the first of them

and in a mount, while a file is given its name, ``.rangedaemon-HEX.part`` beside it.

Opening the store reads nothing: an upload is looked up when somebody asks for it.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

from twisted.internet.interfaces import IReactorTime

from rangedaemon.core.uploadfaults import (
    DigestMismatch,
    NotWhole,
    QuotaExceeded,
    TooManyUploads,
    UnknownUpload,
    UploadGone,
)
from rangedaemon.core.uploadrules import (
    admit_run,
    check_directory,
    check_length,
    final_name,
    joined_length,
    parse_digest,
    with_length,
)
from rangedaemon.core.uploads import Scope, Upload, UploadState, Wish
from rangedaemon.errors import Fault, StateForbids
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.threads import InThread
from rangedaemon.storage.uploads import queries
from rangedaemon.storage.uploads.files import UploadFiles, new_file_name, target_directory
from rangedaemon.storage.uploads.joining import join, joined_id
from rangedaemon.storage.uploads.live import Live
from rangedaemon.storage.uploads.means import Means
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.ports import DEAF, Ears, UploadStore, Writer
from rangedaemon.storage.uploads.publishing import Publisher
from rangedaemon.storage.uploads.registry import Registry
from rangedaemon.storage.uploads.sweeping import Sweeper, drop, move

CHECKPOINT_INTERVAL = 1.0
"""Seconds between two checkpoints of an upload that octets arrive for."""
PARTS_KEPT = 3600.0
"""Seconds for which uploads that were joined are kept, when the whole is published."""
KEEP_FREE = 64 * 1024 * 1024
"""Octets of the disk that no upload may be promised."""


def open_upload_store(
    state_dir: Path,
    mounts: Iterable[UploadMount],
    *,
    journal: Transactions,
    in_thread: InThread,
    clock: IReactorTime,
    in_lane: InThread | None = None,
    wall: Callable[[], float] = time.time,
    new_id: Callable[[], str] = lambda: secrets.token_hex(16),
    checkpoint_interval: float = CHECKPOINT_INTERVAL,
    keep_free: int = KEEP_FREE,
    on_published: Callable[[Upload], None] = lambda _upload: None,
) -> Uploads:
    """The uploads of *state_dir*, whose *journal* is open; nothing is read or made yet.

    :param in_lane: runs hauls; None: as everything else.
    :param on_published: told of each upload that became a file, whoever had it finished, in
        the reactor thread; once, or again after a kill or a fault of the journal.
    """
    by_path = {mount.path: mount for mount in mounts}
    means = Means(
        files=UploadFiles(state_dir),
        journal=journal,
        in_thread=in_thread,
        in_lane=in_lane or in_thread,
        clock=clock,
        wall=wall,
        mounts=by_path,
        new_id=new_id,
        checkpoint_interval=checkpoint_interval,
        keep_free=keep_free,
        on_published=on_published,
    )
    return Uploads(means)


class Uploads(UploadStore):
    """The uploads of one state directory."""

    def __init__(self, means: Means) -> None:
        self._means = means
        self._registry = Registry(means)
        self._publisher = Publisher(means)
        self._sweeper = Sweeper(means, self._registry, self._publish)
        self._closed = False

    # -- created, found -----------------------------------------------------------------

    async def create(self, scope: Scope, wish: Wish) -> Upload:
        """A new upload."""
        self._check_open()
        return await self._create(self._planned(scope, wish), over=wish.replace)

    async def _create(self, upload: Upload, *, over: bool) -> Upload:
        scope, mount = upload.scope, self._means.mount(upload.scope)
        in_thread = self._means.in_thread
        await in_thread(target_directory, mount.root, upload.directory)
        if upload.length:
            await in_thread(self._means.files.check_room, upload.length, self._means.keep_free)
        async with self._registry.vacant(upload.key):
            try:
                return await self._add(upload, over=over)
            except QuotaExceeded:
                if not await self._sweeper.make_room(scope):
                    raise
                return await self._add(upload, over=over)

    def _planned(self, scope: Scope, wish: Wish) -> Upload:
        """The upload as it will be, if nothing speaks against it."""
        mount = self._means.mount(scope)
        check_directory(wish.directory, hidden_files=mount.hidden_files)
        if wish.length is not None:
            check_length(wish.length, mount.max_size)
        if wish.digest is not None:
            parse_digest(wish.digest)
        upload_id = wish.id if wish.id is not None else self._means.new_id()
        key = scope.key_of(upload_id)
        if key is None or scope.protocol.ids_by_client is (wish.id is None):
            raise UnknownUpload("that can be no upload's id")
        now = self._means.wall()
        return Upload(
            key=key,
            id=upload_id,
            scope=scope,
            name=final_name(wish.name, hidden_files=mount.hidden_files),
            file=new_file_name(self._means.new_id()),
            created=now,
            expires=now + mount.expire,
            directory=wish.directory,
            length=wish.length,
            reserved=wish.length or 0,
            media_type=wish.media_type,
            metadata=dict(wish.metadata),
            partial=wish.partial,
            digest=wish.digest,
        )

    async def _add(self, upload: Upload, *, over: bool) -> Upload:
        work = partial(
            queries.add,
            upload=upload,
            limits=self._means.limits(upload.scope),
            now=upload.created,
            over=over,
        )
        return await self._means.journal.transact(work)

    async def find(self, scope: Scope, upload_id: str, *, preempt: bool = False) -> Upload:
        """The upload as it is on the disk."""
        self._check_open()
        key = scope.key_of(upload_id)
        if key is None:
            raise UnknownUpload("there is no such upload")
        upload = await self._registry.look(key)
        if upload.scope != scope:
            raise UnknownUpload("there is no such upload")
        self._check_there(upload)
        if upload.state is UploadState.PUBLISHING or (preempt and self._registry.is_busy(key)):
            return await self._settled(key)
        return upload

    async def _settled(self, key: str) -> Upload:
        """Nobody writes to it, and it is not half published."""
        async with self._registry.alone(key) as live:
            await live.preempt()
            if live.upload.state is UploadState.PUBLISHING:
                await self._publish(live)
            return live.upload

    def _check_there(self, upload: Upload) -> None:
        over = upload.state is UploadState.OPEN and upload.expires <= self._means.wall()
        if upload.state in (UploadState.GONE, UploadState.KEPT) or (
            over and not self._registry.is_busy(upload.key)
        ):
            raise UploadGone("the upload has expired or was removed; begin a new one")

    # -- octets ---------------------------------------------------------------------------

    async def set_length(self, upload: Upload, length: int) -> Upload:
        """Tell the length that was deferred."""
        async with self._registry.alone(upload.key) as live:
            self._check_there(live.upload)
            scope, mount = live.upload.scope, self._means.mount(live.upload.scope)
            if live.upload.length is None:
                await live.preempt()
            told = with_length(live.upload, length, mount.max_size)
            if told != live.upload:
                more = length - live.upload.arrived.total
                await self._means.in_thread(
                    self._means.files.check_room, more, self._means.keep_free
                )
                limits = self._means.limits(scope)
                work = partial(queries.set_length, key=upload.key, length=length, limits=limits)
                await self._means.journal.transact(work)
                live.upload = replace(live.upload, length=length, reserved=length)
            return live.upload

    async def write(
        self,
        upload: Upload,
        offset: int,
        ears: Ears = DEAF,
        *,
        count: int | None = None,
        digest: str | None = None,
    ) -> Writer:
        """A writer for a run of octets."""
        if digest is not None:
            parse_digest(digest)
        async with self._registry.alone(upload.key) as live:
            self._check_there(live.upload)
            if live.upload.scope.protocol.in_order:
                await live.preempt()
            await live.await_ending()
            if live.broken is not None:
                raise live.broken
            mount = self._means.mount(live.upload.scope)
            self._check_parallel(mount)
            run = admit_run(
                live.upload,
                offset,
                count,
                max_size=mount.max_size,
                writing=[writer.run for writer in live.writers],
            )
            part = await live.file()
            announced = run.stop if count is not None and live.upload.length is None else 0
            await self._announce(live, announced)
            self._check_parallel(mount)  # others may have begun meanwhile, or the end
            return live.begin(part, run, ears, digest, announced)

    def _check_parallel(self, mount: UploadMount) -> None:
        self._check_open()
        writing = self._registry.writing_to(mount.path)
        if mount.max_parallel is not None and writing >= mount.max_parallel:
            raise TooManyUploads(f"{writing} requests write here already; come back later")

    async def _announce(self, live: Live, octets: int) -> None:
        if octets > live.upload.reserved:
            limits = self._means.limits(live.upload.scope)
            work = partial(queries.announce, key=live.upload.key, octets=octets, limits=limits)
            reserved = await self._means.journal.transact(work)
            live.upload = replace(live.upload, reserved=reserved)

    # -- the end ----------------------------------------------------------------------------

    async def finish(self, upload: Upload) -> Upload:
        """Check the whole, and give it its final name."""
        async with self._registry.alone(upload.key) as live:
            self._check_there(live.upload)
            if live.upload.finished:
                return live.upload
            if not live.upload.whole:
                raise NotWhole("octets are missing still; ask for the upload's offset and go on")
            if live.upload.partial:
                return live.upload
            await live.preempt()
            return await self._publish(live)

    async def _publish(self, live: Live) -> Upload:
        try:
            live.upload = await self._publisher.publish(live.upload, await live.file())
        except DigestMismatch:
            await drop(self._means, live)
            raise
        except Fault:
            live.upload = await self._registry.load(live.upload.key)
            raise
        if live.upload.parts:
            await self._let_parts_go(live.upload)
        return live.upload

    async def _let_parts_go(self, joined: Upload) -> None:
        keys = [joined.scope.key_of(part) for part in joined.parts or ()]
        at = self._means.wall() + PARTS_KEPT
        work = partial(queries.expire_by, keys=[key for key in keys if key], at=at)
        await self._means.journal.transact(work)

    async def concatenate(self, scope: Scope, wish: Wish, part_ids: Sequence[str]) -> Upload:
        """An upload of the octets of others; who asks again gets the same one."""
        own = joined_id(scope, wish, part_ids)
        with suppress(UnknownUpload, UploadGone):
            before = await self.find(scope, own)
            if before.whole:
                return before
            own = self._means.new_id()  # that one is cut off, or not ready yet
        parts = [await self.find(scope, part_id) for part_id in part_ids]
        whole = replace(wish, length=joined_length(parts), partial=False)
        planned = replace(self._planned(scope, whole), id=own, key=own, parts=tuple(part_ids))
        upload = await self._create(planned, over=True)
        async with self._registry.alone(upload.key) as live:
            try:
                return await join(self._means, live, parts)
            except BaseException:
                await drop(self._means, live)
                raise

    async def terminate(self, upload: Upload) -> None:
        """Forget it and its octets; a finished file stays."""
        async with self._registry.alone(upload.key) as live:
            self._check_there(live.upload)
            await live.end_writers(UploadGone("the upload was removed"))
            if live.upload.state is UploadState.PUBLISHING:
                await self._publish(live)
            if live.upload.finished:
                await move(self._means, live, UploadState.KEPT, 0.0)
            else:
                await drop(self._means, live)

    async def sweep(self) -> bool:
        """Remove some of what has expired."""
        self._check_open()
        return await self._sweeper.sweep()

    async def close(self) -> None:
        """End all writers, keeping what they brought."""
        self._closed = True
        await self._registry.end_all(StateForbids("the daemon is stopping; go on later"))

    def _check_open(self) -> None:
        if self._closed:
            raise StateForbids("the daemon is stopping; go on later")
