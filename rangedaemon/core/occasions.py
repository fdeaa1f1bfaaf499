"""
What hooks are called for, and what they are told; pure.

A job begins once for each time that somebody asks for it: at its first try, and again
after it was resumed or retried by hand, but not at each try of its own.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from enum import StrEnum

from rangedaemon.core.jobs import FINISHED, RUNNING, JobEvent, JobRecord, JobState


class Occasion(StrEnum):
    """What may call a hook."""

    START = "start"
    """A job got a slot, at the first try that somebody asked for."""
    COMPLETE = "complete"
    """Its file is there: verified, synced, under its final name."""
    FAILURE = "failure"
    """It failed for good; it is not tried again by itself."""
    CHANGE = "change"
    """The file changed at its origin while it was fetched."""


class Occasions:
    """Follows the events of all jobs; remembers the states of unfinished ones only."""

    def __init__(self) -> None:
        self._states: dict[str, JobState] = {}

    def of(self, event: JobEvent) -> Occasion | None:
        """The occasion that *event* is, None where it is none."""
        record = event.snapshot.record
        if event.kind == "changed":
            return Occasion.CHANGE
        before = self._states.get(record.id)
        if event.kind == "removed" or record.state in FINISHED:
            self._states.pop(record.id, None)
        else:
            self._states[record.id] = record.state
        return _occasion(before, record) if event.kind == "job" else None


def _occasion(before: JobState | None, record: JobRecord) -> Occasion | None:
    if record.state is JobState.PROBING and before not in RUNNING and record.attempts == 1:
        return Occasion.START
    if before is None:
        return None  # it came so from an earlier run, and was told of then
    if record.state is JobState.COMPLETE:
        return Occasion.COMPLETE
    return Occasion.FAILURE if record.state is JobState.FAILED else None


def environment(occasion: Occasion, job: Mapping[str, object], text: str) -> dict[str, str]:
    """
    What a command is told by its environment.

    :param job: the job object of the API.
    :param text: the same as JSON, for commands that want all of it.
    """
    error = job.get("error")
    told: dict[str, object] = {
        **{name: job.get(name) for name in _TOLD},
        "url": next(iter(job.get("urls") or ()), None),  # type: ignore[call-overload]
        **({f"error_{name}": error[name] for name in ("code", "message")} if error else {}),  # type: ignore[index]
    }
    plain = {
        f"RANGEDAEMON_{name.upper()}": str(value).replace("\0", "")
        for name, value in told.items()
        if value is not None
    }
    return {"RANGEDAEMON_EVENT": occasion.value, "RANGEDAEMON_JOB": text, **plain}


_TOLD = (
    *("id", "kind", "name", "state", "directory", "filename", "path", "size", "received"),
    *("checksum", "verified", "attempts"),
)


def signature(secret: bytes, body: bytes) -> str:
    """What proves that who has *secret* sent *body*: ``sha256=`` and an HMAC in hex (RFC 2104)."""
    return f"sha256={hmac.new(secret, body, 'sha256').hexdigest()}"
