"""What becomes of a queued job when there is a slot for it; pure."""

from __future__ import annotations

from dataclasses import replace
from datetime import tzinfo

from rangedaemon.core.calendar import opening_of
from rangedaemon.core.jobs import JobRecord
from rangedaemon.core.timetable import parse_window
from rangedaemon.core.transfer import Trigger, move


def begun(record: JobRecord, now: float, zone: tzinfo) -> JobRecord:
    """*record* as it is from *now* on: started, or waiting until its window opens.

    :raises StateForbids: it is not queued.
    """
    if record.spec.window is not None:
        opening = opening_of(parse_window(record.spec.window), now, zone)
        if opening > now:
            return replace(record, state=move(record.state, Trigger.POSTPONE), retry_at=opening)
    return replace(
        record,
        state=move(record.state, Trigger.START),
        started=record.started or now,
        attempts=record.attempts + 1,
        error=None,
        retry_at=None,
    )
