"""
The life of a job: one table, and two rules on top of it.

Rule 1: a state changes only by an event of this table; an absent pair is refused.
Rule 2: whatever changes the state is written to the journal in the same step.

The states are those of the public job object and nothing besides.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from rangedaemon.core.jobs import JobState
from rangedaemon.errors import StateForbids


class Trigger(StrEnum):
    """What can happen to a job."""

    START = "start"
    """It got a slot: the first request goes out."""
    ANSWERED = "answered"
    """The first answer was judged good: octets come."""
    CHANGED = "changed"
    """The representation is another one: begin again with a first request."""
    FETCHED = "fetched"
    """Every octet is on disk."""
    UNCHANGED = "unchanged"
    """The origin still has what was complete before."""
    VERIFIED = "verified"
    """Checked, synced and under its final name."""
    FAIL = "fail"
    """It cannot succeed without somebody's help."""
    POSTPONE = "postpone"
    """It may succeed, or begin, later: ``retry_at`` says when."""
    DUE = "due"
    """The time of the retry has come."""
    INTERRUPT = "interrupt"
    """The daemon stops, stopped, or takes the slot for another job."""
    PAUSE = "pause"
    RESUME = "resume"
    RETRY = "retry"


_S, _E = JobState, Trigger

_RUNNING_MOVES = {
    _E.FAIL: _S.FAILED,
    _E.POSTPONE: _S.WAITING,
    _E.INTERRUPT: _S.QUEUED,
    _E.PAUSE: _S.PAUSED,
}

MOVES: Mapping[JobState, Mapping[Trigger, JobState]] = MappingProxyType(
    {
        _S.QUEUED: {
            _E.START: _S.PROBING,
            _E.POSTPONE: _S.WAITING,
            _E.PAUSE: _S.PAUSED,
            _E.FAIL: _S.FAILED,
        },
        _S.PROBING: {_E.ANSWERED: _S.ACTIVE, _E.UNCHANGED: _S.COMPLETE, **_RUNNING_MOVES},
        _S.ACTIVE: {_E.FETCHED: _S.VERIFYING, _E.CHANGED: _S.PROBING, **_RUNNING_MOVES},
        _S.VERIFYING: {_E.VERIFIED: _S.COMPLETE, _E.CHANGED: _S.PROBING, **_RUNNING_MOVES},
        _S.WAITING: {
            _E.DUE: _S.QUEUED,
            _E.RETRY: _S.QUEUED,
            _E.PAUSE: _S.PAUSED,
            _E.FAIL: _S.FAILED,
        },
        _S.PAUSED: {_E.RESUME: _S.QUEUED},
        _S.COMPLETE: {_E.POSTPONE: _S.WAITING},
        _S.FAILED: {_E.RETRY: _S.QUEUED, _E.POSTPONE: _S.WAITING},
    }
)


def move(state: JobState, event: Trigger) -> JobState:
    """The state after *event*.

    :raises StateForbids: the table has no such move.
    """
    try:
        return MOVES[state][event]
    except KeyError:
        raise StateForbids(f"a job that is {state} cannot {event}") from None
