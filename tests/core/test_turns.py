"""Tests for `rangedaemon.core.turns`."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobError, JobRecord, JobSpec, JobState
from rangedaemon.core.turns import begun
from rangedaemon.errors import StateForbids

SPEC = JobSpec(("http://h/",), "/")
QUEUED = JobRecord("0" * 16, SPEC, JobState.QUEUED, 0.0, error=JobError("x", "y"), retry_at=7.0)
NOON = datetime(2026, 3, 4, 12, tzinfo=UTC).timestamp()
HOUR = 3600.0


class BegunTests(SynchronousTestCase):
    """A job gets a slot."""

    def test_started(self) -> None:
        """It runs from now on; what was wrong before is over, one more try is counted."""
        record = begun(QUEUED, NOON, UTC)
        self.assertEqual((record.state, record.started), (JobState.PROBING, NOON))
        self.assertEqual((record.attempts, record.error, record.retry_at), (1, None, None))

    def test_first_start(self) -> None:
        """When it began is when it began first."""
        self.assertEqual(begun(replace(QUEUED, started=1.0), NOON, UTC).started, 1.0)

    def test_window(self) -> None:
        """In its window it starts; before it, it waits until that opens and nothing is a try."""
        for window, state, at in (
            ("11:00-13:00", JobState.PROBING, None),
            ("12:00-13:00", JobState.PROBING, None),
            ("13:00-14:00", JobState.WAITING, NOON + HOUR),
            ("11:00-12:00", JobState.WAITING, NOON + 23 * HOUR),
        ):
            record = begun(replace(QUEUED, spec=replace(SPEC, window=window)), NOON, UTC)
            self.assertEqual((record.state, record.retry_at), (state, at), window)
            self.assertEqual(record.attempts, 1 if state is JobState.PROBING else 0)

    def test_others(self) -> None:
        """Nobody else is given one."""
        for state in set(JobState) - {JobState.QUEUED}:
            with self.assertRaises(StateForbids):
                begun(replace(QUEUED, state=state), NOON, UTC)
