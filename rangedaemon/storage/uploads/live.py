"""
An upload that somebody is busy with: its open file, what is written, what is claimed.

The rule of the checkpoint: the data is synced first, then the octets that were written
*before* the sync began are claimed in the journal.  Octets go on arriving meanwhile.
Whoever asks for a checkpoint while one is under way gets the next one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.uploadfaults import Preempted
from rangedaemon.core.uploads import Upload, UploadState
from rangedaemon.errors import Fault, StorageFault
from rangedaemon.storage.partfile import PartFile
from rangedaemon.storage.uploads import queries
from rangedaemon.storage.uploads.means import Means, Signal
from rangedaemon.storage.uploads.ports import Ears
from rangedaemon.storage.uploads.writing import RunWriter

CHECKPOINT_OCTETS = 64 * 1024 * 1024
"""Written octets after which a checkpoint begins before its time."""


class Live:
    """One upload, as long as anybody is busy with it."""

    def __init__(self, upload: Upload, means: Means, on_unused: Callable[[], None]) -> None:
        """:param on_unused: called when the last user has gone."""
        self.upload = upload
        """What is on the disk and in the journal."""
        self.written = upload.arrived
        """That, and what is written since."""
        self.writers: list[RunWriter] = []
        """Those whose octets are not all claimed yet, whether they take more or not."""
        self.broken: Fault | None = None
        """Why nothing can be claimed any more until it is loaded anew."""
        self.closed = Signal()
        """Fired by who closes it, when it can be loaded anew."""
        self._means = means
        self._on_unused = on_unused
        self._users = 0
        self._part: PartFile | None = None
        self._since = 0
        self._waiting: list[Deferred[None]] = []
        self._saving: Signal | None = None
        self._tick: IDelayedCall | None = None

    # -- who is busy with it ------------------------------------------------------

    def enter(self) -> None:
        """One user more."""
        self._users += 1

    def leave(self) -> None:
        """One user less."""
        self._users -= 1
        if self._users == 0:
            self._on_unused()

    @property
    def unused(self) -> bool:
        """Whether nobody is busy with it."""
        return self._users == 0

    async def file(self) -> PartFile:
        """Its octets' file, open.

        :raises StorageFault: the disk fails.
        """
        if self._part is None:
            self._part = await self._means.in_thread(self._means.files.open, self.upload.file)
        return self._part

    async def close(self) -> None:
        """Let go of the file, when no sync is under way."""
        while self._saving is not None:
            await self._saving.wait()
        if self._part is not None:
            await self._means.in_thread(self._part.close)

    # -- its writers ----------------------------------------------------------------

    def begin(
        self, part: PartFile, run: ByteRange, ears: Ears, digest: str | None, announced: int
    ) -> RunWriter:
        """A writer for the octets of *run*; it is a user until it has settled.

        :param part: its octets' file.
        :param announced: the position that its request has told to reach, 0 if it has not.
        """
        missing = self.written.gaps(run)
        writer = RunWriter(
            self, part, self._means.in_thread, self._means.in_lane, run, missing, ears, digest
        )
        writer.announced = announced
        self.enter()
        self.writers.append(writer)
        if self._tick is None:
            self._start_ticking()
        return writer

    def settled(self, writer: RunWriter) -> None:
        """That writer writes nothing more, and what it brought is claimed."""
        self.writers.remove(writer)
        if not self.writers and self._tick is not None:
            self._tick.cancel()
            self._tick = None

    async def preempt(self) -> None:
        """End the writers: a newer request takes their place."""
        await self.end_writers(
            Preempted("a newer request for this upload has taken over; ask for its offset")
        )

    async def end_writers(self, fault: Fault) -> None:
        """End all of them; what they brought is claimed when this returns."""
        writers = list(self.writers)
        for writer in writers:
            writer.end(fault)
        for writer in writers:
            await writer.settle(whole=False)

    async def await_ending(self) -> None:
        """Return when what those brought is claimed who take no more."""
        for writer in [writer for writer in self.writers if writer.over]:
            await writer.settle(whole=False)

    def wrote(self, piece: ByteRange) -> None:
        """Octets are written, and good as far as anybody can tell."""
        if self.broken is not None:
            return
        self.written = self.written.add(piece)
        self._since += len(piece)
        if self._since >= CHECKPOINT_OCTETS and self._saving is None:
            self._checkpoint_meanwhile()

    # -- checkpoints ------------------------------------------------------------------

    def checkpoint(self) -> Deferred[None]:
        """Fires when all that is written by now is synced and claimed.

        It fails with the `Fault` that broke this upload off.
        """
        waiter: Deferred[None] = Deferred()
        self._waiting.append(waiter)
        if self._saving is None:
            self._saving = Signal()
            ensureDeferred(self._save_all(self._saving))
        return waiter

    def _checkpoint_meanwhile(self) -> None:
        # Its failure ends the writers, who tell it.
        self.checkpoint().addErrback(lambda failure: failure.trap(Fault))

    def _start_ticking(self) -> None:
        interval = self._means.checkpoint_interval
        self._tick = self._means.clock.callLater(interval, self._ticked)

    def _ticked(self) -> None:
        self._tick = None
        for writer in list(self.writers):
            writer.flush()
        if self.writers:  # else the last one has settled with that
            if self._tick is None:
                self._start_ticking()
            self._checkpoint_meanwhile()

    async def _save_all(self, saving: Signal) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, []
            outcome = await self._outcome()
            for waiter in waiting:
                waiter.callback(outcome)
        self._saving = None
        saving.fire()

    async def _outcome(self) -> Failure | None:
        try:
            await self._save()
        except Fault as fault:
            self._break_off(fault)
            return Failure()
        except Exception as error:  # noqa: BLE001 - named, and handed on to each caller
            self._break_off(StorageFault(f"keeping account of the upload failed: {error}"))
            return Failure(self.broken)
        return None

    async def _save(self) -> None:
        if self.broken is not None:
            raise self.broken
        written, announced, self._since = self.written, self._announced(), 0
        if written == self.upload.arrived and announced >= self._beyond_arrived():
            return
        if self._part is not None:
            await self._means.in_thread(self._part.sync)
        await self._claim(written, announced)
        for writer in list(self.writers):
            writer.committed(self.upload.offset)

    async def _claim(self, written: IntervalSet, announced: int) -> None:
        scope = self.upload.scope
        expires = self._means.wall() + self._means.mount(scope).expire
        work = partial(
            queries.save_arrived,
            key=self.upload.key,
            arrived=written,
            announced=announced,
            expires=expires,
            limits=self._means.limits(scope),
        )
        reserved = await self._means.journal.transact(work)
        self.upload = replace(self.upload, arrived=written, expires=expires, reserved=reserved)

    def _announced(self) -> int:
        """The position up to which writers have told to bring more."""
        return max((w.announced for w in self.writers), default=0)

    def _beyond_arrived(self) -> int:
        """What counts against quotas although it may never come."""
        upload = self.upload
        if upload.length is not None or upload.state is not UploadState.OPEN:
            return 0
        return upload.reserved if upload.reserved > upload.arrived.total else 0

    def _break_off(self, fault: Fault) -> None:
        """Nothing that is not claimed counts: all of it has to come again."""
        if self.broken is None:
            self.broken = fault
            self.written = self.upload.arrived
            for writer in list(self.writers):
                writer.end(fault)
