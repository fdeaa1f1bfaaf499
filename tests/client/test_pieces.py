"""Pieces of a file checked as they come, and bad ones fetched again."""

from __future__ import annotations

import hashlib
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import JobRecord, JobState, Verified
from rangedaemon.core.pieces import Pieces
from tests.client.scripted import Exchange, File, Script
from tests.client.world import URL, World

KIB = 1024
LENGTH = 16 * KIB
CONTENT = b"".join(n.to_bytes(4, "big") for n in range(60 * KIB))
"""15 pieces of 16 KiB."""
MIRROR = "http://mirror.test/file.bin"
BAD = 5
"""The piece that gets damaged in these tests."""


def pieces_of(content: bytes) -> Pieces:
    """What the pieces of *content* hash to."""
    parts = [content[at : at + LENGTH] for at in range(0, len(content), LENGTH)]
    return Pieces("sha-256", LENGTH, "".join(hashlib.sha256(p).hexdigest() for p in parts))


PIECES = pieces_of(CONTENT)


def damaging(served: File, times: int, at: int = BAD * LENGTH + 7) -> Script:
    """A script that damages the octet *at* the first *times* that it is sent."""
    left = [times]

    def script(exchange: Exchange) -> None:
        piece = served.begin(exchange)
        octets = bytearray(served.content[piece.start : piece.stop])
        if piece.start <= at < piece.stop and left[0]:
            left[0] -= 1
            octets[at - piece.start] ^= 0xFF
        exchange.send(bytes(octets))
        exchange.finish()

    return script


def unframed(first: bytes, then: File) -> Script:
    """A script whose first body is *first*, of a length that only its end tells."""
    answers = [first]

    def script(exchange: Exchange) -> None:
        if answers:
            exchange.answer(200, {"ETag": '"v1"'}, None).send(answers.pop()).finish()
        else:
            then(exchange)

    return script


THE_BAD = IntervalSet([ByteRange(BAD * LENGTH, (BAD + 1) * LENGTH)])


def asked_for_again(world: World, before: int) -> IntervalSet:
    """The octets that were asked for behind the first *before* requests."""
    return IntervalSet(x.range for x in world.origin.exchanges[before:] if x.range is not None)


class PieceTests(SynchronousTestCase):
    """One origin."""

    def assert_complete(self, world: World, record: JobRecord, refetched: int) -> None:
        """It is whole and right, and so many octets came twice."""
        self.assertEqual(record.state, JobState.COMPLETE, record.error)
        self.assertEqual(world.octets(), CONTENT)
        self.assertEqual((record.verified, record.refetched), (Verified.PIECES, refetched))

    def test_good(self) -> None:
        """Pieces that are all good prove the file."""
        world = World(self)
        world.origin.script = File(CONTENT)
        self.assert_complete(world, world.run(pieces=PIECES), 0)

    def test_body_without_length(self) -> None:
        """Pieces are checked also where only the end of the body tells how many there are."""
        for damaged in (False, True):
            with self.subTest(damaged=damaged):
                world = World(self)
                content = bytearray(CONTENT)
                content[BAD * LENGTH + 7] ^= 0xFF * damaged
                world.origin.script = unframed(bytes(content), File(CONTENT))
                self.assert_complete(world, world.run(pieces=PIECES), LENGTH * damaged)

    def test_bad_piece_in_a_body_without_length(self) -> None:
        """Where it is bad each time, the job says so, and there is no file."""
        world = World(self)
        bad = bytearray(CONTENT)
        bad[BAD * LENGTH + 7] ^= 0xFF
        world.origin.script = unframed(bytes(bad), File(bytes(bad)))
        record = world.run(pieces=PIECES)
        self.assertNotEqual(record.state, JobState.COMPLETE)
        self.assertNotIn("file.bin", world.names())

    def test_bad_piece_alone_comes_again(self) -> None:
        """Just the octets of the bad piece are asked for again."""
        world = World(self)
        world.origin.script = damaging(File(CONTENT), 1)
        self.assert_complete(world, world.run(pieces=PIECES, segments=1), LENGTH)
        self.assertEqual(asked_for_again(world, 1), THE_BAD)

    def test_short_last_piece(self) -> None:
        """The last piece may be shorter; its octets count like any others."""
        content = CONTENT[: 3 * LENGTH + 100]
        world = World(self)
        world.origin.script = damaging(File(content), 1, at=3 * LENGTH + 50)
        record = world.run(pieces=pieces_of(content))
        self.assertEqual((record.state, record.refetched), (JobState.COMPLETE, 100))
        self.assertEqual(world.octets(), content)

    def test_never_good(self) -> None:
        """A piece that is bad again and again ends the job; no file gets its name."""
        world = World(self)
        world.origin.script = damaging(File(CONTENT), 1 << 30)
        record = world.run(pieces=PIECES)
        assert record.error is not None
        self.assertEqual((record.state, record.error.code), (JobState.FAILED, "checksum-mismatch"))
        self.assertIn(f"octets {BAD * LENGTH}-{(BAD + 1) * LENGTH - 1}", record.error.message)
        self.assertEqual(world.names(), ["file.bin.part"])
        self.assertEqual(record.refetched, 4 * LENGTH)
        self.assertFalse(
            record.covered.covers(ByteRange(BAD * LENGTH, (BAD + 1) * LENGTH)),
            "the journal claims octets that are bad",
        )

    def test_retry_after_that(self) -> None:
        """What was good stays; the bad piece is all that a later try fetches."""
        world = World(self)
        world.origin.script = damaging(File(CONTENT), 1 << 30)
        record = world.run(pieces=PIECES)
        before = len(world.origin.exchanges)
        world.origin.script = File(CONTENT)
        record = world.run(world.again(record))
        self.assertEqual(record.state, JobState.COMPLETE)
        self.assertEqual(world.octets(), CONTENT)
        self.assertEqual(asked_for_again(world, before), THE_BAD)

    def test_without_ranges(self) -> None:
        """Where there are no ranges, everything comes again until the piece is good."""
        world = World(self)
        served = File(CONTENT, ranges=False)
        left = [1]

        def script(exchange: Exchange) -> None:
            served.begin(exchange)
            octets = bytearray(CONTENT)
            if left[0]:
                left[0] -= 1
                octets[BAD * LENGTH] ^= 1
            exchange.send(bytes(octets))
            exchange.finish()

        world.origin.script = script
        record = world.run(pieces=PIECES)
        self.assertEqual((record.state, record.verified), (JobState.COMPLETE, Verified.PIECES))
        self.assertEqual(world.octets(), CONTENT)

    def test_resumed_octets_are_checked(self) -> None:
        """What an earlier run left is checked too; nobody is to blame for it."""
        world = World(self)
        damaged = bytearray(CONTENT)
        damaged[BAD * LENGTH] ^= 1
        world.origin.script = File(bytes(damaged)).up_to(9 * LENGTH)
        record = world.run()
        self.assertEqual(record.state, JobState.WAITING)
        had = record.covered
        self.assertTrue(had.covers(ByteRange(0, 9 * LENGTH)))
        world.origin.script = File(CONTENT)
        again = replace(world.again(record), spec=replace(record.spec, pieces=PIECES))
        self.assert_complete(world, world.run(again), LENGTH)

    def test_whole_part_file_is_checked(self) -> None:
        """A job of which every octet is there asks for the bad piece and nothing else."""
        world = World(self)
        world.origin.script = damaging(File(CONTENT), 1)
        record = world.run(checksum=f"sha-256={'0' * 64}", filename="x.bin")
        self.assertEqual(record.state, JobState.FAILED)
        record = self.left_whole(world)
        before = len(world.origin.exchanges)
        world.origin.script = File(CONTENT)
        self.assert_complete(world, world.run(record), LENGTH)
        self.assertEqual(asked_for_again(world, before), THE_BAD)

    def left_whole(self, world: World) -> JobRecord:
        """A job whose octets are all there, one of them damaged, and not verified yet."""
        damaged = bytearray(CONTENT)
        damaged[BAD * LENGTH] ^= 1
        world.origin.script = File(bytes(damaged)).up_to(9 * LENGTH)
        record = world.run()
        part = world.directory / "file.bin.part"
        part.write_bytes(bytes(damaged))
        return replace(
            world.again(record),
            covered=IntervalSet([ByteRange(0, len(CONTENT))]),
            spec=replace(record.spec, pieces=PIECES),
        )

    def test_pieces_of_another_file(self) -> None:
        """Pieces that do not fit the length prove nothing and hinder nothing."""
        world = World(self)
        world.origin.script = File(CONTENT)
        record = world.run(pieces=pieces_of(CONTENT + bytes(LENGTH)))
        self.assertEqual((record.state, record.verified), (JobState.COMPLETE, Verified.LENGTH))

    def test_with_checksum(self) -> None:
        """Pieces find what is bad, the checksum proves the whole."""
        world = World(self)
        world.origin.script = damaging(File(CONTENT), 1)
        checksum = f"sha-256={hashlib.sha256(CONTENT).hexdigest()}"
        record = world.run(pieces=PIECES, checksum=checksum)
        self.assertEqual((record.state, record.verified), (JobState.COMPLETE, Verified.CHECKSUM))
        self.assertEqual((record.refetched, world.octets()), (LENGTH, CONTENT))


class MirrorTests(SynchronousTestCase):
    """A bad piece comes from somebody else."""

    def run_job(self, times: int) -> tuple[World, JobRecord]:
        """A job with a mirror, whose first address damages a piece *times* times."""
        world = World(self, connections_per_host=1)
        bad = damaging(File(CONTENT), times)
        mirror = File(CONTENT, etag='"mirror"')
        world.origin.script = lambda x: mirror(x) if x.url == MIRROR else bad(x)
        job, ended = world.start(pieces=PIECES, urls=(URL, MIRROR))
        world.pass_time(20)
        self.successResultOf(ended)
        return world, job.record

    def test_complete(self) -> None:
        """Whatever the first address sends, the mirror has the right octets."""
        world, record = self.run_job(1 << 30)
        self.assertEqual(record.state, JobState.COMPLETE, record.error)
        self.assertEqual(world.octets(), CONTENT)
        self.assertIn(MIRROR, {x.url for x in world.origin.exchanges})
