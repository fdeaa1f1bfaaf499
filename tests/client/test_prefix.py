"""Tests for `rangedaemon.client.prefix` and `rangedaemon.client.piececheck`: models."""

from __future__ import annotations

import hashlib
from typing import Any
from unittest import mock

from hypothesis import given, settings
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, ensureDeferred, maybeDeferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client import prefix as prefix_module
from rangedaemon.client.piececheck import MOST_TRIES, PieceCheck
from rangedaemon.client.prefix import PrefixDigest
from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.pieces import Pieces
from rangedaemon.errors import ChecksumMismatch, Fault, StorageFault
from tests.client.world import HandFired

SIZE = 400
STEP = 64


class Disk:
    """A part file in memory, read by a thread that the test lets run."""

    def __init__(self) -> None:
        self.octets = bytearray(SIZE)
        self.written = EMPTY
        self.threads = HandFired()
        self.read = 0

    def write(self, start: int, octets: bytes) -> ByteRange:
        """Put octets."""
        self.octets[start : start + len(octets)] = octets
        piece = ByteRange(start, start + len(octets))
        self.written = self.written.add(piece)
        return piece

    def lose(self, piece: ByteRange) -> None:
        """Octets do not count any more."""
        self.written = self.written.remove(piece)

    def hash_into(self, state: Any, start: int, stop: int) -> Deferred[None]:
        """As `Workfile.hash_into`."""
        self.read += stop - start
        return self.threads(lambda: state.update(bytes(self.octets[start:stop])))

    def fire(self) -> None:
        """Let the oldest work be done, where there is any."""
        if self.threads.waiting:
            self.threads.fire()


actions = st.lists(
    st.one_of(
        st.tuples(st.just("write"), st.integers(0, SIZE - 1), st.binary(min_size=1, max_size=99)),
        st.tuples(st.just("lose"), st.integers(0, SIZE - 1), st.integers(1, 99)),
        st.tuples(st.just("fire"), st.none(), st.none()),
        st.tuples(st.just("tick"), st.none(), st.none()),
    ),
    max_size=40,
)


class PrefixTests(SynchronousTestCase):
    """The digest of what is there in front."""

    def setUp(self) -> None:
        self.enterContext(mock.patch.multiple(prefix_module, STEP=STEP, LEAST_STEP=16))
        self.enterContext(mock.patch.object(prefix_module, "MOST_STATES", 4))

    def made(self, disk: Disk) -> PrefixDigest:
        """A digest that follows *disk*."""
        made = PrefixDigest("sha-256", disk.hash_into)
        made.written = lambda: disk.written
        return made

    def digest(self, disk: Disk, made: PrefixDigest) -> str | None:
        """The digest of the whole, with threads that do not wait any more."""
        disk.threads.release()
        return self.successResultOf(ensureDeferred(made.digest(SIZE, lambda: True)))

    @settings(deadline=None)
    @given(actions)
    def test_any_order(self, script: list[tuple[str, Any, Any]]) -> None:
        """Writes in any order, repeated, lost, while it hashes: the digest is the file's."""
        disk = Disk()
        made = self.made(disk)
        for action, where, what in script:
            if action == "write":
                piece = disk.write(where, what[: SIZE - where])
                made.touched(piece)
            elif action == "lose":
                piece = ByteRange(where, min(SIZE, where + what))
                disk.lose(piece)
                made.touched(piece)
            elif action == "fire":
                disk.fire()
            else:
                made.steps.go_on()
        for hole in disk.written.gaps(ByteRange(0, SIZE)):
            made.touched(disk.write(hole.start, b"\7" * len(hole)))
        self.assertEqual(self.digest(disk, made), hashlib.sha256(disk.octets).hexdigest())

    def test_overlaps_the_transfer(self) -> None:
        """What was hashed while it came is not read again at the end."""
        disk = Disk()
        made = self.made(disk)
        disk.threads.release()
        for start in range(0, SIZE, 50):
            made.touched(disk.write(start, b"x" * 50))
            made.steps.go_on()
        self.assertGreater(disk.read, SIZE - STEP)
        self.digest(disk, made)
        self.assertEqual(disk.read, SIZE)

    def test_goes_back_a_little(self) -> None:
        """Octets that are written again cost the steps behind them, not all of it."""
        disk = Disk()
        made = self.made(disk)
        disk.threads.release()
        made.touched(disk.write(0, bytes(SIZE)))
        made.steps.go_on()
        made.touched(disk.write(6 * STEP - 1, b"!"))
        self.digest(disk, made)
        self.assertLess(disk.read, SIZE + 3 * STEP)

    def test_told_to_stop(self) -> None:
        """Between two steps the job may be stopped."""
        disk = Disk()
        made = self.made(disk)
        disk.threads.release()
        disk.write(0, bytes(SIZE))
        left = [3]

        def go_on() -> bool:
            left[0] -= 1
            return left[0] > 0

        self.assertIsNone(self.successResultOf(ensureDeferred(made.digest(SIZE, go_on))))
        self.assertEqual(disk.read, 2 * STEP)

    def test_stop_waits_for_the_thread(self) -> None:
        """Nobody reads the file when `stop` has returned."""
        disk = Disk()
        made = self.made(disk)
        disk.write(0, bytes(SIZE))
        made.steps.go_on()
        stopped = ensureDeferred(made.steps.stop())
        self.assertNoResult(stopped)
        disk.fire()
        self.successResultOf(stopped)
        self.assertEqual(disk.threads.waiting, [])

    def test_broken_disk(self) -> None:
        """A fault of the disk comes out where the digest is wanted."""
        disk = Disk()
        disk.written = IntervalSet([ByteRange(0, SIZE)])

        def broken(*_args: object) -> Deferred[None]:
            return maybeDeferred(self.fault)

        made = PrefixDigest("sha-256", broken)
        made.written = lambda: disk.written
        made.steps.go_on()
        self.failureResultOf(ensureDeferred(made.digest(SIZE, lambda: True)), StorageFault)

    def fault(self) -> None:
        raise StorageFault("gone")


class PieceCheckTests(SynchronousTestCase):
    """Pieces as they become whole."""

    PIECE = 100

    def made(self, disk: Disk, content: bytes) -> tuple[PieceCheck, list[ByteRange]]:
        """A check against *content*, and the bad pieces that it finds."""
        parts = [content[at : at + self.PIECE] for at in range(0, SIZE, self.PIECE)]
        hashes = "".join(hashlib.sha256(part).hexdigest() for part in parts)
        made = PieceCheck(Pieces("sha-256", self.PIECE, hashes), SIZE, disk.hash_into)
        bad: list[ByteRange] = []

        def on_bad(piece: ByteRange, _again: bool) -> None:
            bad.append(piece)
            disk.lose(piece)
            made.touched(piece, disk.written)

        made.on_bad = on_bad
        return made, bad

    @settings(deadline=None)
    @given(actions)
    def test_any_order(self, script: list[tuple[str, Any, Any]]) -> None:
        """It says that all is proved exactly when every octet on the disk is right."""
        content = b"\7" * SIZE
        disk = Disk()
        made, _ = self.made(disk, content)
        for action, where, what in script:
            if action == "write":
                good = len(what) % 2
                octets = b"\7" * len(what) if good else what
                made.touched(disk.write(where, octets[: SIZE - where]), disk.written)
            elif action == "lose":
                piece = ByteRange(where, min(SIZE, where + what))
                disk.lose(piece)
                made.touched(piece, disk.written)
            elif action == "fire":
                disk.fire()
            self.assert_honest(made, disk, content)
        disk.threads.release()
        while made.steps.fault is None and (holes := disk.written.gaps(ByteRange(0, SIZE))):
            hole = next(iter(holes))
            made.touched(disk.write(hole.start, b"\7" * len(hole)), disk.written)
        self.assertTrue(made.proved or made.steps.fault is not None)
        self.assert_honest(made, disk, content)

    def assert_honest(self, made: PieceCheck, disk: Disk, content: bytes) -> None:
        if made.proved:
            self.assertEqual(bytes(disk.octets), content)
            self.assertTrue(disk.written.covers(ByteRange(0, SIZE)))

    def test_hopeless(self) -> None:
        """A piece that is bad again and again ends it, and the bad octets do not count."""
        disk = Disk()
        made, bad = self.made(disk, b"\7" * SIZE)
        faults: list[Fault] = []
        made.steps.on_fault = faults.append
        disk.threads.release()
        for _ in range(MOST_TRIES):
            made.touched(disk.write(100, bytes(100)), disk.written)
        self.assertEqual(bad, [ByteRange(100, 200)] * MOST_TRIES)
        self.assertEqual(disk.written, EMPTY)
        self.assertIsInstance(faults[0], ChecksumMismatch)
        self.failureResultOf(ensureDeferred(made.steps.idle()), ChecksumMismatch)
