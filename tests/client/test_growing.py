"""Reading a file while it is downloaded: what is missing comes first, never a wrong octet."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.growing import GrowingFile
from rangedaemon.core.jobs import JobState
from rangedaemon.core.transfer import Trigger
from rangedaemon.errors import Changed, StateForbids
from tests.client.scripted import HOUR_LATER, Exchange, File
from tests.client.world import World

KIB = 1024
MIB = 1024 * KIB
CONTENT = os.urandom(24 * MIB)


class GrowingTests(SynchronousTestCase):
    """One job under way, one reader."""

    def setUp(self) -> None:
        self.world = World(self)
        self.served = File(CONTENT)
        self.left: dict[Exchange, bytes] = {}
        self.world.origin.script = self.script

    def script(self, exchange: Exchange) -> None:
        piece = self.served.begin(exchange)
        self.left[exchange] = self.served.content[piece.start : piece.stop]

    def begin(self, segments: int = 4) -> GrowingFile:
        """A job whose first octets are there."""
        self.job, self.ended = self.world.start(segments=segments)
        self.turn(1000)
        reader: GrowingFile = self.world.result(self.job.reader())
        self.addCleanup(lambda: self.world.result(reader.close()))
        return reader

    def turn(self, count: int) -> None:
        """Half a second: *count* octets over each connection."""
        for exchange, octets in [*self.left.items()]:
            self.left[exchange] = octets[count:]
            if not (exchange.closed or exchange.ended):
                exchange.send(octets[:count])
                if len(octets) <= count:
                    exchange.finish()
        self.world.pass_time(0.5)

    def read(self, reader: GrowingFile, offset: int, most: int) -> Deferred[bytes]:
        return ensureDeferred(reader.read(offset, most))

    def test_what_is_there(self) -> None:
        """At once, and no further than it reaches."""
        reader = self.begin()
        self.assertEqual(self.successResultOf(self.read(reader, 10, 100)), CONTENT[10:110])
        self.assertEqual(self.successResultOf(self.read(reader, 990, 100)), CONTENT[990:1000])
        self.assertEqual((reader.length, reader.filename), (len(CONTENT), "file.bin"))

    def test_what_is_missing_comes_next(self) -> None:
        """Far from everybody: the next request is for the octets that are waited for."""
        reader = self.begin()
        offset = 20 * MIB + 7
        waiting = self.read(reader, offset, 50)
        self.assertNoResult(waiting)
        self.turn(1)
        asked = [x.range for x in self.world.origin.exchanges]
        self.assertIn(offset, [piece.start for piece in asked if piece is not None])
        for _ in range(3):
            self.turn(100)
        octets = self.successResultOf(waiting)
        self.assertTrue(octets)
        self.assertEqual(octets, CONTENT[offset : offset + len(octets)])

    def test_next_of_a_connection(self) -> None:
        """Just behind a connection: nobody asks anew, the octet comes by itself."""
        reader = self.begin(segments=1)
        waiting = self.read(reader, 1500, 10)
        asked = len(self.world.origin.exchanges)
        self.turn(1000)
        self.assertEqual(self.successResultOf(waiting), CONTENT[1500:1510])
        self.assertEqual(len(self.world.origin.exchanges), asked)

    def test_job_stops(self) -> None:
        """Who waits hears of it, and reads no more: the next run may write other octets there."""
        reader = self.begin()
        waiting = self.read(reader, 20 * MIB, 10)
        self.job.stop(Trigger.PAUSE)
        self.successResultOf(self.ended)
        self.failureResultOf(waiting, StateForbids)
        for offset in (0, 20 * MIB):
            self.failureResultOf(self.read(reader, offset, 10), StateForbids)

    def test_file_changes(self) -> None:
        """No octet of the new file is ever given to a reader of the old one."""
        reader = self.begin()
        waiting = self.read(reader, 20 * MIB, 10)
        new = bytes(255 - octet for octet in CONTENT[: 5 * MIB])
        self.served = File(new, etag='"v2"', modified=HOUR_LATER)
        for exchange in [x for x in self.left if x.range and x.range.stop > 20 * MIB]:
            exchange.break_off()
            del self.left[exchange]
        for _ in range(20):
            self.turn(100 * KIB)
        self.failureResultOf(waiting)
        self.assertEqual(self.job.record.changes, 1)
        for offset in (0, 500, 4 * MIB):
            self.failureResultOf(self.read(reader, offset, 10), Changed)

    def test_job_gets_done(self) -> None:
        """The reader goes on over the end of the job, to the end of the file."""
        reader = self.begin()
        waiting = self.read(reader, len(CONTENT) - 3, 10)
        for _ in range(100):
            if self.ended.called:
                break
            self.turn(MIB)
        self.assertEqual(self.successResultOf(waiting), CONTENT[-3:])
        self.assertEqual(self.job.record.state, JobState.COMPLETE)
        self.assertEqual(self.successResultOf(self.read(reader, 5, 4)), CONTENT[5:9])

    def test_nothing_to_read_yet(self) -> None:
        """Before the first answer there is no file to read."""
        self.world.origin.script = None
        job, ended = self.world.start()
        self.failureResultOf(ensureDeferred(job.reader()), StateForbids)
        job.stop(Trigger.INTERRUPT)
        self.successResultOf(ended)

    def test_reader_that_gives_up(self) -> None:
        """A wait that is cancelled leaves nothing behind."""
        reader = self.begin()
        waiting = self.read(reader, 20 * MIB, 10)
        waiting.addErrback(lambda _: None)
        waiting.cancel()
        for _ in range(100):
            if self.ended.called:
                break
            self.turn(MIB)
        self.assertEqual(self.job.record.state, JobState.COMPLETE)
        self.assertEqual(self.world.octets(), CONTENT)
