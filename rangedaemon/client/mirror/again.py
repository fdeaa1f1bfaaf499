"""The job of a mirror's file whose turn it is again; pure."""

from __future__ import annotations

from dataclasses import replace

from rangedaemon.client.repeating import begun_anew
from rangedaemon.core.jobs import JobRecord, JobSpec, JobState
from rangedaemon.core.mirroring import inherited
from rangedaemon.core.transfer import Trigger, move


def queued_again(mirror: JobSpec, record: JobRecord, *, anew: bool) -> JobRecord:
    """
    The job of a file, ended, to be fetched or to ask about it itself, with the mirror's wishes.

    :param anew: whether its file is another one at the origin, or gone here.
    """
    if record.state is JobState.COMPLETE:
        state = move(move(record.state, Trigger.POSTPONE), Trigger.DUE)
        finished = record.finished
    else:
        state, finished = move(record.state, Trigger.RETRY), None
    spec = replace(record.spec, **inherited(mirror))
    again = replace(
        record, spec=spec, state=state, attempts=0, retry_at=None, error=None, finished=finished
    )
    return replace(again, **begun_anew(again)) if anew else again
