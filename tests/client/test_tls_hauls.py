"""Tests for `rangedaemon.client.tls`: bodies that are decrypted in a lane."""

from __future__ import annotations

import os
from collections.abc import Callable

from twisted.internet.error import ConnectionDone

from rangedaemon.client.tls import Link
from rangedaemon.errors import NoSpace
from rangedaemon.storage.lanes import LONGEST, MOST, Hauled, Store
from tests.client.tlswire import LinkCase


class Shelf:
    """A store that keeps what it is given."""

    def __init__(self) -> None:
        self.put: list[tuple[int, bytes]] = []
        self.before: Callable[[], None] = lambda: None
        """Called before anything is put."""

    def write(self, offset: int, blocks: list[memoryview]) -> int:
        """As `Store.write`."""
        self.before()
        self.put.append((offset, b"".join(blocks)))
        return len(self.put[-1][1])


class HaulTests(LinkCase):
    """Octets that are decrypted in a lane, straight into the file."""

    def setUp(self) -> None:
        """A store to haul into."""
        super().setUp()
        self.shelf = Shelf()

    def haul(self, link: Link, most: int = MOST) -> int:
        """One haul."""
        store: Store = self.shelf  # type: ignore[assignment]
        return link._haul(-1, store, 7, most)

    def test_hauled(self) -> None:
        """What the socket has is decrypted and put in its place."""
        link, octets = self.connected(), os.urandom(40_000)
        self.server.say(octets)
        self.assertEqual(self.haul(link), 40_000)
        self.assertEqual(self.shelf.put, [(7, octets)])

    def test_as_it_comes(self) -> None:
        """What comes while there is something to put away belongs to the same haul."""
        link, octets = self.connected(), os.urandom(90_000)
        pieces = [octets[:30_000], octets[30_000:60_000], octets[60_000:]]

        def more() -> None:
            if pieces:
                self.server.say(pieces.pop(0))

        self.shelf.before = more
        self.server.say(pieces.pop(0))
        self.assertEqual(self.haul(link), 90_000)
        self.assertEqual(self.shelf.put[-1], (60_007, octets[60_000:]))
        self.assertEqual(b"".join(put for _, put in self.shelf.put), octets)

    def test_slow_disk(self) -> None:
        """Where the disk takes long the haul ends, and others have their turn."""
        link = self.connected()

        def slow() -> None:
            self.reactor.advance(LONGEST)
            self.server.say(b"more")

        self.shelf.before = slow
        self.server.say(b"some")
        self.assertEqual(self.haul(link), 4)
        self.turns()
        self.assertEqual(self.above.octets, b"more")

    def test_parts_of_records(self) -> None:
        """A record that is not whole yet waits for its rest, in whichever way that comes."""
        link, octets = self.connected(), os.urandom(40_000)
        records = self.server.records(octets)
        self.server.send(records[:30_000])
        count = self.haul(link)
        self.assertEqual(self.shelf.put, [(7, octets[:count])])
        self.server.send(records[30_000:])
        self.turns()
        self.assertEqual(self.above.octets, octets[count:])

    def test_no_more_than_asked(self) -> None:
        """A haul reads no octets that it could not put away: the next answer stays where it is."""
        link, octets = self.connected(), os.urandom(40_000)
        self.server.say(octets + b"HTTP/1.1 200 OK")
        count = self.haul(link, 40_000)
        self.assertLessEqual(count, 40_000)
        self.turns()
        self.assertEqual(octets[:count] + self.above.octets, octets + b"HTTP/1.1 200 OK")

    def test_told(self) -> None:
        """The parser hears of what was hauled."""
        link = self.connected()
        link._hauled(Hauled(5))
        self.assertEqual([len(heard) for heard in self.above.heard], [5])
        self.assertFalse(self.gone)

    def test_full_disk(self) -> None:
        """A disk that takes nothing is the fault of the haul."""
        link = self.connected()

        def full() -> None:
            raise NoSpace("full")

        self.shelf.before = full
        self.server.say(bytes(40_000))
        with self.assertRaises(NoSpace):
            self.haul(link)

    def test_forged(self) -> None:
        """Octets that are not the peer's are put nowhere, and end the connection."""
        link = self.connected()
        forged = bytearray(self.server.records(b"true") + self.server.records(b"x" * 1000))
        forged[-100] ^= 1
        self.server.send(bytes(forged))
        self.assertEqual((self.haul(link), self.shelf.put), (4, [(7, b"true")]))
        link._hauled(Hauled(4))
        self.turns()
        self.assertEqual((len(self.above.heard), self.gone), (1, True))
        self.assertNotIsInstance(self.above.lost, ConnectionDone)

    def test_goodbye(self) -> None:
        """A goodbye that a lane hears is heeded."""
        link = self.connected()
        self.server.send(self.server.records(b"so long") + self.server.goodbye())
        self.assertEqual(self.haul(link), 7)
        link._hauled(Hauled(7))
        self.turns()
        self.assertIsInstance(self.above.lost, ConnectionDone)

    def test_cut(self) -> None:
        """So is an end without one."""
        link = self.connected()
        self.server.say(b"and then")
        self.server.line.close()
        self.assertEqual(self.haul(link), 8)
        link._hauled(Hauled(8))
        self.turns()
        self.assertTrue(self.gone)
        self.assertNotIsInstance(self.above.lost, ConnectionDone)

    def test_closed_meanwhile(self) -> None:
        """Where the reactor closes the connection while a lane is at it, the lane is done."""
        link = self.connected()
        self.shelf.before = self.hang_up
        self.server.say(b"x" * 40_000)
        self.assertEqual(self.haul(link), 40_000)
        self.assertTrue(self.gone)
        self.assertEqual(self.haul(link), 0)
