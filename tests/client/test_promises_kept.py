"""What origins promise of their octets, and what becomes of jobs where it is not so."""

from __future__ import annotations

import hashlib
from base64 import b64encode

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobState, Verified
from tests.client.scripted import Exchange, File
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


def corrupting(served: File, times: int) -> tuple[list[int], object]:
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
