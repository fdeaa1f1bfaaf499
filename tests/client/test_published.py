"""A kill between the publication of a file and the journal's word of it."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.space import DiskRules
from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.storage import extentlog, publishing
from rangedaemon.storage.extentlog import log_path
from rangedaemon.storage.extents import HEADER_SIZE, RECORD_SIZE, parse_records, seed_of
from tests.client.scripted import File
from tests.client.world import World

CONTENT = os.urandom(300_000)


class PublishedTests(SynchronousTestCase):
    """The finished file is there, the journal says that its job still runs."""

    origin_time = False

    def setUp(self) -> None:
        """A job that ended well, put back to the moment before its last transaction."""
        self.world = World(self)
        self.world.habits = replace(self.world.habits, disk=DiskRules(origin_time=self.origin_time))
        self.world.origin.script = File(CONTENT)
        before: list[tuple[JobRecord, bytes]] = []

        def last_moment(record: JobRecord) -> None:
            if record.state is JobState.COMPLETE:
                log = log_path(self.world.habits.state_dir, record.id)
                before.append((self.world.store.records[record.id], log.read_bytes()))

        self.world.store.before_save = last_moment
        self.world.run()
        self.assertEqual(self.world.octets(), CONTENT)
        [(record, log)] = before
        log_path(self.world.habits.state_dir, record.id).write_bytes(log)
        self.left = replace(record, state=JobState.QUEUED)
        self.asked = len(self.world.origin.ranges)

    def test_finished_without_a_request(self) -> None:
        """The file is proved by its log: nothing is fetched again, no second copy is made."""
        done = self.world.run(self.left)
        self.assertIs(done.state, JobState.COMPLETE)
        self.assertEqual(len(self.world.origin.ranges), self.asked)
        self.assertEqual(self.world.names(), ["file.bin"])

    def test_on_the_disk_before_the_word(self) -> None:
        """Whoever gave it its name may have died before that was on the disk: it is synced."""
        synced: list[str] = []
        done: list[list[str]] = []

        def sync(directory: Path) -> None:
            synced.append(directory.name)

        self.patch(publishing, "sync_directory", sync)

        def last_moment(record: JobRecord) -> None:
            if record.state is JobState.COMPLETE:
                done.append([*synced])

        self.world.store.before_save = last_moment
        self.world.run(self.left)
        self.assertEqual([self.world.directory.name in names for names in done], [True])

    def test_log_on_the_disk_before_the_name(self) -> None:
        """A power cut may come as soon as the name is there: its log is on the disk by then."""
        steps: list[str] = []
        real = os.link

        def link(*names: Path, **named: bool) -> None:
            steps.append("named")
            real(*names, **named)

        self.patch(os, "link", link)
        self.patch(extentlog, "sync_directory", lambda directory: steps.append(directory.name))
        world = World(self)
        world.origin.script = File(CONTENT)
        world.run()
        self.assertEqual(steps, ["extents", "named"])

    def forget_hashes(self) -> None:
        """A power cut: of what was not hashed yet the log says nothing any more."""
        log = log_path(self.world.habits.state_dir, self.left.id)
        octets = log.read_bytes()
        header = octets[:HEADER_SIZE]
        kept = [
            record
            for at in range(HEADER_SIZE, len(octets), RECORD_SIZE)
            if not [*parse_records(record := octets[at : at + RECORD_SIZE], seed_of(header))]
        ]
        log.write_bytes(header + b"".join(kept))

    def test_known_without_its_hashes(self) -> None:
        """What was told of the file before it got its name is enough."""
        self.forget_hashes()
        self.test_finished_without_a_request()

    def test_written_to_since(self) -> None:
        """A file that somebody wrote to after its publication is proved by its octets or not."""
        self.forget_hashes()
        final = self.world.directory / "file.bin"
        os.utime(final, (0, final.stat().st_mtime + 60))
        done = self.world.run(self.left)
        self.assertEqual((done.state, done.filename), (JobState.COMPLETE, "file (1).bin"))

    def test_damaged_since(self) -> None:
        """Octets that are not what the log says are not taken, whatever the file is known by."""
        final = self.world.directory / "file.bin"
        told = final.stat()
        with final.open("r+b") as file:
            file.write(b"damage")
        os.utime(final, ns=(told.st_atime_ns, told.st_mtime_ns))
        done = self.world.run(self.left)
        self.assertEqual((done.state, done.filename), (JobState.COMPLETE, "file (1).bin"))
        self.assertEqual(self.world.octets("file (1).bin"), CONTENT)

    def test_somebody_elses_file(self) -> None:
        """Other octets under the final name are not taken for ours, and stay."""
        (self.world.directory / "file.bin").write_bytes(b"x" * len(CONTENT))
        done = self.world.run(self.left)
        self.assertIs(done.state, JobState.COMPLETE)
        self.assertEqual(self.world.octets(), b"x" * len(CONTENT))
        self.assertEqual(self.world.octets(done.filename or ""), CONTENT)


class DatedTests(PublishedTests):
    """The same where a finished file gets the time of the origin's."""

    origin_time = True
