"""Somebody meddles with the part file of a real daemon while its job runs."""

from __future__ import annotations

import os
from pathlib import Path

from tests.integration.api import Job
from tests.integration.test_daemon_recovery import MIB, SIZE, RecoveryCase

HALF = 6 * MIB


class MeddledTests(RecoveryCase):
    """No wrong file gets the final name, and the job is done at last."""

    def half(self) -> tuple[Job, Path]:
        """A job half of which is there, and its part file."""
        job = self.add("/gate=half:6MiB/f.bin")
        self.daemon.api.wait_received(job["id"], HALF - MIB)
        return job, self.daemon.downloads / "f.bin.part"

    def assert_right(self, job: Job) -> Job:
        """Let the rest come: the file is right in every octet."""
        self.origin.gates.open("half")
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        return done

    def test_cut(self) -> None:
        """What was cut off is fetched again, and the rest is not."""
        job, part = self.half()
        os.truncate(part, MIB)
        done = self.assert_right(job)
        self.assertTrue(0 < done["refetched"] < SIZE - MIB, done["refetched"])

    def test_removed(self) -> None:
        """It is begun again, under its own name."""
        job, part = self.half()
        part.unlink()
        done = self.assert_right(job)
        self.assertEqual(Path(done["path"]).name, "f.bin")

    def test_replaced_by_a_link(self) -> None:
        """What the link leads to is neither written to nor published."""
        job, part = self.half()
        victim = self.daemon.directory / "victim"
        victim.write_bytes(b"precious")
        part.unlink()
        part.symlink_to(victim)
        done = self.assert_right(job)
        self.assertEqual(Path(done["path"]).name, "f (1).bin")
        self.assertEqual(victim.read_bytes(), b"precious")
        self.assertFalse(part.with_suffix("").exists())
