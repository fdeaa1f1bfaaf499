"""Origins whose nodes have different files: a body is tied to the disk by octets of its own."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client import sources
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import JobRecord, JobState, OnChange
from rangedaemon.core.overlap import END_OCTETS, MOST_BEFORE, TIE_OCTETS
from tests.client.scripted import FULL, HOUR_LATER, Exchange, File, Script
from tests.client.world import World

KIB = 1024
MIB = 1024 * KIB
OURS = os.urandom(3 * MIB)
THEIRS = bytes(255 - octet for octet in OURS)
HALF = MIB
BARE = {"etag": None, "modified": None}

NO_VALIDATORS: list[dict[str, str | None]] = [
    {"etag": None},
    {"etag": 'W/"1"'},
    {"etag": None, "modified": FULL, "date": FULL},
]


def samples_from(node: File, rest: Script) -> Script:
    """*node* answers small ranges, *rest* all others."""

    def script(exchange: Exchange) -> None:
        asked = exchange.range
        small = asked is not None and len(asked) <= END_OCTETS
        (node if small else rest)(exchange)

    return script


class JoinedBodyTests(SynchronousTestCase):
    """A job that was cut where no strong validator could tie the rest to it."""

    def cut(self, fields: dict[str, str | None], **wishes: object) -> tuple[World, JobRecord]:
        world = World(self)
        record = world.run_cut(replace(File(OURS), **fields), HALF, **wishes)  # type: ignore[arg-type]
        self.assertEqual(record.covered.to_pairs(), [(0, HALF)])
        world.origin.exchanges.clear()
        return world, record

    def test_samples_of_one_node_and_the_body_of_another(self) -> None:
        """The octets before the hole come with the body, and they are others: begin again."""
        for fields in NO_VALIDATORS:
            with self.subTest(fields=fields):
                world, record = self.cut(fields)
                ours = replace(File(OURS), **fields)  # type: ignore[arg-type]
                theirs = replace(File(THEIRS), **fields)  # type: ignore[arg-type]
                world.origin.script = samples_from(ours, theirs)
                record = world.run(world.again(record))
                self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 1))
                self.assertEqual(world.octets(), THEIRS)

    def test_policy_fail(self) -> None:
        """Nothing of the other file is kept, and the job says that it changed."""
        world, record = self.cut({"etag": None}, on_change=OnChange.FAIL)
        other = File(THEIRS, etag=None)
        world.origin.script = samples_from(File(OURS, etag=None), other)
        record = world.run(world.again(record))
        self.assertEqual(record.error.code if record.error else None, "changed")
        self.assertEqual(record.covered.to_pairs(), [(0, HALF)])
        self.assertEqual(world.octets("file.bin.part")[:HALF], OURS[:HALF])

    def test_same_file(self) -> None:
        """It goes on: what is fetched twice are the samples and the tie, no more."""
        for fields in NO_VALIDATORS:
            with self.subTest(fields=fields):
                world, record = self.cut(fields)
                world.origin.script = replace(File(OURS), **fields)  # type: ignore[arg-type]
                record = world.run(world.again(record))
                self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 0))
                self.assertEqual((world.octets(), record.refetched), (OURS, 0))
                self.assertEqual(world.origin.ranges[-1], (HALF - TIE_OCTETS, len(OURS)))
                self.assertTrue(all(x.asked("If-Range") is None for x in world.origin.exchanges))

    def test_tag_that_moved_alone(self) -> None:
        """Another node's tag on the same octets is adopted, tied by the body that it came with."""
        world, record = self.cut({"etag": '"a"'})
        world.origin.script = File(OURS, etag='"b"')
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 0))
        self.assertEqual((world.octets(), record.remembered.etag), (OURS, '"b"'))

    def test_tag_that_moved_with_the_octets(self) -> None:
        """Samples from the old node, the body from the new one: that tag is not adopted."""
        world, record = self.cut({"etag": '"a"'})
        new = File(THEIRS, etag='"b"')
        world.origin.script = samples_from(File(OURS, etag='"a"'), new)
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 1))
        self.assertEqual(world.octets(), THEIRS)

    def test_answer_that_ends_early(self) -> None:
        """A node that sends only octets that are there already brings nothing."""
        world, record = self.cut({"etag": None})

        def short(exchange: Exchange) -> None:
            asked = exchange.range
            if asked is not None and len(asked) > END_OCTETS:
                exchange.headers.setRawHeaders("Range", [f"bytes={asked.start}-{asked.start + 9}"])
            File(OURS, etag=None)(exchange)

        world.origin.script = short
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (JobState.WAITING, 0))
        self.assertEqual(record.covered.to_pairs(), [(0, HALF)])


class UnknownLengthTests(SynchronousTestCase):
    """A stream without a length was killed after its last octet, before its end."""

    def cut(self, served: File, **wishes: object) -> tuple[World, JobRecord]:
        world = World(self)

        def script(exchange: Exchange) -> None:
            exchange.answer(200, served.fields(), None).send(served.content).break_off()

        world.origin.script = script
        record = world.run(**wishes)
        self.assertEqual(record.covered.to_pairs(), [(0, len(served.content))])
        self.assertIsNone(record.size)
        world.origin.exchanges.clear()
        return world, record

    def test_all_is_there(self) -> None:
        """The origin tells the length now: the octets prove it, none is fetched for nothing."""
        digest = "sha-256=" + hashlib.sha256(OURS).hexdigest()
        for fields in (*NO_VALIDATORS, {"etag": '"1"'}):
            for checksum in (None, digest):
                with self.subTest(fields=fields, checksum=checksum):
                    served = replace(File(OURS), **fields)  # type: ignore[arg-type]
                    world, record = self.cut(served, checksum=checksum)
                    world.origin.script = served
                    record = world.run(world.again(record))
                    self.assertEqual((record.state, record.refetched), (JobState.COMPLETE, 0))
                    self.assertEqual(world.octets(), OURS)

    def test_shorter_now(self) -> None:
        """A file that ends before what is there is another one."""
        world, record = self.cut(File(OURS))
        world.origin.script = File(THEIRS[:MIB], etag='"2"')
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 1))
        self.assertEqual(world.octets(), THEIRS[:MIB])


class LostBeginningTests(SynchronousTestCase):
    """The first octets of a part file were damaged while nobody looked."""

    def damaged(self, count: int) -> tuple[World, JobRecord]:
        world = World(self)
        record = world.run_cut(File(OURS, etag=None), 2 * MIB + 5)
        with (world.directory / "file.bin.part").open("r+b") as part:
            part.write(bytes(count))
        return world, record

    def test_tied_by_what_is_behind(self) -> None:
        """Only the damaged block and the tie behind it are fetched again, then the rest."""
        world, record = self.damaged(10)
        world.origin.exchanges.clear()
        world.origin.script = File(OURS, etag=None)
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 0))
        self.assertEqual(world.octets(), OURS)
        large = [r for r in world.origin.ranges if r and r[1] - r[0] > END_OCTETS]
        self.assertEqual(large[0], (0, MIB + TIE_OCTETS))
        self.assertEqual(large[-1], (2 * MIB + 5 - TIE_OCTETS, len(OURS)))

    def test_other_node(self) -> None:
        """Not an octet of another file is put before ours."""
        world, record = self.damaged(10)
        other = File(THEIRS, etag=None)
        world.origin.script = samples_from(File(OURS, etag=None), other)
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 1))
        self.assertEqual(world.octets(), THEIRS)

    def test_too_much(self) -> None:
        """Where more is lost than is left, it begins again."""
        world, record = self.damaged(2 * MIB)
        self.patch(sources, "PROOF_OCTETS", 1)
        with (world.directory / "file.bin.part").open("r+b") as part:
            part.write(bytes(2 * MIB))
        world.origin.script = File(OURS, etag=None)
        record = world.run(world.again(record))
        self.assertEqual((record.state, world.octets()), (JobState.COMPLETE, OURS))
        self.assertLess(2 * MIB, MOST_BEFORE)


class MirrorNodesTests(SynchronousTestCase):
    """A mirror behind whose address are two files."""

    FIRST, SECOND = "http://one.test/file.bin", "http://two.test/file.bin"

    def test_probe_of_one_node_and_samples_of_another(self) -> None:
        """Its tag is of one file, its samples are of another: it is not asked for more."""
        content = OURS * 8
        other = bytes(255 - octet for octet in content)
        world = World(self, connections_per_host=1)
        probes: list[Exchange] = []

        def script(exchange: Exchange) -> None:
            if exchange.url == self.FIRST:
                served = File(content)
            elif exchange.range == ByteRange(0, 512) or not probes:
                probes.append(exchange)
                served = File(other, etag='"theirs"')
            elif exchange.range is not None and len(exchange.range) <= END_OCTETS:
                served = File(content, etag='"ours"')
            else:
                served = File(other, etag='"theirs"')
            piece = served.begin(exchange)
            exchange.send(served.content[piece.start : piece.stop])
            world.clock.callLater(1, exchange.finish)

        world.origin.script = script
        job, ended = world.start(urls=(self.FIRST, self.SECOND), segments=4)
        world.pass_time(200)
        self.successResultOf(ended)
        self.assertEqual(job.record.state, JobState.COMPLETE)
        self.assertEqual(world.octets(), content)
        self.assertTrue(probes)
        asked = [x.range for x in world.origin.exchanges if x.url == self.SECOND]
        self.assertTrue(all(r is not None and len(r) <= END_OCTETS for r in asked), asked)


class CoveredTests(SynchronousTestCase):
    """What the tests above take for granted of the part file."""

    def test_damage_is_found(self) -> None:
        """A block that was changed is a hole from the first octet on."""
        world = World(self)
        record = world.run_cut(File(OURS, etag=None), 2 * MIB + 5)
        with (world.directory / "file.bin.part").open("r+b") as part:
            part.write(bytes(10))
        world.origin.script = lambda x: x.answer(404, {}, 0).finish()
        record = world.run(world.again(record))
        self.assertEqual(record.covered, IntervalSet.from_pairs([(MIB, 2 * MIB + 5)]))


class AlternatingTests(SynchronousTestCase):
    """Nodes that take turns, each with a version of its own by tag and date."""

    def test_one_connection_brings_one_file(self) -> None:
        """After two rounds that won nothing the file comes whole, from whichever node."""
        world = World(self)
        nodes = [File(OURS * 2, modified=FULL), File(THEIRS * 2, etag='"v2"', modified=HOUR_LATER)]
        world.origin.script = lambda exchange: nodes[len(world.origin.exchanges) % 2](exchange)
        record = world.run()
        self.assertEqual((record.state, record.changes), (JobState.COMPLETE, 2), record.error)
        self.assertIn(world.octets(), (OURS * 2, THEIRS * 2))
        self.assertEqual(world.origin.ranges[-1], None)
