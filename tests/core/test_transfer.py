"""Tests for `rangedaemon.core.transfer`: every pair of state and trigger."""

from __future__ import annotations

from itertools import product

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import FINISHED, RUNNING, JobState
from rangedaemon.core.transfer import MOVES, Trigger, move
from rangedaemon.errors import StateForbids

S, T = JobState, Trigger

EXPECTED: dict[tuple[JobState, Trigger], JobState] = {
    (S.QUEUED, T.START): S.PROBING,
    (S.QUEUED, T.POSTPONE): S.WAITING,
    (S.QUEUED, T.PAUSE): S.PAUSED,
    (S.QUEUED, T.FAIL): S.FAILED,
    (S.PROBING, T.ANSWERED): S.ACTIVE,
    (S.PROBING, T.UNCHANGED): S.COMPLETE,
    (S.ACTIVE, T.FETCHED): S.VERIFYING,
    (S.ACTIVE, T.CHANGED): S.PROBING,
    (S.VERIFYING, T.VERIFIED): S.COMPLETE,
    (S.VERIFYING, T.CHANGED): S.PROBING,
    **{(state, T.FAIL): S.FAILED for state in RUNNING},
    **{(state, T.POSTPONE): S.WAITING for state in RUNNING},
    **{(state, T.INTERRUPT): S.QUEUED for state in RUNNING},
    **{(state, T.PAUSE): S.PAUSED for state in RUNNING},
    (S.WAITING, T.DUE): S.QUEUED,
    (S.WAITING, T.RETRY): S.QUEUED,
    (S.WAITING, T.PAUSE): S.PAUSED,
    (S.WAITING, T.FAIL): S.FAILED,
    (S.PAUSED, T.RESUME): S.QUEUED,
    (S.FAILED, T.RETRY): S.QUEUED,
    (S.COMPLETE, T.POSTPONE): S.WAITING,
    (S.FAILED, T.POSTPONE): S.WAITING,
}


class MoveTests(SynchronousTestCase):
    """Tests for `move`."""

    def test_every_pair(self) -> None:
        """A pair of the table leads where it says, every other one is refused."""
        for state, trigger in product(JobState, Trigger):
            with self.subTest(state=state, trigger=trigger):
                expected = EXPECTED.get((state, trigger))
                if expected is None:
                    self.assertRaises(StateForbids, move, state, trigger)
                else:
                    self.assertEqual(move(state, trigger), expected)

    def test_refusal_says_what_and_when(self) -> None:
        """The message names the state and the trigger."""
        fault = self.assertRaises(StateForbids, move, S.COMPLETE, T.PAUSE)
        self.assertIn("complete", str(fault))
        self.assertIn("pause", str(fault))


class MovesTests(SynchronousTestCase):
    """Tests for the table as a whole."""

    def test_every_state_has_its_row(self) -> None:
        """No state is missing from the table."""
        self.assertEqual(set(MOVES), set(JobState))

    def test_every_state_can_be_reached_from_the_queue(self) -> None:
        """No state is there for nothing."""
        reached, fresh = {S.QUEUED}, {S.QUEUED}
        while fresh:
            fresh = {to for state in fresh for to in MOVES[state].values()} - reached
            reached |= fresh
        self.assertEqual(reached, set(JobState))

    def test_complete_is_reached_by_verification_alone(self) -> None:
        """A job that was not verified, now or in an earlier turn, is never complete."""
        ways = [
            (state, trigger)
            for state, row in MOVES.items()
            for trigger, to in row.items()
            if to is S.COMPLETE
        ]
        self.assertEqual(ways, [(S.PROBING, T.UNCHANGED), (S.VERIFYING, T.VERIFIED)])

    def test_running_jobs_can_always_be_stopped(self) -> None:
        """Whatever runs can be paused, interrupted, postponed, and can fail."""
        for state in RUNNING:
            self.assertLessEqual({T.PAUSE, T.INTERRUPT, T.POSTPONE, T.FAIL}, set(MOVES[state]))

    def test_what_is_finished_does_not_move_by_itself(self) -> None:
        """From a finished state only a retry leads away, or the wait for another turn."""
        for state in FINISHED:
            self.assertLessEqual(set(MOVES[state]), {T.RETRY, T.POSTPONE})
