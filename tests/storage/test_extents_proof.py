"""Tests for `rangedaemon.storage.extents.verify_extents`: what may be believed."""

from __future__ import annotations

from dataclasses import dataclass

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.storage.extents import BLOCK, Extent, ExtentHasher, ExtentTable, verify_extents
from tests.storage.test_extents import lengths, offsets


@dataclass
class Write:
    """One positioned write."""

    offset: int
    octets: bytes


class Disk:
    """A file in memory; holes read as zeros."""

    def __init__(self) -> None:
        self.octets = bytearray()

    def write(self, offset: int, octets: bytes) -> None:
        """Put *octets* at *offset*."""
        self.octets.extend(bytes(max(0, offset + len(octets) - len(self.octets))))
        self.octets[offset : offset + len(octets)] = octets

    def read(self, offset: int, length: int) -> bytes:
        """Up to *length* octets at *offset*."""
        return bytes(self.octets[offset : offset + length])


writes = st.lists(
    st.builds(
        Write,
        offsets,
        st.one_of(
            st.binary(min_size=1, max_size=80),
            st.builds(
                lambda octet, size: bytes([octet]) * size,
                st.integers(0, 255),
                st.sampled_from([BLOCK - 61, BLOCK + 7]),
            ),
        ),
    ),
    max_size=8,
)


def run_all(plan: list[Write], grain: int) -> tuple[Disk, list[Extent], IntervalSet]:
    """Do *plan*: the disk, the log and the octets that were written."""
    disk, hasher, log = Disk(), ExtentHasher(grain), []
    for write in plan:
        disk.write(write.offset, write.octets)
        half = len(write.octets) // 2
        log += hasher.feed(write.offset, [write.octets[:half], memoryview(write.octets)[half:]])
    written = IntervalSet(ByteRange(w.offset, w.offset + len(w.octets)) for w in plan)
    return disk, log + hasher.pending(), written


def one_content(plan: list[Write]) -> list[Write]:
    """The same places, with the octets that one representation has there."""
    content = bytes(n * n % 251 for n in range(1000)) * (4 * BLOCK // 1000)
    return [Write(w.offset, content[w.offset : w.offset + len(w.octets)]) for w in plan]


class VerifyTests(SynchronousTestCase):
    """Tests for `verify_extents`."""

    @settings(deadline=None, max_examples=60)
    @given(writes, st.sampled_from([0, 50, 1 << 16]))
    def test_intact(self, plan: list[Write], grain: int) -> None:
        """All that was written of one representation is proved, overlapping or not."""
        disk, log, written = run_all(one_content(plan), grain)
        good, bad = verify_extents(disk.read, ExtentTable(log))
        self.assertEqual((good, bad), (written, EMPTY))

    @settings(deadline=None, max_examples=100)
    @given(writes, st.data())
    def test_never_a_wrong_octet(self, plan: list[Write], data: st.DataObject) -> None:
        """Whatever was written over, lost or damaged: what is proved is what was last written."""
        disk, log, written = run_all(plan, 0)
        wanted = bytes(disk.octets)
        for offset, octets in data.draw(st.lists(st.tuples(offsets, st.binary(max_size=80)))):
            disk.octets[offset : offset + len(octets)] = octets[: len(disk.octets[offset:])]
        if data.draw(st.booleans()):
            del disk.octets[data.draw(offsets) :]
        lost = data.draw(st.sets(st.integers(0, len(log))))
        kept = [extent for at, extent in enumerate(log) if at not in lost]
        good, bad = verify_extents(disk.read, ExtentTable(kept))
        self.assertEqual(good - written, EMPTY)
        self.assertEqual(good & bad, EMPTY)
        if not lost:
            for piece in good:
                self.assertEqual(
                    disk.octets[piece.start : piece.stop], wanted[piece.start : piece.stop]
                )

    @settings(deadline=None, max_examples=60)
    @given(writes, st.lists(offsets, min_size=1, max_size=4), st.data())
    def test_damage_costs_its_extent_alone(
        self, plan: list[Write], damage: list[int], data: st.DataObject
    ) -> None:
        """An extent without a damaged octet is proved; one with such is never."""
        disk, log, written = run_all(one_content(plan), 0)
        hit = [at for at in damage if at < len(disk.octets)]
        for at in hit:
            disk.octets[at] ^= data.draw(st.integers(1, 255))
        changed = [at for at in set(hit) if hit.count(at) == 1]
        table = ExtentTable(log)
        good, bad = verify_extents(disk.read, table)
        for at in changed:
            self.assertFalse(good.covers(ByteRange(at, at + 1)))
        harmed = [e for e in table if any(e.start <= at < e.stop for at in hit)]
        touched = IntervalSet(ByteRange(e.start, e.stop) for e in harmed)
        self.assertEqual(written - touched - good, EMPTY)
        self.assertEqual(good | bad, written)

    @settings(deadline=None, max_examples=60)
    @given(
        writes,
        st.lists(st.tuples(offsets, lengths), max_size=4).map(
            lambda pairs: IntervalSet(ByteRange(at, at + size) for at, size in pairs)
        ),
    )
    def test_within(self, plan: list[Write], within: IntervalSet) -> None:
        """Asked about some octets it says of them what it says when asked about all."""
        disk, log, _ = run_all(plan, 0)
        good, bad = verify_extents(disk.read, ExtentTable(log))
        some = verify_extents(disk.read, ExtentTable(log), within)
        self.assertEqual(some, (good & within, bad & within))

    def test_older_write_is_no_proof(self) -> None:
        """Where the disk has gone back to an older write, its old record proves nothing."""
        disk, log, _ = run_all([Write(0, b"old old "), Write(4, b"new new ")], 0)
        disk.write(4, b"old ")
        good, bad = verify_extents(disk.read, ExtentTable(log))
        self.assertEqual(good.to_pairs(), [(0, 4)])
        self.assertEqual(bad.to_pairs(), [(4, 12)])

    def test_reads_only_what_is_asked(self) -> None:
        """Blocks beside the octets asked about are not read: a resume of 500 GB is quick."""
        disk, log, _ = run_all([Write(0, bytes(3 * BLOCK))], 0)
        asked: list[int] = []

        def read(offset: int, length: int) -> bytes:
            asked.append(offset)
            return disk.read(offset, length)

        within = IntervalSet([ByteRange(BLOCK + 5, BLOCK + 6)])
        good, _ = verify_extents(read, ExtentTable(log), within)
        self.assertEqual((asked, good), ([BLOCK], within))
