"""
What was written to a part file, told so that it can be proved after a kill.

An *extent* is a byte range within one block of 1 MiB and a hash of its octets.  It is
logged after its octets were written and before they were synced, so a log proves
nothing by itself: after a power cut records or octets may be missing, torn or old.  An
octet is believed only where the record's own checksum holds *and* the octets on
the disk have the hash that the newest record about them names.

Here is what is pure: the form of the log, the hashing, the proof.  The file itself is
in `rangedaemon.storage.extentlog`.
"""

from __future__ import annotations

import struct
from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from xxhash import xxh3_64, xxh3_64_intdigest

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet

BLOCK = 1 << 20
"""Octets of a block; no extent lies in two."""

GRAIN = 1 << 16
"""Octets that a run grows by before it is logged again: 32 octets of log per 64 KiB."""

_MOST_RUNS = 1024
_HEADER = struct.Struct("<8s16sQ")
_RECORD = struct.Struct("<QQQQ")
_CHECKED = 24
_MAGIC = b"RDEXT\r\n\x01"

HEADER_SIZE = _HEADER.size
RECORD_SIZE = _RECORD.size

Read = Callable[[int, int], bytes]


class Extent(NamedTuple):
    """The octets ``[start, stop)`` of one block and their hash (xxh3_64)."""

    start: int
    stop: int
    digest: int


# -- the form of the log ----------------------------------------------------------


def pack_header(job_id: str, generation: int) -> bytes:
    """
    The head of a log: whose it is.

    :param generation: how often the job started again from nothing; what was written
        before belongs to another representation.
    """
    return _HEADER.pack(_MAGIC, job_id.encode("ascii"), generation)


def seed_of(header: bytes) -> int:
    """What a log's checksums start from, so that no other log's record passes in it."""
    return xxh3_64_intdigest(header)


def pack_record(extent: Extent, seed: int) -> bytes:
    """One extent as the log has it."""
    start, stop, digest = extent
    check = xxh3_64_intdigest(struct.pack("<QQQ", start, stop, digest), seed)
    return _RECORD.pack(start, stop, digest, check)


def parse_records(octets: bytes, seed: int) -> Iterator[Extent]:
    """The extents in a log behind its head; slots that hold none are passed over."""
    view = memoryview(octets)[: len(octets) - len(octets) % RECORD_SIZE]
    for at, (start, stop, digest, check) in enumerate(_RECORD.iter_unpack(view)):
        slot = at * RECORD_SIZE
        whole = xxh3_64_intdigest(view[slot : slot + _CHECKED], seed) == check
        if whole and start < stop and start // BLOCK == (stop - 1) // BLOCK:
            yield Extent(start, stop, digest)


def parse_log(octets: bytes, job_id: str, generation: int) -> list[Extent]:
    """The extents of a whole log, oldest first; none where it is not that job's."""
    header = pack_header(job_id, generation)
    if octets[:HEADER_SIZE] != header:
        return []
    return list(parse_records(octets[HEADER_SIZE:], seed_of(header)))


# -- the newest of each block -------------------------------------------------------


class ExtentTable:
    """
    The extents that still say something: those that no newer one contains.

    Half a million blocks (500 GB) take some 16 MiB: plain arrays, a chain per block
    from the newest extent to the oldest, and the chains' heads in pages.
    """

    _PAGE = 4096

    def __init__(self, extents: Iterable[Extent] = ()) -> None:
        self._starts = array("Q")
        self._stops = array("Q")
        self._digests = array("Q")
        self._older = array("I")
        self._heads: dict[int, array[int]] = {}
        self._free: list[int] = []
        for extent in extents:
            self.add(extent)

    def __len__(self) -> int:
        return len(self._starts) - len(self._free)

    def add(self, extent: Extent) -> None:
        """Note an extent that is newer than all before it."""
        page, cell = divmod(extent.start // BLOCK, self._PAGE)
        heads = self._heads.get(page)
        if heads is None:
            # Links are slot numbers plus one; zero ends a chain.
            heads = self._heads[page] = array("I", [0]) * self._PAGE
        older = self._without_contained(heads[cell], extent)
        heads[cell] = self._put(extent, older) + 1

    def _without_contained(self, head: int, extent: Extent) -> int:
        """Free what *extent* contains; the new head of the chain."""
        newer, link = 0, head
        while link:
            slot = link - 1
            older = self._older[slot]
            if extent.start <= self._starts[slot] and self._stops[slot] <= extent.stop:
                self._free.append(slot)
                if newer:
                    self._older[newer - 1] = older
                else:
                    head = older
            else:
                newer = link
            link = older
        return head

    def _put(self, extent: Extent, older: int) -> int:
        if self._free:
            slot = self._free.pop()
            self._starts[slot], self._stops[slot], self._digests[slot] = extent
            self._older[slot] = older
            return slot
        self._starts.append(extent.start)
        self._stops.append(extent.stop)
        self._digests.append(extent.digest)
        self._older.append(older)
        return len(self._starts) - 1

    def blocks(self) -> Iterator[list[Extent]]:
        """The extents of each block that has any, blocks ascending, oldest extent first."""
        for page in sorted(self._heads):
            for head in self._heads[page]:
                if head:
                    yield self._chain(head)[::-1]

    def __iter__(self) -> Iterator[Extent]:
        for block in self.blocks():
            yield from block

    def _chain(self, link: int) -> list[Extent]:
        chain = []
        while link:
            slot = link - 1
            chain.append(Extent(self._starts[slot], self._stops[slot], self._digests[slot]))
            link = self._older[slot]
        return chain


# -- hashing what is written ----------------------------------------------------------


class _Run:
    """Octets of one block that were written one behind the other."""

    __slots__ = ("hasher", "logged", "start", "stop")

    def __init__(self, start: int) -> None:
        self.start = self.stop = self.logged = start
        self.hasher = xxh3_64()

    def grow(self, octets: memoryview) -> None:
        self.hasher.update(octets)
        self.stop += len(octets)

    def log(self) -> Extent:
        self.logged = self.stop
        return Extent(self.start, self.stop, self.hasher.intdigest())


class ExtentHasher:
    """
    Turns writes into extents to log; a run of writes makes one extent that grows.

    A write over octets of a run ends that run: its hash is of what was there before.
    """

    def __init__(self, grain: int = GRAIN) -> None:
        self._grain = grain
        self._runs: dict[int, list[_Run]] = {}
        self._count = 0

    def feed(self, offset: int, buffers: Sequence[bytes | memoryview]) -> list[Extent]:
        """
        Take what was written at *offset*.

        :returns: the extents to log now: blocks that are full, and a run that grew by
            the grain.
        """
        due: list[Extent] = []
        run: _Run | None = None
        for start, octets in _split(offset, buffers):
            due += self._end_written_over(start, start + len(octets))
            run = self._run_at(start)
            run.grow(octets)
            if run.stop % BLOCK == 0:
                due += self._end(run)
        if run is not None and run.stop - run.logged >= max(1, self._grain):
            due.append(run.log())
        return due + self._evict()

    def pending(self) -> list[Extent]:
        """What was taken and not logged yet."""
        return [run.log() for runs in self._runs.values() for run in runs if run.stop > run.logged]

    def _end_written_over(self, start: int, stop: int) -> list[Extent]:
        """Their records come first, so that what is written now has the last word."""
        runs = self._runs.get(start // BLOCK, ())
        over = [run for run in runs if run.start < stop and start < run.stop]
        return [extent for run in over for extent in self._end(run)]

    def _run_at(self, start: int) -> _Run:
        """The run that ends at *start*, or a new one."""
        runs = self._runs.setdefault(start // BLOCK, [])
        for run in runs:
            if run.stop == start:
                return run
        runs.append(_Run(start))
        self._count += 1
        return runs[-1]

    def _end(self, run: _Run) -> list[Extent]:
        """Forget an open run; its extent, where that was not logged yet."""
        block = run.start // BLOCK
        self._runs[block].remove(run)
        self._count -= 1
        if not self._runs[block]:
            del self._runs[block]
        return [run.log()] if run.stop > run.logged else []

    def _evict(self) -> list[Extent]:
        """End the oldest runs where there are too many to keep open."""
        due = []
        while self._count > _MOST_RUNS:
            due += self._end(next(iter(self._runs.values()))[0])
        return due


def _split(offset: int, buffers: Iterable[bytes | memoryview]) -> Iterator[tuple[int, memoryview]]:
    """*buffers* in pieces that each lie in one block, with their offsets."""
    for buffer in buffers:
        view = memoryview(buffer).cast("B")
        while view:
            room = BLOCK - offset % BLOCK
            yield offset, view[:room]
            offset += len(view[:room])
            view = view[room:]


# -- the proof ------------------------------------------------------------------------


def verify_extents(
    read: Read, table: ExtentTable, within: IntervalSet | None = None
) -> tuple[IntervalSet, IntervalSet]:
    """
    Compare what is on the disk with what was logged.  Blocks: reads every extent.

    :param read: ``read(offset, length)``; fewer octets where the file ends before.
    :param within: what is asked about; extents beside it are not read, nothing is
        said about octets outside.
    :returns: the octets that are proved, and those that were logged but are not what
        the newest record about them says.
    """
    touches = touching(within)
    good: list[ByteRange] = []
    bad: list[ByteRange] = []
    for block in table.blocks():
        decided = EMPTY
        for extent in reversed(block):
            if not touches(extent):
                continue
            piece = ByteRange(extent.start, extent.stop)
            fresh = decided.gaps(piece)
            if fresh:
                _extend(good if _holds(read, extent) else bad, fresh)
            decided = decided.add(piece)
    proved, disproved = IntervalSet(good), IntervalSet(bad)
    return (proved, disproved) if within is None else (proved & within, disproved & within)


def touching(within: IntervalSet | None) -> Callable[[Extent], bool]:
    """Tells whether an extent shares an octet with *within*; None stands for everything."""
    if within is None:
        return lambda _extent: True
    pairs = within.to_pairs()
    starts = [start for start, _ in pairs]
    stops = [stop for _, stop in pairs]
    # The ranges that begin before the extent's end must not all end before its start.
    return lambda extent: bisect_right(stops, extent.start) < bisect_left(starts, extent.stop)


def _holds(read: Read, extent: Extent) -> bool:
    octets = read(extent.start, extent.stop - extent.start)
    return len(octets) == extent.stop - extent.start and (
        xxh3_64_intdigest(octets) == extent.digest
    )


def _extend(ranges: list[ByteRange], pieces: IntervalSet) -> None:
    """Append, joined to the last one where they touch: a whole file is one range, not 500,000."""
    for piece in pieces:
        if ranges and ranges[-1].stop == piece.start:
            ranges[-1] = ByteRange(ranges[-1].start, piece.stop)
        else:
            ranges.append(piece)
