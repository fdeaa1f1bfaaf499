"""
From the network to an upload's file: large ordered writes, bounded memory.

A writer has one write under way at most; what arrives meanwhile is the next one, which
begins when there is a good deal of it or somebody asks for a flush.  Octets of a run with
a digest count only when it has been judged.  Octets that are there already are never
written again: what was acknowledged stays what it is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from twisted.internet.defer import Deferred, ensureDeferred

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.uploadfaults import DigestMismatch, TooLong
from rangedaemon.core.uploadrules import parse_digest
from rangedaemon.core.uploads import Upload
from rangedaemon.errors import Fault, StorageFault
from rangedaemon.storage.hashes import HashState, new_hash
from rangedaemon.storage.lanes import Store
from rangedaemon.storage.partfile import PartFile
from rangedaemon.storage.threads import InThread
from rangedaemon.storage.uploads.means import Signal
from rangedaemon.storage.uploads.ports import Ears

BATCH = 256 * 1024
"""Octets that are worth a write of their own."""
MOST_PENDING = 4 * 1024 * 1024
"""Octets in memory above which a writer is full."""
SMALL = 2048
"""Octets below which blocks are joined, as each has a cost of its own."""
LOW_PENDING = 1024 * 1024
"""Octets in memory below which it is so no more."""


class Target(Protocol):
    """The upload that a writer writes to, as far as a writer sees it."""

    upload: Upload

    def wrote(self, piece: ByteRange) -> None:
        """Octets are written, and good as far as anybody can tell."""

    def settled(self, writer: RunWriter) -> None:
        """That writer writes nothing more, and what it brought is claimed."""

    def leave(self) -> None:
        """That writer is done with it."""

    def checkpoint(self) -> Deferred[None]:
        """Fires when all that is written by now is synced and claimed."""


class RunWriter:
    """One run of octets; what it promises stands at `ports.Writer`."""

    def __init__(
        self,
        target: Target,
        part: PartFile,
        in_thread: InThread,
        in_lane: InThread,
        run: ByteRange,
        missing: IntervalSet,
        ears: Ears,
        digest: str | None,
    ) -> None:
        """
        :param in_lane: runs hauls.
        :param run: the octets that it may bring.
        :param missing: those of them that are not there yet.
        """
        self.run = run
        self.announced = 0
        """The position that the request has told to reach, 0 where it has not."""
        self.offset = run.start
        self._target = target
        self._part = part
        self._in_thread = in_thread
        self._in_lane = in_lane
        self._missing = missing
        self._ears = ears
        algorithm, self._wanted = parse_digest(digest) if digest is not None else ("", "")
        self._state: HashState | None = new_hash(algorithm) if digest is not None else None
        self._held: list[ByteRange] = []
        self._blocks: list[bytes] = []
        self._crumbs = bytearray()
        self._position = run.start
        self._pending = 0
        self._flushing = False
        self._writing: Signal | None = None
        self._fault: Fault | None = None
        self.over = False
        """Whether it takes no more octets."""
        self._settled: Signal | None = None
        self._outcome = target.upload
        self.full = False
        """Whether so much waits in memory that nothing more should be read for now."""

    # -- octets come ------------------------------------------------------------------

    def push(self, block: bytes) -> None:
        """Take the next octets."""
        if self.over or not block:
            return
        room = self.run.stop - self.offset
        if len(block) > room:
            self._take(block[:room])
            self.end(TooLong(f"more octets came than the {len(self.run)} that may come"))
        else:
            self._take(block)

    def _take(self, block: bytes) -> None:
        if len(block) < SMALL:
            self._crumbs += block
        if len(block) >= SMALL or len(self._crumbs) >= BATCH:
            self._gather()
        if len(block) >= SMALL:
            self._blocks.append(block)
        self._pending += len(block)
        self.offset += len(block)
        self.full = self.full or self._pending >= MOST_PENDING
        self._write_if_due()

    def _gather(self) -> None:
        """Make one block of the many small ones."""
        if self._crumbs:
            self._blocks.append(bytes(self._crumbs))
            self._crumbs.clear()

    # -- octets are written -------------------------------------------------------------

    def flush(self) -> None:
        """Write what is there, however little it is."""
        self._flushing = True
        self._write_if_due()

    def _is_due(self) -> bool:
        return self._pending > 0 and (self._flushing or self._pending >= BATCH)

    def _write_if_due(self) -> None:
        if self._writing is None and self._is_due():
            self._writing = Signal()
            ensureDeferred(self._write_on(self._writing))

    async def _write_on(self, writing: Signal) -> None:
        try:
            while self._is_due():
                await self._write_next()
        except Fault as fault:
            self._fail(fault)
        except Exception as error:
            self._fail(StorageFault(f"writing failed: {error}"))
            raise
        finally:
            self._flushing = False
            self._writing = None
            writing.fire()

    async def _write_next(self) -> None:
        self._gather()
        blocks, self._blocks = self._blocks, []
        piece = ByteRange(self._position, self._position + sum(map(len, blocks)))
        await self._in_thread(self._write, piece, blocks)
        self._position = piece.stop
        self._pending -= len(piece)
        if self._state is None:
            self._target.wrote(piece)
        else:
            self._held.append(piece)
        if self.full and self._pending <= LOW_PENDING:
            self.full = False
            self._ears.on_drained()

    def _write(self, piece: ByteRange, blocks: Sequence[bytes]) -> None:
        if self._state is not None:
            for block in blocks:
                self._state.update(block)
        if self._missing.covers(piece):
            self._part.write(piece.start, blocks)
            return
        octets = b"".join(blocks)
        for gap in self._missing & IntervalSet([piece]):
            self._part.write(gap.start, [octets[gap.start - piece.start : gap.stop - piece.start]])

    # -- octets are hauled ----------------------------------------------------------------

    def wanted(self) -> int:
        """How many octets a lane may put into the file next; 0: they have to be pushed."""
        if self.over or self._state is not None or not self._missing.covers(self.run):
            return 0
        return self.run.stop - self.offset

    async def haul(self, move: Callable[[Store, int], int], then: Callable[[int], None]) -> None:
        """Let *move* put the next octets into the file in a lane; *then* is told how many."""
        await self._drain()
        if self.over:
            return
        writing = self._writing = Signal()
        try:
            count = await self._in_lane(move, self._part, self.offset)
            self._hauled(count)
        except Fault as fault:
            self._fail(fault)
            return
        finally:
            self._writing = None
            writing.fire()
        then(count)

    def _hauled(self, count: int) -> None:
        start, self.offset = self.offset, self.offset + count
        self._position = self.offset
        if count:
            self._target.wrote(ByteRange(start, self.offset))

    def _fail(self, fault: Fault) -> None:
        self._blocks.clear()
        self._crumbs.clear()
        self._pending = 0
        if self.over:
            self._fault = self._fault or fault
        else:
            self.end(fault)

    # -- its end --------------------------------------------------------------------------

    def end(self, fault: Fault) -> None:
        """Take no more octets; who pushes is told why.

        Nothing happens where the run has come to its end by itself.
        """
        if not self.over:
            self.over = True
            self._fault = fault
            self._ears.on_end(fault)

    def committed(self, offset: int) -> None:
        """The upload is safe up to *offset*."""
        if not self.over:
            self._ears.on_committed(offset)

    async def commit(self) -> Upload:
        """End the run; all of it is synced and committed when this returns."""
        await self.settle(whole=True)
        if self._fault is not None:
            raise self._fault
        return self._outcome

    async def abandon(self) -> Upload:
        """End the run where it is."""
        await self.settle(whole=False)
        return self._outcome

    async def settle(self, *, whole: bool) -> None:
        """Write what is left, judge it, claim it; once, for whoever asks.

        :param whole: whether the run has come to its own end.
        """
        self.over = True
        if self._settled is None:
            self._settled = Signal()
            ensureDeferred(self._settle(self._settled, whole=whole))
        await self._settled.wait()

    async def _settle(self, settled: Signal, *, whole: bool) -> None:
        try:
            await self._drain()
            self._judge(whole=whole and self._fault is None)
            self.announced = 0
            await self._target.checkpoint()
        except Fault as fault:
            self._fault = self._fault or fault
        finally:
            self._outcome = self._target.upload
            self._target.settled(self)
            settled.fire()
            self._target.leave()

    async def _drain(self) -> None:
        while self._pending or self._writing is not None:
            self.flush()
            if self._writing is not None:
                await self._writing.wait()

    def _judge(self, *, whole: bool) -> None:
        if self._state is None:
            return
        held, self._held = self._held, []
        if whole and self._state.hexdigest() == self._wanted:
            for piece in held:
                self._target.wrote(piece)
        elif whole:
            self._fault = DigestMismatch(
                "the octets are not what their digest says; send them again"
            )
