"""
From the network to the part file: ordered writes off the reactor thread, bounded memory.

Each segment has a writer of its own.  A writer has one write under way at most;
what arrives meanwhile is the next write, so that a slow line writes at once and a
fast one in large batches.  Octets count as written when their write has returned;
those of an answer that promises a digest of its body only when that has been judged.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from twisted.internet.defer import Deferred, ensureDeferred

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.errors import Fault, StorageFault
from rangedaemon.storage.hashes import HashState, new_hash
from rangedaemon.storage.lanes import Store
from rangedaemon.storage.threads import InThread


class Sink:
    """The writes of one attempt, and what they have covered."""

    def __init__(
        self,
        store: Store,
        in_thread: InThread,
        covered: IntervalSet,
        on_fault: Callable[[Fault], None],
        in_lane: InThread | None = None,
    ) -> None:
        """
        :param covered: octets that are in the part file already.
        :param on_fault: called once, with the first fault of the disk.
        :param in_lane: runs hauls; None: as everything else.
        """
        self.written = covered
        self.held = 0
        """How many writers wait for the judgement of their octets."""
        self.on_touched: Callable[[ByteRange], None] = lambda _piece: None
        """Called with octets that count now, or do not count any more."""
        self._again = 0
        self._store = store
        self._in_thread = in_thread
        self._in_lane = in_lane or in_thread
        self._on_fault = on_fault
        self._fault: Fault | None = None
        self._busy = 0
        self._idle: list[Deferred[None]] = []
        self._awaited: list[tuple[int, Deferred[None]]] = []

    async def there(self, offset: int) -> None:
        """Return when the octet at *offset* is written.

        :raises Fault: it never will be, by this sink.
        """
        if self._fault is not None:
            raise self._fault
        if self.written.reach(offset) == offset:
            waiter: Deferred[None] = Deferred(self._not_awaited)
            self._awaited.append((offset, waiter))
            await waiter

    def _not_awaited(self, waiter: Deferred[None]) -> None:
        self._awaited = [pair for pair in self._awaited if pair[1] is not waiter]

    def end(self, fault: Fault) -> None:
        """No more octets come: whoever waits for one gets *fault*."""
        awaited, self._awaited = self._awaited, []
        for _, waiter in awaited:
            waiter.errback(fault)

    def writer(
        self,
        offset: int,
        on_drained: Callable[[], None],
        promised: str | None = None,
        before: bytes = b"",
    ) -> SegmentWriter:
        """A writer for a run of octets from *offset* on.

        :param promised: the digest of the run, ``algorithm=hex``; None: nobody told.
        :param before: octets before the run that the digest is of, too.
        """
        return SegmentWriter(self, offset, on_drained, promised, before)

    def write(self, offset: int, blocks: list[bytes], state: HashState | None) -> Deferred[int]:
        """Start a write that *state* takes notice of; used by the writers."""
        return self._in_thread(self._write, offset, blocks, state)

    def _write(self, offset: int, blocks: list[bytes], state: HashState | None) -> int:
        if state is not None:
            for block in blocks:
                state.update(block)
        return self._store.write(offset, blocks)

    async def haul(
        self, offset: int, move: Callable[[Store, int], int], then: Callable[[int], None]
    ) -> None:
        """Let *move* put octets at *offset* in a lane; *then* is told how many those were."""
        self.started()
        try:
            then(await self._in_lane(move, self._store, offset))
        except Fault as fault:
            self.failed(fault)
        finally:
            self.stopped()

    def wrote(self, piece: ByteRange) -> None:
        """Octets are written, and good as far as anybody can tell now."""
        self._again += len(piece) - self.written.gaps(piece).total
        self.written = self.written.add(piece)
        for waiting in [w for w in self._awaited if piece.start <= w[0] < piece.stop]:
            self._awaited.remove(waiting)
            waiting[1].callback(None)
        self.on_touched(piece)

    def lose(self, bad: Iterable[ByteRange]) -> None:
        """Octets that were received are not what they should be: they must come again."""
        for piece in bad:
            self._again += len(piece)
            self.written = self.written.remove(piece)
            self.on_touched(piece)

    def take_again(self) -> int:
        """Octets that were there already or were bad, since the last call."""
        again, self._again = self._again, 0
        return again

    def failed(self, fault: Fault) -> None:
        """A write has failed."""
        if self._fault is None:
            self._fault = fault
            self.end(fault)
            self._on_fault(fault)

    def started(self) -> None:
        """A writer has something to write."""
        self._busy += 1

    def stopped(self) -> None:
        """A writer has nothing left to write."""
        self._busy -= 1
        if self._busy == 0:
            waiting, self._idle = self._idle, []
            for waiter in waiting:
                waiter.callback(None)

    async def drain(self) -> None:
        """Return when no write is under way and none is due.

        :raises Fault: a write failed.
        """
        await self.settled()
        if self._fault is not None:
            raise self._fault

    async def settled(self) -> None:
        """Return when no write is under way, however they ended."""
        while self._busy:
            waiter: Deferred[None] = Deferred()
            self._idle.append(waiter)
            await waiter


class SegmentWriter:
    """Writes one run of octets in order."""

    def __init__(
        self,
        sink: Sink,
        offset: int,
        on_drained: Callable[[], None],
        promised: str | None,
        before: bytes,
    ) -> None:
        self._sink = sink
        self._offset = offset
        """Where what was put into the file ends."""
        self._next = offset
        """Where the octets that are pushed next belong."""
        self._on_drained = on_drained
        self._runs: list[tuple[int, list[bytes]]] = []
        """What waits: its offset, and its octets."""
        self._writing = False
        self._broken = False
        self._idle: Deferred[None] | None = None
        self._held_from = offset
        algorithm, _, self._wanted = (promised or "").partition("=")
        self._state = new_hash(algorithm) if promised is not None else None
        if self._state is not None:
            self._state.update(before)
        sink.held += promised is not None
        self.pending = 0
        """Octets in memory, taken and not yet written."""

    def push(self, block: bytes) -> None:
        """Take the next octets of the run."""
        if self._broken:
            return
        self.pending += len(block)
        if not self._runs or self._runs[-1][0] + sum(map(len, self._runs[-1][1])) != self._next:
            self._runs.append((self._next, []))
        self._runs[-1][1].append(block)
        self._next += len(block)
        if not self._writing:
            self._writing = True
            self._sink.started()
            ensureDeferred(self._write_on())

    async def haul(self, move: Callable[[Store, int], int], then: Callable[[int], None]) -> None:
        """Let *move* put the next octets into the file by itself, see `Sink.haul`."""
        if not self._broken:
            await self._sink.haul(self._next, move, then)

    def skip(self, count: int) -> None:
        """*count* octets, the next ones, were hauled."""
        start, self._next = self._next, self._next + count
        if count:
            self._sink.wrote(ByteRange(start, self._next))

    async def _write_on(self) -> None:
        try:
            while self._runs:
                await self._write_next()
        except Fault as fault:
            self._give_up(fault)
        except Exception as error:
            self._give_up(StorageFault(f"writing failed: {error}"))
            raise
        finally:
            self._writing = False
            self._sink.stopped()
            idle, self._idle = self._idle, None
            if idle is not None:
                idle.callback(None)

    async def _write_next(self) -> None:
        start, blocks = self._runs.pop(0)
        count = await self._sink.write(start, blocks, self._state)
        self.pending -= count
        self._offset = start + count
        if self._state is None:
            self._sink.wrote(ByteRange(start, self._offset))
        self._on_drained()

    async def judged(self) -> bool:
        """Whether the run, which is whole, is as promised; its octets count then."""
        if self._writing and self._state is not None:
            self._idle = Deferred()
            await self._idle
        if self._state is None or self._state.hexdigest() == self._wanted:
            self.let_pass()
            return True
        self._sink.lose([ByteRange(self._held_from, self._offset)])
        self._held_from = self._offset
        return False

    def let_pass(self) -> None:
        """Nobody can judge the run: its octets count like those of any other."""
        if self._state is not None:
            self._state = None
            self._sink.held -= 1
            if self._held_from < self._offset:
                self._sink.wrote(ByteRange(self._held_from, self._offset))

    def _give_up(self, fault: Fault) -> None:
        self._broken = True  # what comes now has lost its place
        self._runs.clear()
        self._sink.failed(fault)
