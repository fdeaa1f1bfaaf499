"""Tests for `rangedaemon.client.sink`."""

from __future__ import annotations

import gc
from collections.abc import Sequence

from twisted.internet.defer import ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.sink import Sink
from rangedaemon.core.intervals import EMPTY, IntervalSet
from rangedaemon.errors import Fault, NoSpace, StorageFault
from rangedaemon.storage.threads import inline
from tests.client.world import HandFired


class MemoryFile:
    """Takes writes, and remembers each."""

    def __init__(self) -> None:
        self.writes: list[tuple[int, bytes]] = []
        self.fault: Exception | None = None

    def write(self, offset: int, blocks: Sequence[bytes]) -> int:
        """As `Store.write`."""
        if self.fault is not None:
            raise self.fault
        octets = b"".join(blocks)
        self.writes.append((offset, octets))
        return len(octets)


class SinkCase(SynchronousTestCase):
    """A sink over a file in memory, with work done by hand."""

    def setUp(self) -> None:
        """Nothing is there yet."""
        self.file = MemoryFile()
        self.threads = HandFired()
        self.faults: list[Fault] = []
        self.drained = 0
        self.sink = Sink(self.file, self.threads, EMPTY, self.faults.append)

    def count(self) -> None:
        """A writer tells that a write returned."""
        self.drained += 1


class WriterTests(SinkCase):
    """Tests for the writers of a sink."""

    def test_inline(self) -> None:
        """Where nothing waits each block is a write of its own."""
        sink = Sink(self.file, inline, EMPTY, self.faults.append)
        writer = sink.writer(10, self.count)
        writer.push(b"ab")
        writer.push(b"cde")
        self.assertEqual(self.file.writes, [(10, b"ab"), (12, b"cde")])
        self.assertEqual((sink.written.to_pairs(), writer.pending), ([(10, 15)], 0))

    def test_one_write_at_a_time(self) -> None:
        """What comes during a write is the next one, all at once and in order."""
        writer = self.sink.writer(0, self.count)
        for block in (b"a", b"bc", b"def"):
            writer.push(block)
        self.assertEqual((len(self.threads.waiting), writer.pending), (1, 6))
        self.threads.fire()
        self.assertEqual(self.file.writes, [(0, b"a")])
        self.assertEqual((len(self.threads.waiting), writer.pending), (1, 5))
        self.threads.fire()
        self.assertEqual(self.file.writes, [(0, b"a"), (1, b"bcdef")])
        self.assertEqual((self.threads.waiting, writer.pending, self.drained), ([], 0, 2))

    def test_written_when_the_write_has_returned(self) -> None:
        """Octets in a queue are not octets on the disk."""
        writer = self.sink.writer(0, self.count)
        writer.push(b"abc")
        self.assertEqual(self.sink.written, EMPTY)
        self.threads.fire()
        self.assertEqual(self.sink.written.to_pairs(), [(0, 3)])

    def test_writers_do_not_wait_for_each_other(self) -> None:
        """Each run of octets has its own write under way."""
        self.sink.writer(0, self.count).push(b"a")
        self.sink.writer(100, self.count).push(b"b")
        self.assertEqual(len(self.threads.waiting), 2)
        self.threads.waiting.reverse()
        self.threads.release()
        self.assertEqual(self.sink.written.to_pairs(), [(0, 1), (100, 101)])

    def test_octets_twice_are_counted(self) -> None:
        """Written though they were there already: once told, then forgotten."""
        sink = Sink(self.file, inline, IntervalSet.from_pairs([(0, 10)]), self.faults.append)
        sink.writer(5, self.count).push(b"x" * 8)
        self.assertEqual((sink.take_again(), sink.take_again()), (5, 0))
        self.assertEqual(sink.written.to_pairs(), [(0, 13)])


class FaultTests(SinkCase):
    """A disk that fails."""

    def test_told_once(self) -> None:
        """However many writes fail, the first fault is told, and it ends the drain."""
        one, two = self.sink.writer(0, self.count), self.sink.writer(50, self.count)
        one.push(b"a")
        two.push(b"b")
        self.file.fault = NoSpace("full")
        self.threads.release()
        self.assertEqual([f.code for f in self.faults], ["no-space"])
        self.failureResultOf(ensureDeferred(self.sink.drain()), NoSpace)
        self.assertEqual(self.sink.written, EMPTY)

    def test_what_was_queued_is_dropped(self) -> None:
        """Behind octets that are missing nothing is written any more."""
        writer = self.sink.writer(0, self.count)
        writer.push(b"a")
        writer.push(b"b")
        self.file.fault = NoSpace("full")
        self.threads.fire()
        self.assertEqual((self.threads.waiting, self.file.writes), ([], []))

    def test_nothing_is_written_behind_a_gap(self) -> None:
        """Octets that come after a failed write do not slip into its place."""
        writer = self.sink.writer(0, self.count)
        writer.push(b"lost")
        self.file.fault = NoSpace("full")
        self.threads.fire()
        self.file.fault = None
        writer.push(b"late")
        self.threads.release()
        self.assertEqual((self.file.writes, self.sink.written), ([], EMPTY))

    def test_unforeseen(self) -> None:
        """An error that is no fault of ours ends it too, and its traceback is logged."""
        self.sink.writer(0, self.count).push(b"a")
        self.file.fault = RuntimeError("bug")
        self.threads.fire()
        self.assertEqual([type(f) for f in self.faults], [StorageFault])
        self.file.fault = None  # its traceback would keep the Deferred alive
        self.faults.clear()
        self.sink = Sink(self.file, inline, EMPTY, self.faults.append)
        gc.collect()
        self.assertEqual(len(self.flushLoggedErrors(RuntimeError)), 1)


class DrainTests(SinkCase):
    """Tests for `Sink.drain` and `Sink.settled`."""

    def test_nothing_to_wait_for(self) -> None:
        """Without a write under way it returns at once."""
        self.successResultOf(ensureDeferred(self.sink.drain()))

    def test_waits_for_the_last_write(self) -> None:
        """It returns when nothing is under way and nothing is due."""
        writer = self.sink.writer(0, self.count)
        writer.push(b"a")
        writer.push(b"b")
        drained = ensureDeferred(self.sink.drain())
        self.threads.fire()
        self.assertNoResult(drained)
        self.threads.fire()
        self.successResultOf(drained)

    def test_settled_does_not_care_how(self) -> None:
        """After a fault it returns all the same."""
        self.sink.writer(0, self.count).push(b"a")
        settled = ensureDeferred(self.sink.settled())
        self.file.fault = NoSpace("full")
        self.threads.fire()
        self.successResultOf(settled)
