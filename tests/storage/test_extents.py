"""Tests for `rangedaemon.storage.extents`: the form of the log, the hashing, the proof."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase
from xxhash import xxh3_64_intdigest

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.storage.extents import (
    BLOCK,
    HEADER_SIZE,
    RECORD_SIZE,
    Extent,
    ExtentHasher,
    ExtentTable,
    pack_header,
    pack_record,
    parse_log,
    seed_of,
    touching,
)

JOB = "00112233445566ff"
SEED = seed_of(pack_header(JOB, 0))

# Small pieces about the edges of blocks, where things can go wrong.
offsets = st.integers(0, 2).flatmap(
    lambda edge: st.integers(max(0, edge * BLOCK - 60), edge * BLOCK + 60)
)
lengths = st.integers(1, 80)


@st.composite
def extents(draw: st.DrawFn) -> Extent:
    """An extent of one block."""
    start = draw(offsets)
    room = BLOCK - start % BLOCK
    return Extent(start, start + min(draw(lengths), room), draw(st.integers(0, 2**64 - 1)))


def a_log(written: list[Extent], job_id: str = JOB, generation: int = 0) -> bytes:
    """The octets of a log that holds *written*."""
    header = pack_header(job_id, generation)
    return header + b"".join(pack_record(extent, seed_of(header)) for extent in written)


class ParseTests(SynchronousTestCase):
    """Tests for `parse_log`."""

    @given(st.lists(extents(), max_size=6))
    def test_round_trip(self, written: list[Extent]) -> None:
        """A whole log gives back what was written, in its order."""
        self.assertEqual(parse_log(a_log(written), JOB, 0), written)

    @given(st.lists(extents(), min_size=1, max_size=4), st.data())
    def test_torn(self, written: list[Extent], data: st.DataObject) -> None:
        """A log that was cut gives all whole records before the cut, and nothing else."""
        log = a_log(written)
        cut = data.draw(st.integers(0, len(log)))
        whole = max(0, cut - HEADER_SIZE) // RECORD_SIZE
        self.assertEqual(parse_log(log[:cut], JOB, 0), written[:whole])

    @given(st.lists(extents(), min_size=1, max_size=6), st.data())
    def test_damaged_slots(self, written: list[Extent], data: st.DataObject) -> None:
        """Whatever became of a slot, the others are read and it is passed over."""
        log = bytearray(a_log(written))
        broken = data.draw(st.sets(st.integers(0, len(written) - 1)))
        for slot in broken:
            at = HEADER_SIZE + slot * RECORD_SIZE
            old = bytes(log[at : at + RECORD_SIZE])
            change = st.one_of(
                st.just(bytes(RECORD_SIZE)), st.binary(min_size=RECORD_SIZE, max_size=RECORD_SIZE)
            )
            log[at : at + RECORD_SIZE] = data.draw(change.filter(lambda new, old=old: new != old))
        kept = [extent for slot, extent in enumerate(written) if slot not in broken]
        self.assertEqual(parse_log(bytes(log), JOB, 0), kept)

    @given(extents(), st.integers(0, RECORD_SIZE * 8 - 1))
    def test_flipped_bit(self, extent: Extent, bit: int) -> None:
        """One flipped bit anywhere in a record is enough to disbelieve it."""
        log = bytearray(a_log([extent]))
        log[HEADER_SIZE + bit // 8] ^= 1 << bit % 8
        self.assertEqual(parse_log(bytes(log), JOB, 0), [])

    def test_other_log(self) -> None:
        """A log of another job or another generation says nothing about this one."""
        log = a_log([Extent(0, 5, 7)])
        self.assertEqual(parse_log(log, "ff" * 8, 0), [])
        self.assertEqual(parse_log(log, JOB, 1), [])
        self.assertEqual(parse_log(b"", JOB, 0), [])
        self.assertEqual(parse_log(pack_header(JOB, 1) + log[HEADER_SIZE:], JOB, 1), [])

    def test_impossible_extents(self) -> None:
        """An empty, a reversed extent and one of two blocks are no extents, checksum or not."""
        wrong = [Extent(5, 5, 0), Extent(9, 2, 0), Extent(BLOCK - 1, BLOCK + 1, 0)]
        self.assertEqual(parse_log(a_log(wrong), JOB, 0), [])


class TableTests(SynchronousTestCase):
    """Tests for `ExtentTable`."""

    @given(st.lists(extents(), max_size=25))
    def test_against_list(self, written: list[Extent]) -> None:
        """What no newer extent contains stays: by block, oldest first."""
        kept = [
            old
            for at, old in enumerate(written)
            if not any(new.start <= old.start and old.stop <= new.stop for new in written[at + 1 :])
        ]
        table = ExtentTable(written)
        self.assertEqual(list(table), sorted(kept, key=lambda extent: extent.start // BLOCK))
        self.assertEqual(len(table), len(kept))

    @given(st.lists(extents(), max_size=25))
    def test_rebuilt_from_itself(self, written: list[Extent]) -> None:
        """A log that was compacted says the same as before."""
        once = list(ExtentTable(written))
        self.assertEqual(list(ExtentTable(once)), once)

    def test_far_apart(self) -> None:
        """Extents at the end of the largest file need no table of all blocks before them."""
        far = Extent(2**63 - 10, 2**63 - 1, 5)
        self.assertEqual(list(ExtentTable([far, Extent(0, 1, 2)])), [Extent(0, 1, 2), far])


class TouchingTests(SynchronousTestCase):
    """Tests for `touching`."""

    @given(
        extents(),
        st.lists(st.tuples(offsets, lengths), max_size=5).map(
            lambda pairs: IntervalSet(ByteRange(at, at + size) for at, size in pairs)
        ),
    )
    def test_against_intersection(self, extent: Extent, within: IntervalSet) -> None:
        """It is whether the intersection holds an octet."""
        common = IntervalSet([ByteRange(extent.start, extent.stop)]) & within
        self.assertEqual(touching(within)(extent), bool(common))

    def test_everything(self) -> None:
        """No set at all stands for every octet."""
        self.assertTrue(touching(None)(Extent(3, 4, 0)))


class HasherTests(SynchronousTestCase):
    """Tests for `ExtentHasher`."""

    def test_growing_run(self) -> None:
        """Writes one behind the other are one extent that grows; the last says all."""
        hasher = ExtentHasher(grain=0)
        first = hasher.feed(10, [b"abc"])
        second = hasher.feed(13, [b"de", bytearray(b"f")])
        self.assertEqual(first, [Extent(10, 13, xxh3_64_intdigest(b"abc"))])
        self.assertEqual(second, [Extent(10, 16, xxh3_64_intdigest(b"abcdef"))])
        self.assertEqual(len(ExtentTable(first + second)), 1)

    def test_block_edge(self) -> None:
        """A write over the edge of a block makes an extent on each side."""
        data = bytes(range(100))
        due = ExtentHasher(grain=0).feed(BLOCK - 30, [data])
        self.assertEqual(
            due,
            [
                Extent(BLOCK - 30, BLOCK, xxh3_64_intdigest(data[:30])),
                Extent(BLOCK, BLOCK + 70, xxh3_64_intdigest(data[30:])),
            ],
        )

    def test_many_blocks(self) -> None:
        """Full blocks are logged once each, whatever the grain."""
        due = ExtentHasher(grain=BLOCK * 9).feed(0, [bytes(BLOCK * 2), bytes(BLOCK)])
        whole = xxh3_64_intdigest(bytes(BLOCK))
        self.assertEqual(due, [Extent(n * BLOCK, (n + 1) * BLOCK, whole) for n in range(3)])

    def test_grain(self) -> None:
        """A run is logged when it grew by the grain; the rest is pending until asked for."""
        hasher = ExtentHasher(grain=10)
        self.assertEqual(hasher.feed(0, [bytes(9)]), [])
        self.assertEqual(hasher.feed(9, [bytes(1)]), [Extent(0, 10, xxh3_64_intdigest(bytes(10)))])
        self.assertEqual(hasher.feed(10, [bytes(1)]), [])
        self.assertEqual(hasher.pending(), [Extent(0, 11, xxh3_64_intdigest(bytes(11)))])
        self.assertEqual(hasher.pending(), [])

    def test_nothing(self) -> None:
        """Empty writes leave no trace."""
        hasher = ExtentHasher(grain=0)
        self.assertEqual(hasher.feed(5, []) + hasher.feed(5, [b""]) + hasher.pending(), [])

    def test_written_over(self) -> None:
        """A run that was written over does not go on with the hash of what was there."""
        hasher = ExtentHasher(grain=0)
        hasher.feed(0, [b"aaaa"])
        hasher.feed(2, [b"b"])
        self.assertEqual(hasher.feed(4, [b"c"]), [Extent(4, 5, xxh3_64_intdigest(b"c"))])

    def test_too_many_runs(self) -> None:
        """Runs without end are not all kept open, and none is lost unlogged."""
        hasher = ExtentHasher(grain=100)
        due = [extent for n in range(5000) for extent in hasher.feed(n * 1000, [b"xyz"])]
        self.assertLessEqual(sum(map(len, hasher._runs.values())), 1024)
        logged = {extent.start for extent in due + hasher.pending()}
        self.assertEqual(logged, {n * 1000 for n in range(5000)})
