"""Origins that keep tag, date and length while the octets change between two runs."""

from __future__ import annotations

import hashlib
import os
from base64 import b64encode
from dataclasses import replace
from typing import Any

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.dates import format_http_date
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import JobRecord, JobState, OnChange
from rangedaemon.core.pieces import Pieces
from tests.client.scripted import FULL, HOUR_LATER, Exchange, File, stalling
from tests.client.world import World

S = JobState
KIB, MIB = 1024, 1024 * 1024
OLD = os.urandom(4 * MIB)
NEW = bytes(255 - octet for octet in OLD)
HALF = 3 * MIB
BUDGET = HALF // 100
THEN = 1_700_000_000
TIMED = File(
    OLD,
    etag=f'"{THEN:x}-{len(OLD):x}"',
    modified=format_http_date(THEN),
    date=format_http_date(THEN + 3600),
)
"""As nginx serves it."""
OPAQUE = File(OLD)
DATED = replace(TIMED, etag=None)


def careful(case: SynchronousTestCase) -> World:
    """A world whose jobs look twice."""
    world = World(case)
    world.habits = replace(world.habits, resume_overlap=64 * KIB)
    return world


class LookCase(SynchronousTestCase):
    """A job that has some of the old octets."""

    def setUp(self) -> None:
        self.world = careful(self)

    def cut(self, served: File, **wishes: Any) -> JobRecord:
        """It has the first of them, and forgets what it heard a moment ago."""
        record = self.world.run_cut(served, HALF, **wishes)
        self.assertEqual(record.covered.to_pairs(), [(0, HALF)])
        self.rest()
        return record

    def rest(self) -> None:
        """A pause that is long enough."""
        self.world.pass_time(100, step=10)
        self.world.origin.exchanges.clear()
        self.world.habits.around.counters.compared = 0

    def run_again(self, record: JobRecord, served: Any) -> JobRecord:
        """The next run, against *served*."""
        self.world.origin.script = served
        return self.world.run(self.world.again(record))

    def sizes(self) -> list[int]:
        """How many octets each request asked for."""
        return [stop - start for start, stop in filter(None, self.world.origin.ranges)]

    @property
    def compared(self) -> int:
        """Octets that came only to be compared."""
        return self.world.habits.around.counters.compared


class ChangedTests(LookCase):
    """Every octet is another."""

    def test_begun_again(self) -> None:
        """It is told, counted, and the new file comes whole; little was wasted."""
        for name, served in (("time", TIMED), ("opaque", OPAQUE), ("date", DATED)):
            with self.subTest(name):
                self.world = careful(self)
                record = self.run_again(self.cut(served), replace(served, content=NEW))
                self.assertEqual((record.state, record.changes), (S.COMPLETE, 1))
                self.assertEqual(self.world.octets(), NEW)
                self.assertEqual(record.refetched, HALF)
                told = [event for event in self.world.events if event.kind == "changed"]
                self.assertEqual(len(told), 1)
                self.assertLessEqual(self.compared, BUDGET)

    def test_said_why(self) -> None:
        """With ``fail`` the job ends with what it had, and names the tag that lied."""
        for served, reason in (
            (TIMED, "drawn at random are others now, though the strong entity tag is the same"),
            (OPAQUE, "missing are others now, though the strong entity tag is the same"),
            (DATED, "drawn at random are others now, though the strong date is the same"),
        ):
            with self.subTest(reason):
                self.world = careful(self)
                record = self.cut(served, on_change=OnChange.FAIL)
                record = self.run_again(record, replace(served, content=NEW))
                assert record.error is not None
                self.assertEqual((record.state, record.error.code), (S.FAILED, "changed"))
                self.assertIn(reason, record.error.message)
                self.assertEqual(self.world.octets("file.bin.part")[:HALF], OLD[:HALF])

    def test_keep_old(self) -> None:
        """The old octets stay beside the new file."""
        record = self.cut(TIMED, on_change=OnChange.KEEP_OLD)
        self.run_again(record, replace(TIMED, content=NEW))
        self.assertEqual(self.world.octets(), NEW)
        self.assertEqual(self.world.octets("file.bin.old")[:HALF], OLD[:HALF])

    def test_only_the_end(self) -> None:
        """What is other only right before the hole is found by the answer that fills it."""
        for served in (TIMED, OPAQUE, DATED):
            with self.subTest(served.etag):
                self.world = careful(self)
                content = OLD[: HALF - 1] + NEW[HALF - 1 :]
                record = self.run_again(self.cut(served), replace(served, content=content))
                self.assertEqual((record.changes, self.world.octets()), (1, content))

    def test_all_but_the_end(self) -> None:
        """What is other elsewhere is found by blocks, where the tag is made of the time."""
        content = NEW[: HALF - 64 * KIB] + OLD[HALF - 64 * KIB :]
        for served in (TIMED, DATED):
            with self.subTest(served.etag):
                self.world = careful(self)
                record = self.run_again(self.cut(served), replace(served, content=content))
                self.assertEqual((record.changes, self.world.octets()), (1, content))

    def test_changed_with_another_tag(self) -> None:
        """An honest origin is believed before any octet is compared."""
        other = replace(TIMED, content=NEW, etag=f'"{THEN + 9:x}-{len(OLD):x}"', modified=FULL)
        record = self.run_again(self.cut(TIMED), other)
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 1))
        self.assertEqual((self.world.octets(), self.compared), (NEW, 0))

    def test_at_another_hole(self) -> None:
        """Each hole of an earlier run is filled by answers that begin with what is before it."""
        world = self.world
        world.origin.script = OPAQUE.up_to(100 * KIB, stalling)
        job, ended = world.start(segments=4)
        world.pass_time(2)
        world.origin.script = lambda exchange: exchange.refuse(Refused())
        for exchange in [*world.origin.open_exchanges()]:
            exchange.break_off()
        world.pass_time(20)
        self.successResultOf(ended)
        covered = job.record.covered.to_pairs()
        self.assertGreater(len(covered), 2)
        stop = covered[-1][1]
        self.rest()
        content = OLD[: stop - 1] + NEW[stop - 1 : stop] + OLD[stop:]
        record = self.run_again(job.record, replace(OPAQUE, content=content))
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 1))
        self.assertEqual(world.octets(), content)


class UnchangedTests(LookCase):
    """The very same file: what it costs."""

    def test_opaque_tag(self) -> None:
        """No request more, and few octets."""
        record = self.run_again(self.cut(OPAQUE), OPAQUE)
        self.assertEqual((record.state, record.refetched, record.changes), (S.COMPLETE, 0, 0))
        self.assertEqual(self.world.octets(), OLD)
        first = self.world.origin.exchanges[0]
        self.assertEqual(first.asked("If-Range"), '"v1"')
        self.assertEqual(sum(self.sizes()), len(OLD) - HALF + self.compared)
        self.assertEqual(self.compared, 16 * KIB)

    def test_made_of_time(self) -> None:
        """A few small requests more; all in all at most one octet in a hundred."""
        for served in (TIMED, DATED):
            with self.subTest(served.etag):
                self.world = careful(self)
                record = self.run_again(self.cut(served), served)
                self.assertEqual((record.state, record.refetched), (S.COMPLETE, 0))
                self.assertEqual(self.world.octets(), OLD)
                self.assertEqual(sum(self.sizes()), len(OLD) - HALF + self.compared)
                self.assertTrue(BUDGET // 2 < self.compared <= BUDGET, self.compared)
                small = [size for size in self.sizes() if size <= 4 * KIB]
                self.assertEqual(len(small), 4)

    def test_a_moment_later(self) -> None:
        """A job that goes on at once pays for no request more."""
        record = self.world.run_cut(TIMED, HALF)
        self.world.pass_time(5)
        self.world.origin.exchanges.clear()
        record = self.run_again(record, TIMED)
        self.assertEqual(record.state, S.COMPLETE)
        self.assertGreater(min(self.sizes()), 16 * KIB)
        self.assertEqual(self.compared, 16 * KIB)

    def test_blocks_that_cannot_be_had(self) -> None:
        """Nothing is believed meanwhile, and it is compared at the next try."""
        record = self.cut(TIMED)
        self.run_again(record, lambda exchange: exchange.answer(500, {}, 0).finish())
        self.world.origin.exchanges.clear()
        record = self.run_again(record, TIMED)
        self.assertEqual(record.state, S.COMPLETE)
        self.assertEqual(len([size for size in self.sizes() if size <= 4 * KIB]), 4)

    def test_proved_otherwise(self) -> None:
        """Where a digest will tell, nothing is asked for again."""
        digest = hashlib.sha256(OLD)
        promised = {"Repr-Digest": f"sha-256=:{b64encode(digest.digest()).decode()}:"}
        pieces = Pieces("sha-256", len(OLD), digest.hexdigest())
        for name, served, wishes in (
            ("checksum", TIMED, {"checksum": f"sha-256={digest.hexdigest()}"}),
            ("digest", replace(TIMED, extra=promised), {}),
            ("pieces", TIMED, {"pieces": pieces, "size": len(OLD)}),
        ):
            with self.subTest(name):
                self.world = careful(self)
                record = self.run_again(self.cut(served, **wishes), served)
                self.assertEqual((record.state, self.compared), (S.COMPLETE, 0))
                self.assertEqual(
                    min(start for start, _ in filter(None, self.world.origin.ranges)), HALF
                )

    def test_switched_off(self) -> None:
        """With 0 the tag's word is taken."""
        self.world.habits = replace(self.world.habits, resume_overlap=0)
        record = self.run_again(self.cut(TIMED), TIMED)
        self.assertEqual((record.state, self.compared), (S.COMPLETE, 0))
        self.assertEqual(sum(self.sizes()), len(OLD) - HALF)

    def test_answer_that_ends_too_soon(self) -> None:
        """Octets that were there already are none of the missing ones."""

        def script(exchange: Exchange) -> None:
            asked = exchange.range
            assert asked is not None
            piece = ByteRange(asked.start, asked.start + 100)
            told = {"Content-Range": f"bytes {piece.start}-{piece.stop - 1}/{len(OLD)}"}
            exchange.answer(206, {**OPAQUE.fields(), **told}, 100)
            exchange.send(OLD[piece.start : piece.stop]).finish()

        record = self.run_again(self.cut(OPAQUE), script)
        self.assertEqual(record.covered.to_pairs(), [(0, HALF)])
        assert record.error is not None
        self.assertEqual(record.error.code, "bad-response")

    def test_ends_before_the_hole(self) -> None:
        """A connection that breaks before the first new octet costs nothing that is there."""
        record = self.run_again(self.cut(OPAQUE), OPAQUE.up_to(100))
        self.assertEqual((record.state, record.covered.total), (S.WAITING, HALF))
        record = self.run_again(record, OPAQUE)
        self.assertEqual((record.state, self.world.octets()), (S.COMPLETE, OLD))

    def test_length_was_not_known(self) -> None:
        """All of it was there, and nobody had said so: its last octets and their end say it."""
        record = self.world.run_cut(OPAQUE, HALF)
        self.rest()
        whole = File(OLD[:HALF])
        unknown = replace(self.world.store.records[record.id].remembered, length=None)
        self.world.store.records[record.id] = replace(
            self.world.store.records[record.id], remembered=unknown
        )
        record = self.run_again(record, whole)
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 0))
        self.assertEqual(self.world.octets(), OLD[:HALF])

    def test_digest_of_the_part(self) -> None:
        """What is only compared belongs to the body whose digest was told."""

        class Parts(File):
            def told(self, piece: ByteRange) -> dict[str, str]:
                octets = self.content[piece.start : piece.stop]
                digest = b64encode(hashlib.sha256(octets).digest()).decode()
                return {"Content-Digest": f"sha-256=:{digest}:"}

        damaged = []

        def script(exchange: Exchange) -> None:
            piece = parts.begin(exchange)
            octets = bytearray(parts.content[piece.start : piece.stop])
            if not damaged:
                damaged.append(len(octets))
                octets[-1] ^= 0xFF
            exchange.send(bytes(octets)).finish()

        parts = Parts(OLD + OLD)
        record = self.run_again(self.cut(parts), script)
        self.assertEqual((record.state, self.world.octets()), (S.COMPLETE, parts.content))
        self.assertEqual(record.refetched, damaged[0] - 16 * KIB)


class NodesTests(LookCase):
    """Answers to the requests for blocks that say nothing."""

    def test_no_ranges_for_blocks(self) -> None:
        """The request that goes on is what counts."""

        def script(exchange: Exchange) -> None:
            asked = exchange.range
            small = asked is not None and len(asked) <= 4 * KIB
            (replace(TIMED, ranges=False) if small else TIMED)(exchange)

        record = self.run_again(self.cut(TIMED), script)
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 0))
        self.assertEqual(self.world.octets(), OLD)
        self.assertEqual(self.compared, BUDGET // 2)

    def test_a_node_of_another_tag(self) -> None:
        """Octets of another representation are compared with nothing."""

        def script(exchange: Exchange) -> None:
            asked = exchange.range
            small = asked is not None and len(asked) <= 4 * KIB
            other = replace(TIMED, content=NEW, etag='"v2"', modified=HOUR_LATER)
            (other if small else TIMED)(exchange)

        record = self.run_again(self.cut(TIMED), script)
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 0))
        self.assertEqual(self.world.octets(), OLD)


class CoveredTests(LookCase):
    """Where the beginning is missing, too."""

    def test_hole_at_the_beginning(self) -> None:
        """It has nothing before it; the next hole has."""
        record = self.cut(OPAQUE)
        lost = IntervalSet.from_pairs([(MIB, HALF)])
        self.world.store.records[record.id] = replace(
            self.world.store.records[record.id], covered=lost
        )
        content = OLD[: HALF - 1] + NEW[HALF - 1 :]
        record = self.run_again(record, replace(OPAQUE, content=content))
        self.assertEqual((record.state, record.changes), (S.COMPLETE, 1))
        self.assertEqual(self.world.octets(), content)
