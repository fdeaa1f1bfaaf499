"""Tests for `rangedaemon.control.tally`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.tally import Tally
from rangedaemon.core.jobs import (
    JobError,
    JobEvent,
    JobRecord,
    JobSnapshot,
    JobSpec,
    JobState,
)

S = JobState
RECORD = JobRecord("0" * 16, JobSpec(("http://h/",), "/"), S.QUEUED, 0.0)
FAULT = JobError("timed-out", "silence")


class RetryTests(SynchronousTestCase):
    """What counts as a retry."""

    def setUp(self) -> None:
        self.tally = Tally()

    def tell(self, *states: JobState, **changes: Any) -> None:
        """Let the job pass through *states*."""
        for state in states:
            record = replace(RECORD, state=state, **changes)
            self.tally.happened(JobEvent("job", JobSnapshot(record)))

    def test_after_a_fault(self) -> None:
        """A job that waits after a fault is counted by the fault."""
        self.tell(S.PROBING, S.WAITING, attempts=1, error=FAULT)
        self.assertEqual(self.tally.retries, {"timed-out": 1})

    def test_next_turn(self) -> None:
        """A job that waits for its next turn is none, whether its last one was good or not."""
        self.tell(S.PROBING, attempts=1)
        self.tell(S.WAITING)
        self.tell(S.PROBING, S.FAILED, attempts=1, error=FAULT)
        self.tell(S.WAITING, error=FAULT)
        self.assertEqual(self.tally.retries, {})
