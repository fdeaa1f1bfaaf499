"""
SIGKILL again and again while twenty jobs run: no job is lost, no octet wrong, none unlearned.

Ten rounds by default; ``KILL_ROUNDS=100`` for the long run (``make kill``).
"""

from __future__ import annotations

import os
import time
from random import Random

import pytest

from tests.hostile import HostileOrigin
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.waiting import until

ROUNDS = int(os.environ.get("KILL_ROUNDS", "10"))
JOBS = 20
SEGMENTS = 2
SIZE = 6 << 20
RATE = max(SIZE // (SEGMENTS * ROUNDS), 16 << 10)
"""Octets per second and connection, so that the jobs last for about as long as the rounds."""
LONGEST_LIFE = 2.0
OVERHEAD = 20.0
"""Seconds that a start may take on a machine with much else to do."""


class KillTests(IntegrationCase):
    """The loop."""

    origin: HostileOrigin

    @pytest.mark.timeout(120 + ROUNDS * (LONGEST_LIFE + 2 * OVERHEAD))
    def test_rounds(self) -> None:
        """Every job there was is there after each round, with at least the octets it had."""
        self.origin = self.make_origin()
        self.daemon = self.make_daemon({"downloads": {
            "segments": SEGMENTS, "connections_per_host": JOBS * SEGMENTS, "max_active": JOBS,
            "min_segment_size": "256KiB", "retry": {**FAST_RETRY, "attempts": 1000},
            "checkpoint_interval": "200ms",
        }})  # fmt: skip
        chance = Random(ROUNDS)
        self.daemon.start()
        ids = {self.daemon.api.add(self.url(number))["id"]: number for number in range(JOBS)}
        had = dict.fromkeys(ids, 0)
        for number in range(ROUNDS):
            # Every third dies before it is ready, the others in the middle of their work.
            if number % 3 == 2:
                time.sleep(chance.uniform(0.05, 1.0))
            else:
                time.sleep(chance.uniform(0.2, LONGEST_LIFE))
                had = self.received(had)
            self.daemon.kill()
            if number % 3 == 1:
                self.daemon.spawn()
            else:
                self.daemon.start()
                had = self.received(had)
        self.daemon.close()
        self.daemon.start()
        for job, number in ids.items():
            done = self.daemon.api.wait_for(job, "complete")
            self.assert_file(done["path"], number, SIZE)
        self.assertEqual(len(list(self.daemon.downloads.iterdir())), JOBS)
        self.assertNotIn("Traceback", self.daemon.log)
        sent = sum(self.origin.ledger.octets(self.path(number)) for number in range(JOBS))
        in_buffers = ROUNDS * JOBS * SEGMENTS * (256 << 10)
        self.assertLessEqual(sent, JOBS * SIZE + in_buffers)

    def path(self, number: int) -> str:
        """A file of the origin that is sent slowly."""
        return f"/seed={number}/rate={RATE}/{number}.bin"

    def url(self, number: int) -> str:
        """Its address."""
        return self.origin.url(f"{self.path(number)}?size={SIZE}")

    def received(self, before: dict[str, int]) -> dict[str, int]:
        """What each job says that it has: never less than before, when its file has been read."""
        until(lambda: not self.behind(before), "all jobs have what they had")
        return self.told()

    def behind(self, before: dict[str, int]) -> list[str]:
        """Which jobs say that they have less than they had."""
        now = self.told()
        self.assertEqual(now.keys(), before.keys())
        return [job for job in before if now[job] < before[job]]

    def told(self) -> dict[str, int]:
        """What each job says that it has."""
        listed = self.daemon.api.request("GET", "/api/v1/jobs?limit=1000").json["jobs"]
        return {job["id"]: job["received"] for job in listed}
