"""Tests for `rangedaemon.storage.writebehind`."""

from __future__ import annotations

from threading import Event, get_ident

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.errors import NoSpace
from rangedaemon.storage.writebehind import ROOM, ROOMS, WriteBehind

LONG = 30
"""Seconds after which a test that waits has failed."""


class WriteBehindTests(SynchronousTestCase):
    """Who writes what, when, and who waits for it."""

    def setUp(self) -> None:
        """A disk that may be slow, or full."""
        self.behind = WriteBehind()
        self.put: dict[int, bytes] = {}
        self.threads: set[int] = set()
        self.ready = Event()
        self.ready.set()
        self.full_at: set[int] = set()
        self.addCleanup(self.ready.set)

    def write(self, offset: int, blocks: list[memoryview]) -> int:
        """As `Store.write`."""
        assert self.ready.wait(LONG)
        if offset in self.full_at:
            raise NoSpace(f"full at {offset}")
        self.threads.add(get_ident())
        self.put[offset] = b"".join(blocks)
        return len(self.put[offset])

    def read(self, offset: int, octets: bytes, *, more: bool = True) -> None:
        """Read *octets* into a room, and have them written at *offset*."""
        room = self.behind.room()[: len(octets)]
        room[:] = octets
        self.behind.write(self.write, offset, room, more=more)

    def test_written(self) -> None:
        """What was in each of the rooms comes to its place, by another thread."""
        for number in range(3 * ROOMS):
            self.read(number, bytes([number]) * 10)
        self.behind.finish()
        self.assertEqual(self.put, {n: bytes([n]) * 10 for n in range(3 * ROOMS)})
        self.assertNotIn(get_ident(), self.threads)

    def test_large(self) -> None:
        """A room holds a large block."""
        self.assertEqual(len(self.behind.room()), ROOM)

    def test_meanwhile(self) -> None:
        """While the disk is busy there is room for more, and nothing of it is overwritten."""
        self.ready.clear()
        for number in range(ROOMS):
            self.read(number, bytes([number]) * 10)
        self.assertEqual(self.put, {})
        self.ready.set()
        self.behind.finish()
        self.assertEqual(self.put, {n: bytes([n]) * 10 for n in range(ROOMS)})

    def test_nothing_more(self) -> None:
        """Where there is nothing to read meanwhile the reader writes, and loses no time."""
        self.read(0, b"x", more=False)
        self.assertEqual((self.put, self.threads), ({0: b"x"}, {get_ident()}))

    def test_full(self) -> None:
        """The first fault is told, when all has ended."""
        self.full_at = {1, 2}
        for number in range(ROOMS):
            self.read(number, b"x")
        with self.assertRaisesRegex(NoSpace, "full at 1"):
            self.behind.finish()
        self.assertEqual(sorted(self.put), [0, 3])

    def test_full_on_the_way(self) -> None:
        """Who asks for the room in which octets are that could not be written is told, too."""
        self.full_at = {0}
        for number in range(ROOMS):
            self.read(number, b"x")
        with self.assertRaises(NoSpace):
            self.behind.room()
        self.behind.finish()
        self.assertEqual(sorted(self.put), [1, 2, 3])

    def test_again(self) -> None:
        """After a fault it can be used for another file."""
        self.full_at = {0}
        self.read(0, b"x")
        with self.assertRaises(NoSpace):
            self.behind.finish()
        for number in range(1, 2 * ROOMS):
            self.read(number, bytes([number]))
        self.behind.finish()
        self.assertEqual(self.put, {n: bytes([n]) for n in range(1, 2 * ROOMS)})
