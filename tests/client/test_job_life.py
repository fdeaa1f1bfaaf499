"""Stories of one job: `rangedaemon.client.job` with an origin in memory and a real disk."""

from __future__ import annotations

import hashlib
import os

from twisted.internet.error import ConnectionRefusedError as Refused
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import JobState, Verified
from tests.client.scripted import FULL, HOUR_LATER, Exchange, File
from tests.client.world import EPOCH, URL, World

KIB = 1024
MIB = 1024 * KIB
CONTENT = b"".join(n.to_bytes(4, "big") for n in range(64 * KIB))
"""256 KiB that repeat nowhere."""

S = JobState


class WholeLifeTests(SynchronousTestCase):
    """A job that meets no difficulty."""

    def test_from_the_queue_to_its_file(self) -> None:
        """The octets of the origin are under the final name, every state was journaled."""
        world = World(self)
        world.origin.script = File(CONTENT)
        record = world.run()
        self.assertEqual(record.error, None)
        self.assertEqual(
            world.store.states(record.id), [S.PROBING, S.ACTIVE, S.VERIFYING, S.COMPLETE]
        )
        self.assertEqual(world.names(), ["file.bin"])
        self.assertEqual(world.octets(), CONTENT)
        self.assertEqual(
            (record.size, record.covered.total, record.refetched, record.verified),
            (len(CONTENT), len(CONTENT), 0, Verified.LENGTH),
        )
        self.assertEqual((record.started, record.finished), (EPOCH, EPOCH))

    def test_journal_is_told_of_the_end_last(self) -> None:
        """Whoever is told of the end finds the file in its place."""
        world = World(self)
        world.origin.script = File(CONTENT)
        seen: list[tuple[JobState, list[str]]] = []
        world.store.before_save = lambda record: seen.append((record.state, world.names()))
        world.run()
        self.assertEqual(seen[-1], (S.COMPLETE, ["file.bin"]))
        self.assertTrue(all("file.bin" not in names for state, names in seen[:-1]))

    def test_first_request(self) -> None:
        """It is a GET of the first octets with identity coding and no condition."""
        world = World(self)
        world.origin.script = File(CONTENT)
        world.run(headers={"X-Key": "secret"})
        first = world.origin.exchanges[0]
        self.assertEqual(first.asked("Range"), f"bytes=0-{4 * MIB - 1}")
        self.assertEqual(first.asked("Accept-Encoding"), "identity")
        self.assertEqual(first.asked("X-Key"), "secret")
        self.assertIsNone(first.asked("If-Range"))

    def test_segments_in_parallel(self) -> None:
        """A large file comes over several connections, hardly an octet twice."""
        world = World(self)
        content = os.urandom(12 * MIB)
        served = File(content)
        world.origin.script = served.begin
        job, ended = world.start(segments=4)
        most, sent = 0, 0
        while any(world.origin.open_exchanges()):
            for exchange in [*world.origin.open_exchanges()]:
                asked = exchange.range
                assert asked is not None
                piece = asked.clamp(type(asked)(0, len(content)))
                exchange.send(content[piece.start : piece.stop])
                exchange.finish()
                sent += len(piece)
            world.clock.advance(0.1)
            most = max(most, job.snapshot().live.connections)
        self.successResultOf(ended)
        self.assertEqual(world.octets(), content)
        self.assertTrue(1 < most <= 4)
        self.assertLess(sent, 1.02 * len(content))  # the tail is raced
        self.assertTrue(all(x.asked("If-Range") == '"v1"' for x in world.origin.exchanges[1:]))

    def test_empty_file(self) -> None:
        """No octets are a file too, however the origin says it."""
        for script in (File(b""), File(b"", ranges=False)):
            with self.subTest(ranges=script.ranges):
                world = World(self)
                world.origin.script = script
                record = world.run()
                self.assertEqual(record.state, S.COMPLETE)
                self.assertEqual((world.names(), world.octets()), (["file.bin"], b""))

    def test_name_from_the_answer(self) -> None:
        """Content-Disposition names the file, its directories are taken off."""
        world = World(self)
        told = {"Content-Disposition": 'attachment; filename="../../etc/x.iso"'}
        world.origin.script = File(CONTENT, extra=told)
        self.assertEqual(world.run().filename, "x.iso")
        self.assertEqual(world.names(), ["x.iso"])

    def test_checksum(self) -> None:
        """A promised digest is checked and named."""
        for name, algorithm in (("sha-256", "sha256"), ("sha-1", "sha1"), ("md5", "md5")):
            with self.subTest(name):
                world = World(self)
                world.origin.script = File(CONTENT)
                checksum = f"{name}={hashlib.new(algorithm, CONTENT).hexdigest()}"
                record = world.run(checksum=checksum)
                self.assertEqual((record.state, record.digest), (S.COMPLETE, checksum))
                self.assertEqual(record.verified, Verified.CHECKSUM)

    def test_checksum_that_does_not_match(self) -> None:
        """The job fails and nothing is under the final name; the octets do not come back."""
        world = World(self)
        world.origin.script = File(CONTENT)
        record = world.run(checksum="sha-256=" + "0" * 64)
        assert record.error is not None
        self.assertEqual((record.state, record.error.code), (S.FAILED, "checksum-mismatch"))
        self.assertNotIn("file.bin", world.names())
        self.assertEqual((record.covered, record.refetched), (IntervalSet(), len(CONTENT)))


class OriginKindTests(SynchronousTestCase):
    """Origins of all kinds, each with one right behaviour."""

    def test_no_ranges(self) -> None:
        """200 to a range: one connection, one request, the whole file."""
        world = World(self)
        world.origin.script = File(CONTENT, ranges=False)
        record = world.run()
        self.assertEqual((record.state, record.accepts_ranges), (S.COMPLETE, False))
        self.assertEqual(len(world.origin.exchanges), 1)
        self.assertEqual(world.octets(), CONTENT)

    def test_chunked(self) -> None:
        """Without a length the end of the last chunk is the end."""
        world = World(self)
        world.origin.script = lambda x: x.answer(200, {}).send(CONTENT).finish()
        record = world.run()
        self.assertEqual((record.state, record.size), (S.COMPLETE, len(CONTENT)))
        self.assertEqual(world.octets(), CONTENT)

    def test_chunked_and_cut(self) -> None:
        """A chunked body without its last chunk is not whole."""
        world = World(self)
        world.origin.script = lambda x: x.answer(200, {}).send(CONTENT[:99]).break_off()
        record = world.run()
        self.assertEqual(record.state, S.WAITING)
        self.assertEqual(world.names(), ["file.bin.part"])

    def test_ended_by_the_connection(self) -> None:
        """A body that only the close of the connection ends is never called whole."""
        world = World(self)
        world.origin.script = lambda x: x.answer(200, {}).send(CONTENT).hang_up()
        record = world.run()
        assert record.error is not None
        self.assertEqual((record.state, record.error.code), (S.WAITING, "bad-response"))
        self.assertNotIn("file.bin", world.names())

    def test_weak_validators(self) -> None:
        """What no validator joins comes in one stream, never in segments."""
        for name, fields in (
            ("weak tag", {"etag": 'W/"v1"'}),
            ("young date", {"etag": None, "modified": FULL, "date": FULL}),
            ("nothing", {"etag": None}),
        ):
            with self.subTest(name):
                world = World(self)
                content = os.urandom(5 * MIB)
                world.origin.script = File(content, **fields)  # type: ignore[arg-type]
                record = world.run()
                self.assertEqual(record.state, S.COMPLETE)
                self.assertEqual(world.octets(), content)
                self.assertEqual(world.origin.ranges, [(0, 4 * MIB), None])

    def test_nothing_to_join_by(self) -> None:
        """Without validators the first answer, which brings all, is asked for help by nobody."""
        for served in (File(CONTENT, etag=None), File(CONTENT, etag='W/"1"')):
            with self.subTest(served.etag):
                world = World(self)
                world.origin.script = served.begin
                job, ended = world.start(segments=8)
                for offset in range(0, len(CONTENT), 64 * KIB):
                    world.origin.exchanges[0].send(CONTENT[offset : offset + 64 * KIB])
                    world.pass_time(2)
                world.origin.exchanges[0].finish()
                self.successResultOf(ended)
                self.assertEqual(job.record.state, JobState.COMPLETE)
                self.assertEqual(len(world.origin.exchanges), 1)
                self.assertEqual(world.octets(), CONTENT)

    def test_strong_date(self) -> None:
        """A date of more than a minute joins segments; it is their condition."""
        world = World(self)
        content = os.urandom(6 * MIB)
        world.origin.script = File(content, etag=None, modified=FULL, date=HOUR_LATER)
        record = world.run()
        self.assertEqual((record.state, world.octets() == content), (S.COMPLETE, True))
        self.assertEqual(world.origin.exchanges[1].asked("If-Range"), FULL)

    def test_total_not_told(self) -> None:
        """A 206 that does not know the complete length: the whole is asked for instead."""
        world = World(self)
        served = File(CONTENT)

        def script(exchange: Exchange) -> None:
            if exchange.range is None:
                served(exchange)
            else:
                exchange.answer(206, {"Content-Range": "bytes 0-9/*"}, 10)

        world.origin.script = script
        self.assertEqual(world.run().state, S.COMPLETE)
        self.assertEqual(world.octets(), CONTENT)
        self.assertTrue(world.origin.exchanges[0].closed)

    def test_coded_answer(self) -> None:
        """A coding that was not asked for is refused, and the octets are not kept."""
        world = World(self)
        world.origin.script = File(CONTENT, extra={"Content-Encoding": "gzip"})
        record = world.run()
        assert record.error is not None
        self.assertEqual(record.error.code, "bad-response")
        self.assertIn("gzip", record.error.message)
        self.assertEqual(world.names(), [])

    def test_shifted_range(self) -> None:
        """An origin that answers other octets than asked for is used as one stream."""
        world = World(self)
        content = os.urandom(5 * MIB)
        served = File(content)

        def script(exchange: Exchange) -> None:
            if exchange.range is None or exchange.range.start == 0:
                served(exchange)
            else:
                exchange.answer(206, {"Content-Range": f"bytes 0-9/{len(content)}"}, 10)

        world.origin.script = script
        self.assertEqual(world.run().state, S.COMPLETE)
        self.assertEqual(world.octets(), content)
        self.assertEqual(world.origin.ranges[-1], None)

    def test_more_octets_than_promised(self) -> None:
        """What comes behind the end of the answer is not kept, and the connection is closed."""
        world = World(self)

        def script(exchange: Exchange) -> None:
            File(CONTENT).begin(exchange)
            exchange.send(CONTENT + b"surplus")

        world.origin.script = script
        self.assertEqual(world.run().state, S.COMPLETE)
        self.assertEqual(world.octets(), CONTENT)
        self.assertTrue(world.origin.last.closed)

    def test_statuses_that_do_not_get_better(self) -> None:
        """They fail the job at once, with their own word."""
        for status, code in ((404, "not-found"), (410, "not-found"), (403, "unauthorized"),
                             (400, "bad-response")):  # fmt: skip
            with self.subTest(status):
                world = World(self)
                world.origin.script = lambda x, status=status: x.answer(status, {}, 0)
                record = world.run()
                assert record.error is not None
                self.assertEqual((record.state, record.error.code), (S.FAILED, code))
                self.assertEqual(record.error.url, URL)
                self.assertEqual(len(world.origin.exchanges), 1)

    def test_throttled(self) -> None:
        """429 with Retry-After waits at least so long."""
        world = World(self)
        world.origin.script = lambda x: x.answer(429, {"Retry-After": "120"}, 0)
        record = world.run()
        assert record.error is not None
        self.assertEqual((record.state, record.error.code), (S.WAITING, "throttled"))
        self.assertEqual(record.retry_at, EPOCH + 120)

    def test_unreachable_until_the_attempts_are_used_up(self) -> None:
        """Each failure waits longer, the last one fails the job."""
        world = World(self, attempts=3)
        world.origin.script = lambda x: x.refuse(Refused())
        record = world.run()
        delays = []
        while record.state is S.WAITING:
            assert record.retry_at is not None
            delays.append(record.retry_at - EPOCH)
            record = world.run(world.again(record))
        self.assertEqual((record.state, record.attempts), (S.FAILED, 3))
        self.assertEqual(len(delays), 2)
        self.assertTrue(1 <= delays[0] <= 2 <= delays[1] <= 4)
