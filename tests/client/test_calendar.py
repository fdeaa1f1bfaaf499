"""Tests for starts and windows, through `rangedaemon.client.runner`; the zone is UTC."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import ensureDeferred

from rangedaemon.core.jobs import JobChange
from rangedaemon.errors import StateForbids
from tests.client.test_runner import CONTENT, RunnerCase, S
from tests.client.world import EPOCH

# EPOCH is 22:13:20.
HOUR = 3600.0


class CalendarTests(RunnerCase):
    """Jobs that have hours of their own."""

    def wait(self, job: str) -> float:
        """Seconds until a job that waits is due."""
        record = self.world.store.records[job]
        self.assertEqual(record.state, S.WAITING)
        assert record.retry_at is not None
        return record.retry_at - EPOCH - self.world.clock.seconds()

    def test_start(self) -> None:
        """It waits for its time, tells it, and asks nobody before."""
        (job,) = self.add("a", start_at="22:30")
        self.assertEqual(self.wait(job), 1000.0)
        self.world.clock.advance(999)
        self.assertEqual((self.state(job), self.world.origin.exchanges), (S.WAITING, []))
        self.world.clock.advance(1)
        self.assertEqual(self.state(job), S.ACTIVE)

    def test_past_start(self) -> None:
        """An instant that is past is no reason to wait."""
        (job,) = self.add("a", start_at="2020-01-01T00:00:00Z")
        self.assertEqual(self.state(job), S.ACTIVE)

    def test_start_by_hand(self) -> None:
        """A retry starts it before its time."""
        (job,) = self.add("a", start_at="22:30")
        self.world.result(self.runner.retry(job))
        self.assertEqual(self.state(job), S.ACTIVE)

    def test_start_while_others_run(self) -> None:
        """All slots are taken: it still becomes due in time."""
        self.add("a", "b")
        (job,) = self.add("c", start_at="22:30")
        self.world.clock.advance(1000)
        self.assertEqual(self.world.store.records[job].state, S.QUEUED)

    def test_clock_set_back(self) -> None:
        """A start goes by the clock, and so waits longer where that is set back."""
        (job,) = self.add("a", start_at="22:30")
        self.world.set_back = HOUR
        self.world.clock.advance(1001)
        self.assertEqual(self.state(job), S.WAITING)
        self.world.clock.advance(HOUR)
        self.assertEqual(self.state(job), S.ACTIVE)

    def change(self, job: str, **calendar: Any) -> None:
        """Give it other hours."""
        self.world.result(self.runner.change(job, JobChange(calendar=calendar)))

    def test_no_mirror(self) -> None:
        """A download has no folder of which it could keep more or less."""
        (job,) = self.add("a")
        change = JobChange(priority=3, mirror={"depth": 1})
        fault = self.failureResultOf(ensureDeferred(self.runner.change(job, change)), StateForbids)
        self.assertIn("depth", str(fault.value))
        self.assertEqual(self.world.store.records[job].spec.priority, 0)

    def test_other_start(self) -> None:
        """A job that waits for its time can be given another, or none; a queued one, too."""
        (job,) = self.add("a", start_at="22:30")
        self.change(job, start_at="22:20")
        self.assertEqual(self.wait(job), 400.0)
        self.change(job, start_at=None)
        self.assertEqual(self.state(job), S.ACTIVE)
        _, later = self.add("b", "c")
        self.assertEqual(self.state(later), S.QUEUED)
        self.change(later, start_at="23:00")
        self.assertEqual(self.wait(later), 46 * 60 + 40)

    def test_other_window(self) -> None:
        """One that runs stops when its window is one that is closed."""
        (job,) = self.add("a")
        self.change(job, window="23:00-06:00")
        self.assertEqual(self.wait(job), 46 * 60 + 40)
        self.change(job, window=None)
        self.assertEqual(self.state(job), S.ACTIVE)

    def test_closed_window(self) -> None:
        """Outside of its window a job waits, and others get its slot; a retry is no way in."""
        (job,) = self.add("a", window="23:00-06:00", priority=9)
        self.assertEqual(self.wait(job), 46 * 60 + 40)
        self.world.result(self.runner.retry(job))
        self.assertEqual(self.wait(job), 46 * 60 + 40)
        self.assertEqual([self.state(i) for i in self.add("b", "c")], [S.ACTIVE, S.ACTIVE])

    def test_hard_stop(self) -> None:
        """When the window closes the job waits for the next one with what came, and goes on."""
        (job,) = self.add("a", window="22:00-22:14")
        for begin in range(0, 700, 100):  # silence would end it too
            self.world.origin.last.send(CONTENT[begin : begin + 100])
            self.world.clock.advance(5)
        self.assertEqual(self.state(job), S.ACTIVE)
        self.world.origin.last.send(CONTENT[700:1000])
        self.world.clock.advance(5)
        self.assertEqual(self.wait(job), 24 * HOUR - 14 * 60)
        self.assertEqual(self.world.store.records[job].covered.total, 1000)
        self.world.clock.advance(24 * HOUR - 14 * 60)
        self.assertEqual(self.state(job), S.ACTIVE)
        self.assertEqual(self.world.origin.ranges[-1], (1000, len(CONTENT)))
        self.world.origin.last.send(CONTENT[1000:])
        self.world.origin.last.finish()
        self.assertEqual((self.state(job), self.world.octets("a")), (S.COMPLETE, CONTENT))
