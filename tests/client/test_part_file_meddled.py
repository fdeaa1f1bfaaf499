"""Somebody meddles with the part file while its job runs."""

from __future__ import annotations

import os

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.job import Job
from rangedaemon.core.jobs import JobRecord, JobState, OnConflict
from tests.client.scripted import Exchange, File
from tests.client.world import World

KIB = 1024
CONTENT = os.urandom(512 * KIB)
STOLEN = b"not what was fetched" * 30_000


class MeddledTests(SynchronousTestCase):
    """Whatever becomes of the part file, no wrong file is called complete."""

    def setUp(self) -> None:
        """A job, half of whose octets have come and are claimed."""
        self.world = World(self)
        self.world.origin.script = self.serve
        self.job, self.ended = self.begin()
        self.part = self.world.directory / "file.bin.part"

    def begin(self, **wishes: object) -> tuple[Job, Deferred[None]]:
        self.late: list[tuple[Exchange, bytes]] = []
        job, ended = self.world.start(segments=1, **wishes)
        self.world.pass_time(3)
        self.assertEqual(job.record.covered.total, len(CONTENT) // 2)
        return job, ended

    def serve(self, exchange: Exchange) -> None:
        """The first half of what is asked for at once, the rest later."""
        octets = File(CONTENT).begin(exchange)
        half = len(CONTENT) // 2 if octets.start == 0 else octets.stop
        exchange.send(CONTENT[octets.start : half])
        if half < octets.stop:
            self.late.append((exchange, CONTENT[half : octets.stop]))
        else:
            exchange.finish()

    def go_on(self) -> JobRecord:
        """Let the rest come; what became of the job."""
        for _ in range(4):
            late, self.late = self.late, []
            for exchange, octets in late:
                exchange.send(octets)
                exchange.finish()
            self.world.pass_time(3)
        self.successResultOf(self.ended)
        return self.job.record

    def assert_fetched_again(self, name: str = "file.bin") -> None:
        """It was begun again at once, and is right."""
        self.world.pass_time(2)
        self.assertEqual(self.job.record.covered.total, len(CONTENT) // 2)
        self.assertEqual(self.job.record.refetched, len(CONTENT) // 2)
        done = self.go_on()
        self.assertEqual((done.state, done.filename), (JobState.COMPLETE, name), done.error)
        self.assertEqual(self.world.octets(name), CONTENT)

    def test_removed(self) -> None:
        """Nobody will ever find what is written now: it is noticed with the next checkpoint."""
        self.part.unlink()
        self.assert_fetched_again()
        self.assertEqual(self.world.names(), ["file.bin"])

    def test_replaced(self) -> None:
        """Another file in its place is nobody's download, and stays."""
        self.part.unlink()
        self.part.write_bytes(STOLEN)
        self.assert_fetched_again("file (1).bin")
        self.assertEqual(self.part.read_bytes(), STOLEN)

    def test_replaced_by_a_link(self) -> None:
        """A link gets no final name, and nothing is written to where it leads."""
        victim = self.world.habits.state_dir / "victim"
        victim.write_bytes(STOLEN)
        self.part.unlink()
        self.part.symlink_to(victim)
        self.assert_fetched_again("file (1).bin")
        self.assertEqual(victim.read_bytes(), STOLEN)

    def test_replaced_at_the_last_moment(self) -> None:
        """It is looked at once more right before it gets its name."""
        moments: list[JobState] = []

        def meddle(record: JobRecord) -> None:
            if record.state is JobState.VERIFYING and not moments:
                moments.append(record.state)
                self.part.unlink()
                self.part.write_bytes(STOLEN)

        self.world.store.before_save = meddle
        done = self.go_on()
        self.assertEqual((done.state, done.filename), (JobState.COMPLETE, "file (1).bin"))
        self.assertEqual(self.world.octets("file (1).bin"), CONTENT)

    def test_cut(self) -> None:
        """What was cut off is fetched again, and hardly more."""
        os.truncate(self.part, 100 * KIB)
        done = self.go_on()
        self.assertEqual((done.state, self.world.octets()), (JobState.COMPLETE, CONTENT))
        cut = len(CONTENT) // 2 - 100 * KIB
        self.assertTrue(cut <= done.refetched <= cut + 16 * KIB, done.refetched)

    def test_cut_at_its_end(self) -> None:
        """A file that is too short is not filled up with zeros."""

        def meddle(record: JobRecord) -> None:
            if record.state is JobState.VERIFYING and record.refetched == 0:
                os.truncate(self.part, len(CONTENT) - 1)

        self.world.store.before_save = meddle
        done = self.go_on()
        self.assertEqual((done.state, self.world.octets()), (JobState.COMPLETE, CONTENT))
        self.assertEqual(done.refetched, 1)

    def test_a_directory_in_the_way(self) -> None:
        """What cannot be overwritten is said so, and the octets stay."""
        self.world = World(self)
        self.world.origin.script = self.serve
        self.job, self.ended = self.begin(on_conflict=OnConflict.OVERWRITE)
        (self.world.directory / "file.bin").mkdir()
        done = self.go_on()
        assert done.error is not None
        self.assertEqual((done.state, done.error.code), (JobState.FAILED, "name-taken"))
        self.assertIn("file.bin is a directory now; remove it", done.error.message)
        (self.world.directory / "file.bin").rmdir()
        done = self.world.run(self.world.again(done))
        self.assertEqual((done.state, self.world.octets()), (JobState.COMPLETE, CONTENT))
        self.assertEqual(done.refetched, 0)
