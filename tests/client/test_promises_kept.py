"""What origins promise of their octets, and what becomes of jobs where it is not so."""

from __future__ import annotations

import hashlib
from base64 import b64encode
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.jobs import JobState, Verified
from tests.client.scripted import Exchange, File, Script
from tests.client.world import World

KIB = 1024
CONTENT = b"".join(n.to_bytes(4, "big") for n in range(64 * KIB))
OTHER = CONTENT[:-1] + b"!"


def structured(octets: bytes, algorithm: str = "sha-256") -> str:
    """A field of RFC 9530."""
    digest = hashlib.new(algorithm.replace("-", ""), octets).digest()
    return f"{algorithm}=:{b64encode(digest).decode()}:"


class WholeDigestTests(SynchronousTestCase):
    """``Repr-Digest`` and its forerunners."""

    def test_kept(self) -> None:
        """The proof is named, with the digest that was checked."""
        world = World(self)
        world.origin.script = File(CONTENT, extra={"Repr-Digest": structured(CONTENT)})
        record = world.run()
        self.assertEqual(
            (record.state, record.verified, record.digest),
            (
                JobState.COMPLETE,
                Verified.REPR_DIGEST,
                f"sha-256={hashlib.sha256(CONTENT).hexdigest()}",
            ),
        )

    def test_asked_for(self) -> None:
        """The first request says that a digest is welcome; none where a checksum is known."""
        for wishes, expected in (
            ({}, "sha-256=10, sha-512=3"),
            ({"checksum": f"sha-256={hashlib.sha256(CONTENT).hexdigest()}"}, None),
        ):
            world = World(self)
            world.origin.script = File(CONTENT)
            world.run(**wishes)
            self.assertEqual(world.origin.exchanges[0].asked("Want-Repr-Digest"), expected)

    def test_broken(self) -> None:
        """Octets that are not what the origin itself promised get no final name."""
        world = World(self)
        world.origin.script = File(OTHER, extra={"Repr-Digest": structured(CONTENT)})
        record = world.run()
        self.assertEqual(record.state, JobState.FAILED)
        assert record.error is not None
        self.assertEqual(record.error.code, "checksum-mismatch")
        self.assertIn("the origin promised", record.error.message)
        self.assertEqual(world.names(), ["file.bin.part"])

    def test_checksum_goes_first(self) -> None:
        """What the user knows counts more than what the origin says."""
        world = World(self)
        world.origin.script = File(CONTENT, extra={"Repr-Digest": structured(OTHER)})
        record = world.run(checksum=f"md5={hashlib.md5(CONTENT).hexdigest()}")
        self.assertEqual((record.state, record.verified), (JobState.COMPLETE, Verified.CHECKSUM))

    def test_legacy_of_a_whole_answer(self) -> None:
        """``Digest`` and ``Content-MD5`` of a 200 are checked too."""
        sha = b64encode(hashlib.sha256(CONTENT).digest()).decode()
        md5 = b64encode(hashlib.md5(OTHER).digest()).decode()
        table = {
            ("Digest", f"SHA-256={sha}"): JobState.COMPLETE,
            ("Content-MD5", md5): JobState.FAILED,
        }
        for (name, value), state in table.items():
            world = World(self)
            world.origin.script = File(CONTENT, ranges=False, extra={name: value})
            self.assertEqual(world.run().state, state, name)

    def test_joins_where_no_validator_does(self) -> None:
        """The same promise in every answer joins parts that have no other validator."""
        world = World(self)
        served = File(CONTENT, etag=None, extra={"Repr-Digest": structured(CONTENT)})
        world.origin.script = served.up_to(100 * KIB)
        record = world.run()
        self.assertEqual(record.state, JobState.WAITING)
        self.assertGreaterEqual(record.covered.total, 100 * KIB)
        world.origin.script = served
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.refetched), (JobState.COMPLETE, 0))
        self.assertEqual(world.octets(), CONTENT)

    def test_another_promise_is_another_file(self) -> None:
        """A new digest under the old tag: what came of the old file goes, none of it stays."""
        world = World(self)
        first = File(CONTENT, extra={"Repr-Digest": structured(CONTENT)})
        record = world.run_cut(first, 100 * KIB)
        had = record.covered.total
        world.origin.script = File(OTHER, extra={"Repr-Digest": structured(OTHER)})
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 1))
        self.assertEqual(record.refetched, had)
        self.assertEqual(world.octets(), OTHER)

    def test_promise_alone_joins_nothing_unseen(self) -> None:
        """On a resume, an answer that says nothing any more is proved by its octets."""
        world = World(self)
        first = File(CONTENT, etag=None, extra={"Repr-Digest": structured(CONTENT)})
        record = world.run_cut(first, 100 * KIB)
        before = len(world.origin.exchanges)
        world.origin.script = File(bytes(len(CONTENT)), etag=None)
        record = world.run(world.again(record))
        self.assertEqual(record.changes, 1)
        self.assertGreater(len(world.origin.exchanges), before + 1)
        self.assertEqual(world.octets(), bytes(len(CONTENT)))


class Parts(File):
    """An origin that tells the digest of each part."""

    def told(self, piece: ByteRange) -> dict[str, str]:
        """The fields of this very part."""
        return {"Content-Digest": structured(self.content[piece.start : piece.stop])}


def corrupting(served: File, times: int) -> tuple[list[int], Script]:
    """A script that damages an octet of the first *times* answers, and what it damaged."""
    damaged: list[int] = []

    def script(exchange: Exchange) -> None:
        piece = served.begin(exchange)
        octets = bytearray(served.content[piece.start : piece.stop])
        if len(damaged) < times and octets:
            damaged.append(len(octets))
            octets[len(octets) // 2] ^= 0xFF
        exchange.send(bytes(octets))
        exchange.finish()

    return damaged, script


class ContentDigestTests(SynchronousTestCase):
    """``Content-Digest`` of each part."""

    def served(self, world: World, times: int) -> list[int]:
        """An origin that tells each part's digest, and damages the first *times* parts."""
        damaged, script = corrupting(Parts(CONTENT), times)
        world.origin.script = script
        return damaged

    def test_parts_as_promised(self) -> None:
        """Parts as promised are kept, each once."""
        world = World(self)
        self.served(world, 0)
        record = world.run(segments=4)
        self.assertEqual((record.state, record.refetched), (JobState.COMPLETE, 0))
        self.assertEqual(world.octets(), CONTENT)

    def test_bad_part_comes_again(self) -> None:
        """A damaged part is fetched again, it alone, and counted."""
        world = World(self)
        world.origin.script = Parts(CONTENT).up_to(100 * KIB)
        record = world.run()
        self.assertEqual(record.covered.total, 100 * KIB)
        damaged = self.served(world, 1)
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.refetched), (JobState.COMPLETE, damaged[0]))
        self.assertEqual(world.octets(), CONTENT)

    def test_octets_do_not_count_before_they_are_judged(self) -> None:
        """No checkpoint claims octets of a part whose digest is not checked yet."""
        world = World(self)
        world.origin.script = Parts(CONTENT).up_to(100 * KIB)
        record = world.run()
        world.origin.script = Parts(CONTENT).up_to(1 * KIB, lambda _exchange: None)
        alone = replace(world.again(record), spec=replace(record.spec, segments=1))
        job, ended = world.start(alone)
        world.pass_time(3)
        self.assertEqual(job.record.covered.total, 100 * KIB)
        world.origin.script = Parts(CONTENT)
        for exchange in list(world.origin.open_exchanges()):
            piece = exchange.range
            assert piece is not None
            exchange.send(CONTENT[piece.start + 1 * KIB : piece.stop])
            exchange.finish()
        world.pass_time(3)
        self.successResultOf(ended)
        self.assertEqual((job.record.state, job.record.refetched), (JobState.COMPLETE, 0))
        self.assertEqual(world.octets(), CONTENT)

    def test_cut_part_stays(self) -> None:
        """A part that breaks off cannot be judged: its octets stay, as of any other origin."""
        world = World(self)
        world.origin.script = Parts(CONTENT).up_to(100 * KIB)
        record = world.run()
        world.origin.script = Parts(CONTENT).up_to(50 * KIB)
        record = world.run(world.again(record))
        self.assertGreaterEqual(record.covered.total, 150 * KIB)
        self.assertEqual(record.refetched, 0)

    def test_always_bad(self) -> None:
        """An origin whose every part is damaged is asked a few times, then the job waits."""
        world = World(self, attempts=5)
        world.origin.script = Parts(CONTENT).up_to(100 * KIB)
        record = world.run(segments=2)
        damaged = self.served(world, 1 << 30)
        record = world.run(world.again(record))
        self.assertEqual(record.state, JobState.WAITING)
        assert record.error is not None
        self.assertEqual(record.error.code, "bad-response")
        self.assertIn("Content-Digest", record.error.message)
        self.assertLess(len(damaged), 10)
        self.assertEqual(record.covered.total, 100 * KIB)
