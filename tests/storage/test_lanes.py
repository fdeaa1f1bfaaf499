"""Tests for `rangedaemon.storage.lanes`: pipes stand in for the socket and for the file."""

from __future__ import annotations

import os
from collections.abc import Callable
from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import _IdentityTransferDecoder

from rangedaemon.errors import NoSpace
from rangedaemon.storage.lanes import LONGEST, MOST, WORTH, Hauled, Hauler, Lanes, Store


class Shelf:
    """A store that keeps what it is given; or has no room."""

    def __init__(self) -> None:
        self.put: list[tuple[int, bytes]] = []
        self.full = False

    def write(self, offset: int, blocks: list[bytes | memoryview]) -> int:
        """As `Store.write`."""
        self.put.append((offset, b"".join(blocks)))
        return len(self.put[-1][1])

    def splice(self, offset: int, pipe: int, count: int) -> int:
        """As `Store.splice`."""
        if self.full:
            raise NoSpace("full")
        return self.write(offset, [os.read(pipe, count)])


class Claimant:
    """A taker that has its hauls done when the test says so."""

    paused = False

    def __init__(self, shelf: Shelf, wants: int = MOST) -> None:
        self.wants = wants
        self.shelf = shelf
        self.offset = 0
        self.hauls: list[Callable[[], int]] = []
        self.delivered: list[int] = []

    def wanted(self) -> int:
        """As `Taker.wanted`."""
        return self.wants

    async def haul(
        self, move: Callable[[Store, int], int], deliver: Callable[[Hauled], None]
    ) -> None:
        """As `Taker.haul`."""
        count = move(self.shelf, self.offset)
        self.offset += count
        deliver(Hauled(count))


class Line:
    """What a hauler uses of a TCP transport: here it reads from a pipe."""

    def __init__(self, case: SynchronousTestCase) -> None:
        self._reader, self.origin = os.pipe2(os.O_NONBLOCK)
        case.addCleanup(os.close, self._reader)
        case.addCleanup(os.close, self.origin)
        self.connected = True
        self.reading = True
        self.plain_reads = 0
        self.marks: list[int] = []
        self.socket = SimpleNamespace(
            fileno=self.fileno, setsockopt=lambda *option: self.marks.append(option[2])
        )

    def fileno(self) -> int:
        """The descriptor."""
        return self._reader

    def doRead(self) -> None:
        """What the connection does where nothing is hauled."""
        self.plain_reads += 1

    def stopReading(self) -> None:
        """As `FileDescriptor.stopReading`."""
        self.reading = False

    def resumeProducing(self) -> None:
        """As `Connection.resumeProducing`."""
        self.reading = True


class HaulerTests(SynchronousTestCase):
    """When octets are hauled, and what happens to those that are not."""

    def setUp(self) -> None:
        """A connection, and a transfer that takes what it brings."""
        self.line = Line(self)
        self.clock = Clock()
        self.lanes = Lanes(self.clock)  # type: ignore[arg-type]
        self.came: list[int] = []
        self.hauler = Hauler(
            self.line,
            self.lanes,
            self.lanes.gear.splice,
            lambda octets: self.came.append(len(octets)),
        )
        self.shelf = Shelf()
        self.taker = Claimant(self.shelf)

    def test_hauled(self) -> None:
        """What is there goes to its place in the file, and the parser hears how much it was."""
        octets = os.urandom(WORTH)
        os.write(self.line.origin, octets)
        self.hauler.serve(self.taker)
        self.taker.offset = 7
        self.hauler.read()
        self.assertEqual((self.shelf.put, self.came), ([(7, octets)], [WORTH]))
        self.assertEqual((self.line.plain_reads, self.line.reading), (0, True))

    def test_nobody_takes(self) -> None:
        """Heads of answers, and bodies that nobody counts by length, are read as always."""
        os.write(self.line.origin, bytes(WORTH))
        self.hauler.read()
        self.hauler.serve(self.taker)
        self.hauler.serve(None)
        self.hauler.read()
        self.assertEqual((self.line.plain_reads, self.shelf.put), (2, []))

    def test_little_wanted(self) -> None:
        """The last octets of a body are not worth a haul, nor waited for."""
        self.taker.wants = WORTH - 1
        os.write(self.line.origin, bytes(WORTH))
        self.hauler.serve(self.taker)
        self.hauler.read()
        self.assertEqual((self.line.plain_reads, self.line.marks), (1, []))

    def test_no_more_than_wanted(self) -> None:
        """What follows the body in the stream stays in the socket."""
        self.taker.wants = WORTH
        os.set_blocking(self.line.origin, True)
        os.write(self.line.origin, bytes(WORTH))
        self.hauler.serve(self.taker)
        self.hauler.read()
        self.assertEqual(sum(len(octets) for _, octets in self.shelf.put), WORTH)

    def test_nothing_there(self) -> None:
        """A haul that moves nothing is followed by a plain read, which can tell why."""
        self.hauler.serve(self.taker)
        self.hauler.read()
        self.assertEqual((self.line.plain_reads, self.came), (0, [0]))
        self.hauler.read()
        self.assertEqual(self.line.plain_reads, 1)

    def test_paused(self) -> None:
        """A taker that wants a pause gets it after the haul."""
        os.write(self.line.origin, bytes(WORTH))
        self.hauler.serve(self.taker)
        self.taker.paused = True
        self.hauler.read()
        self.assertFalse(self.line.reading)

    def test_lost_meanwhile(self) -> None:
        """Where the connection has gone the parser has, too: it is told nothing."""
        os.write(self.line.origin, bytes(WORTH))
        self.hauler.serve(self.taker)
        self.line.connected = False
        self.hauler.read()
        self.assertEqual((self.came, len(self.shelf.put)), ([], 1))

    def test_slow_disk(self) -> None:
        """Where a piece takes long the haul ends with it, and others have their turn."""
        line, clock, shelf = self.line, self.clock, self.shelf

        class Slow(Shelf):
            """A disk that takes its time, while more comes."""

            seconds = 0.4 * LONGEST

            def splice(self, offset: int, pipe: int, count: int) -> int:
                clock.advance(self.seconds)
                os.write(line.origin, b"more")
                return shelf.splice(offset, pipe, count)

        os.write(line.origin, b"some")
        self.assertEqual(self.lanes.gear.splice(line.fileno(), Slow(), 0, MOST), 12)
        Slow.seconds = LONGEST
        self.assertEqual(self.lanes.gear.splice(line.fileno(), Slow(), 12, MOST), 4)
        self.assertEqual(shelf.put[-1], (12, b"more"))

    def test_full_disk(self) -> None:
        """Octets that a full disk did not take are in no later haul."""
        os.write(self.line.origin, b"a" * WORTH)
        self.shelf.full = True
        with self.assertRaises(NoSpace):
            self.lanes.gear.splice(self.line.fileno(), self.shelf, 0, MOST)
        self.shelf.full = False
        os.write(self.line.origin, b"b" * WORTH)
        self.lanes.gear.splice(self.line.fileno(), self.shelf, 0, MOST)
        self.assertEqual(self.shelf.put, [(0, b"b" * WORTH)])


class HauledTests(SynchronousTestCase):
    """The stand-in passes through the parser's own counting."""

    def parse(self, *pieces: bytes | Hauled, length: int) -> tuple[list[int], bytes]:
        """What a body of *length* octets is cut into, and what follows it."""
        lengths: list[int] = []
        rest: list[bytes] = []
        decoder = _IdentityTransferDecoder(length, lambda d: lengths.append(len(d)), rest.append)
        for piece in pieces:
            decoder.dataReceived(b"" + piece)  # type: ignore[arg-type, operator]
        return lengths, b"".join(r for r in rest if r)

    def test_counted(self) -> None:
        """It counts like octets of its length, up to the end of the body."""
        self.assertEqual(self.parse(b"abc", Hauled(5), b"de", length=10), ([3, 5, 2], b""))
        self.assertEqual(self.parse(b"abc", Hauled(7), length=10), ([3, 7], b""))

    def test_after_octets(self) -> None:
        """Octets that were read and not parsed yet would have to come first."""
        with self.assertRaises(TypeError):
            b"x" + Hauled(1)  # type: ignore[operator]


class MarkTests(SynchronousTestCase):
    """How much a socket is let gather, and for how long."""

    def setUp(self) -> None:
        """A connection with a body to come."""
        self.line = Line(self)
        self.clock = Clock()
        self.lanes = Lanes(self.clock)  # type: ignore[arg-type]
        self.hauler = Hauler(self.line, self.lanes, self.lanes.gear.splice, lambda _: None)
        self.hauler.serve(Claimant(Shelf()))

    def test_raised(self) -> None:
        """While much is wanted the kernel waits for much; then for anything."""
        self.hauler.serve(None)
        self.assertEqual([mark > 1 for mark in self.line.marks], [True, False])
        self.assertEqual(self.clock.getDelayedCalls() and self.clock.advance(1), None)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_inside(self) -> None:
        """Octets that have left the socket already are not waited for at the socket."""
        hauler = Hauler(self.line, self.lanes, self.lanes.gear.splice, lambda _: None, 1000)
        hauler.serve(Claimant(Shelf(), wants=WORTH + 1))
        self.assertEqual(self.line.marks[-1], WORTH + 1 - 1000)

    def test_slow(self) -> None:
        """Little that nothing follows is read soon all the same."""
        for _ in range(2):
            self.clock.advance(0.02)
        self.assertEqual(self.line.marks[-1], 1)
        self.hauler.read()
        self.assertGreater(self.line.marks[-1], 1)
