"""Tests for `rangedaemon.core.occasions`."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobEvent, JobRecord, JobSnapshot, JobSpec, JobState
from rangedaemon.core.occasions import Occasion, Occasions, environment, signature

S = JobState
SPEC = JobSpec(("http://h/a",), "/d")


class OccasionsTests(SynchronousTestCase):
    """Tests for `Occasions`."""

    def setUp(self) -> None:
        self.occasions = Occasions()

    def told(self, *states: JobState, attempts: int = 1, job_id: str = "a") -> list[str]:
        """What a job that goes through *states* is occasion for."""
        record = JobRecord(job_id, SPEC, S.QUEUED, 0.0, attempts=attempts)
        found = [self.event("job", replace(record, state=state)) for state in states]
        return [occasion.value for occasion in found if occasion]

    def event(self, kind: str, record: JobRecord) -> Occasion | None:
        """What an event is."""
        return self.occasions.of(JobEvent(kind, JobSnapshot(record)))

    def test_lives(self) -> None:
        """A job's life, event by event; repetitions are none."""
        started = [S.QUEUED, S.PROBING, S.PROBING, S.ACTIVE, S.PROBING, S.ACTIVE]
        for states, told in (
            ([*started, S.VERIFYING, S.COMPLETE], ["start", "complete"]),
            ([*started, S.FAILED], ["start", "failure"]),
            ([*started, S.WAITING, S.QUEUED], ["start"]),
            ([S.PAUSED], []),
            ([S.QUEUED, S.FAILED], ["failure"]),
            ([*started, S.PAUSED, S.QUEUED, S.PROBING], ["start", "start"]),
        ):
            self.assertEqual(self.told(*states, job_id=str(states)), told, states)

    def test_own_retries(self) -> None:
        """A try of the daemon's own is no beginning."""
        self.assertEqual(self.told(S.WAITING, S.QUEUED, S.PROBING, attempts=2), [])

    def test_from_an_earlier_run(self) -> None:
        """What ended before we looked is told no more; a file that changed always is."""
        self.assertEqual(self.told(S.COMPLETE), [])
        record = JobRecord("x", SPEC, S.ACTIVE, 0.0)
        self.assertIs(self.event("changed", record), Occasion.CHANGE)
        self.assertIsNone(self.event("removed", record))

    def test_forgets(self) -> None:
        """Nothing is remembered of jobs that have ended or are gone."""
        self.told(S.QUEUED, S.PROBING, S.ACTIVE, S.COMPLETE, job_id="done")
        self.told(S.QUEUED, job_id="gone")
        self.event("removed", JobRecord("gone", SPEC, S.QUEUED, 0.0))
        self.assertEqual(self.occasions._states, {})


class EnvironmentTests(SynchronousTestCase):
    """Tests for `environment` and `signature`."""

    def test_told(self) -> None:
        """What is known of the job, each by its name; what is not known is not there."""
        job = {
            "id": "f" * 16, "name": None, "urls": ["http://h/a", "http://m/a"], "size": 5,
            "path": "/d/a\0b", "error": {"code": "not-found", "message": "gone", "url": None},
        }  # fmt: skip
        self.assertEqual(
            environment(Occasion.FAILURE, job, "{}"),
            {
                "RANGEDAEMON_EVENT": "failure", "RANGEDAEMON_JOB": "{}",
                "RANGEDAEMON_ID": "f" * 16, "RANGEDAEMON_URL": "http://h/a",
                "RANGEDAEMON_SIZE": "5", "RANGEDAEMON_PATH": "/d/ab",
                "RANGEDAEMON_ERROR_CODE": "not-found", "RANGEDAEMON_ERROR_MESSAGE": "gone",
            },
        )  # fmt: skip

    def test_signature(self) -> None:
        """An HMAC-SHA256 of the octets, as anybody can compute it (RFC 4231, test case 2)."""
        self.assertEqual(
            signature(b"Jefe", b"what do ya want for nothing?"),
            "sha256=5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
        )
        told = hmac.new(b"k", b"body", hashlib.sha256).hexdigest()
        self.assertEqual(signature(b"k", b"body"), f"sha256={told}")
