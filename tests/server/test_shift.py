"""Tests for `rangedaemon.server.shift`: how long a thread stays with one socket."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.server import shift
from rangedaemon.server.shift import Slots, send_for_a_while

_SIZE = 3000


class SlotsTests(SynchronousTestCase):
    """Who may begin."""

    def test_as_many_as_there_are(self) -> None:
        """One who is refused is wanted, until one begins."""
        slots = Slots(1)
        self.assertTrue(slots.free())
        with slots.taken():
            self.assertFalse(slots.wanted)
            self.assertFalse(slots.free())
            self.assertTrue(slots.wanted)
        with slots.taken():
            self.assertFalse(slots.wanted)
        self.assertTrue(slots.free())
        self.assertFalse(slots.wanted)


class ShiftTests(SynchronousTestCase):
    """One shift."""

    def setUp(self) -> None:
        """A file, a socket to send it to, and a clock that goes on by a tenth at each look."""
        path = Path(self.mktemp())
        path.write_bytes(os.urandom(_SIZE))
        self.octets = path.read_bytes()
        self.file = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.file)
        self.ours, self.peer = socket.socketpair()
        self.addCleanup(self.ours.close)
        self.addCleanup(self.peer.close)
        self.ours.setblocking(False)
        self.patch(shift, "_MOST_AT_ONCE", 100)
        ticks: Iterator[int] = iter(range(_SIZE))
        self.patch(shift, "time", SimpleNamespace(monotonic=lambda: next(ticks) / 10))

    def send(self, *, over: bool = False, wanted: bool = False) -> tuple[int, bool]:
        """A shift from the beginning."""
        return send_for_a_while(
            self.ours.fileno(), self.file, 0, _SIZE, over=lambda: over, wanted=lambda: wanted
        )

    def test_alone(self) -> None:
        """It lasts a second where nobody else wants one, and says that it may go on."""
        self.assertEqual(self.send(), (1000, True))
        self.assertEqual(self.peer.recv(_SIZE), self.octets[:1000])

    def test_others(self) -> None:
        """It lasts a tenth of one where somebody does."""
        self.assertEqual(self.send(wanted=True), (100, True))

    def test_over(self) -> None:
        """Nothing is sent on a connection that is to end."""
        self.assertEqual(self.send(over=True), (0, False))

    def test_gone(self) -> None:
        """A peer that has gone is for the usual way to find out about."""
        self.peer.close()
        self.assertEqual(self.send(), (0, False))

    def test_to_the_end(self) -> None:
        """What fits goes at once."""
        self.patch(shift, "_MOST_AT_ONCE", _SIZE)
        self.assertEqual(self.send(), (_SIZE, True))
        self.assertEqual(self.peer.recv(_SIZE), self.octets)

    def test_full(self) -> None:
        """One that takes no more is left to the usual way, sooner where somebody else waits."""
        self.ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        self.patch(shift, "_MOST_AT_ONCE", 1 << 20)
        with Path(self.mktemp()).open("w+b") as large:
            large.truncate(1 << 20)
            waits: list[int] = []
            self.patch(shift, "select", SimpleNamespace(POLLOUT=4, poll=lambda: Room(waits)))
            for wanted in (False, True):
                reached, goes_on = send_for_a_while(
                    self.ours.fileno(), large.fileno(), 0, 1 << 20,
                    over=lambda: False, wanted=lambda wanted=wanted: wanted,
                )  # fmt: skip
                self.assertLess(reached, 1 << 20)
                self.assertFalse(goes_on)
        self.assertEqual(waits, [100, 20])


class Room:
    """A poll that notes how long it was to wait, and finds nothing."""

    def __init__(self, waits: list[int]) -> None:
        self.waits = waits

    def register(self, _socket: int, _event: int) -> None:
        """Fine."""

    def poll(self, milliseconds: int) -> list[tuple[int, int]]:
        """Nothing."""
        self.waits.append(milliseconds)
        return []
