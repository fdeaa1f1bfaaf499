"""What becomes of a job whose names are taken already."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobRecord, JobState, OnConflict
from tests.client.scripted import File
from tests.client.world import World

CONTENT = os.urandom(300_000)

S = JobState


class ConflictTests(SynchronousTestCase):
    """The final name is taken."""

    def test_policies(self) -> None:
        """Rename finds another name, overwrite replaces, fail refuses and changes nothing."""
        for policy, names, error in (
            (OnConflict.RENAME, ["file (1).bin", "file.bin"], None),
            (OnConflict.OVERWRITE, ["file.bin"], None),
            (OnConflict.FAIL, ["file.bin"], "name-taken"),
        ):
            with self.subTest(policy):
                world = World(self)
                world.origin.script = File(CONTENT)
                (world.directory / "file.bin").write_bytes(b"old")
                record = world.run(on_conflict=policy)
                self.assertEqual(record.error.code if record.error else None, error)
                self.assertEqual(world.names(), names)
                expected = CONTENT if policy is OnConflict.OVERWRITE else b"old"
                self.assertEqual(world.octets(), expected)

    def test_overwrite_beside_a_foreign_part_file(self) -> None:
        """The part file takes another name, and stays there; the finished file the one wanted."""
        world = World(self)
        (world.directory / "file.bin").write_bytes(b"old")
        (world.directory / "file.bin.part").write_bytes(b"somebody's")
        record = world.run_cut(File(CONTENT), 5000, on_conflict=OnConflict.OVERWRITE)
        self.assertEqual(world.names(), ["file (1).bin.part", "file.bin", "file.bin.part"])
        world.origin.script = File(CONTENT)
        record = world.run(world.again(record))
        self.assertEqual((record.state, record.filename), (S.COMPLETE, "file.bin"))
        self.assertEqual(world.names(), ["file.bin", "file.bin.part"])
        self.assertEqual(world.octets(), CONTENT)
        self.assertEqual(world.octets("file.bin.part"), b"somebody's")

    def test_overwrite_in_another_life(self) -> None:
        """A kill between the publication and the journal: the finished file is found."""
        world = World(self)
        (world.directory / "file.bin.part").write_bytes(b"somebody's")
        world.origin.script = File(CONTENT)
        verifying: list[JobRecord] = []
        logs = world.habits.state_dir / "extents"
        kept: dict[Path, bytes] = {}

        def note(record: JobRecord) -> None:
            if record.state is S.VERIFYING:
                verifying.append(record)
            elif record.state is S.COMPLETE:
                kept.update({path: path.read_bytes() for path in logs.iterdir()})

        world.store.before_save = note
        world.run(on_conflict=OnConflict.OVERWRITE)
        self.assertTrue(verifying and kept)
        for path, octets in kept.items():
            path.write_bytes(octets)
        asked = len(world.origin.exchanges)
        record = world.run(replace(verifying[-1], state=S.QUEUED))
        self.assertEqual((record.state, record.filename), (S.COMPLETE, "file.bin"))
        self.assertEqual(len(world.origin.exchanges), asked)
        self.assertEqual(world.names(), ["file.bin", "file.bin.part"])

    def test_overwrite_of_a_directory(self) -> None:
        """It is refused before an octet is kept."""
        world = World(self)
        (world.directory / "file.bin").mkdir()
        world.origin.script = File(CONTENT)
        record = world.run(on_conflict=OnConflict.OVERWRITE)
        self.assertEqual(record.error.code if record.error else None, "name-taken")
        self.assertEqual(world.names(), ["file.bin"])

    def test_name_taken_while_it_was_fetched(self) -> None:
        """A file that appeared meanwhile is never overwritten by accident."""
        world = World(self)
        world.origin.script = File(CONTENT).begin
        job, ended = world.start()
        world.origin.last.send(CONTENT)
        (world.directory / "file.bin").write_bytes(b"somebody's")
        world.origin.last.finish()
        self.successResultOf(ended)
        self.assertEqual((job.record.state, job.record.filename), (S.COMPLETE, "file (1).bin"))
        self.assertEqual(world.octets(), b"somebody's")
        self.assertEqual(world.octets("file (1).bin"), CONTENT)
