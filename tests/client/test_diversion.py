"""Tests for `rangedaemon.client.diversion`: pipes stand in for the socket and for the file."""

from __future__ import annotations

import fcntl
import os
from types import SimpleNamespace

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.diversion import CAPACITY, PIPES_EACH, WORTH, Diverter, Pipe

F_SETPIPE_SZ = 1031


class Claimant:
    """A taker that wants everything, and writes down what happens to it."""

    def __init__(self) -> None:
        self.pipes: list[Pipe] = []
        self.relieved_times = 0

    def wanted(self) -> int:
        """As `Taker.wanted`."""
        return CAPACITY

    def piped(self, pipe: Pipe, _count: int) -> None:
        """As `Taker.piped`."""
        self.pipes.append(pipe)

    def relieved(self) -> None:
        """As `Taker.relieved`."""
        self.relieved_times += 1


class FullTests(SynchronousTestCase):
    """When the pipes have no room, and who hears that they have some again."""

    def setUp(self) -> None:
        """A connection that has octets to read."""
        self.line, self.origin = os.pipe2(os.O_NONBLOCK)
        self.addCleanup(os.close, self.line)
        self.addCleanup(os.close, self.origin)
        fcntl.fcntl(self.origin, F_SETPIPE_SZ, CAPACITY)
        protocol = SimpleNamespace(dataReceived=lambda octets: None)
        self.plain_reads = 0
        self.diverter = Diverter(
            SimpleNamespace(fileno=lambda: self.line, doRead=self.read_plainly, protocol=protocol)
        )
        self.addCleanup(self.close)
        self.taker = Claimant()
        self.diverter.taker = self.taker

    def read_plainly(self) -> None:
        """What the connection did if it were not diverted."""
        self.plain_reads += 1

    def close(self) -> None:
        """Let go of everything, whatever is in it."""
        self.diverter.close()
        for pipe in self.taker.pipes:
            pipe.close()

    def receive(self) -> None:
        """Octets come, and a thread begins to write them."""
        os.write(self.origin, bytes(WORTH))
        self.diverter.read()
        self.taker.pipes[-1].emptying = True

    def fill(self) -> None:
        """Octets come until all pipes wait for the disk."""
        for _ in range(PIPES_EACH):
            self.assertFalse(self.diverter.full)
            self.receive()

    def test_full(self) -> None:
        """It is full where each pipe waits to be emptied, and not before."""
        self.fill()
        self.assertTrue(self.diverter.full)
        self.assertEqual((len(set(self.taker.pipes)), self.plain_reads), (PIPES_EACH, 0))

    def test_room_in_the_latest(self) -> None:
        """A pipe that no thread has yet takes more of the same run: that is not full."""
        self.fill()
        self.taker.pipes[-1].emptying = False
        self.assertFalse(self.diverter.full)

    def test_emptied(self) -> None:
        """An emptied pipe is room again, and the taker hears of it."""
        self.fill()
        self.taker.pipes[0].emptied()
        self.assertEqual((self.diverter.full, self.taker.relieved_times), (False, 1))

    def test_emptied_for_the_next_taker(self) -> None:
        """Octets of the claim before are in the pipes: whoever waits now hears that they went."""
        self.fill()
        later = Claimant()
        self.diverter.taker = later
        self.taker.pipes[0].emptied()
        self.assertEqual((later.relieved_times, self.taker.relieved_times), (1, 0))

    def test_lost(self) -> None:
        """A pipe that was given up with what is in it is in nobody's way."""
        self.fill()
        self.taker.pipes[0].close()
        self.assertFalse(self.diverter.full)
