"""
What the journal is asked about mirrors: the jobs of their files.

As in `storage.queries`, all block and none commits.  A mirror may have 100,000 files:
they are read by pages and changed by one statement.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import Connection, bindparam, case, delete, func, select, update

from rangedaemon.core.jobs import FINISHED, JobRecord, JobState
from rangedaemon.core.mirrors import Family
from rangedaemon.storage import piecerows
from rangedaemon.storage.rows import from_row, to_row
from rangedaemon.storage.schema import jobs

PENDING = (
    *(JobState.QUEUED, JobState.PROBING, JobState.ACTIVE),
    *(JobState.WAITING, JobState.VERIFYING),
)
_MINE = jobs.c.parent == bindparam("mirror")
_PAGE = (
    select(jobs)
    .where(_MINE, jobs.c.seq > bindparam("after"))
    .order_by(jobs.c.seq)
    .limit(bindparam("most"))
)
_FINISHED_SINCE = func.sum(case((jobs.c.finished >= bindparam("since"), 1), else_=0))
_FAMILY = select(jobs.c.state, func.count(), _FINISHED_SINCE).where(_MINE).group_by(jobs.c.state)
_PAUSE = (
    update(jobs)
    .where(_MINE, jobs.c.state.in_([JobState.QUEUED.value, JobState.WAITING.value]))
    .values(state=JobState.PAUSED.value, retry_at=None)
)
_REQUEUE = update(jobs).where(
    jobs.c.id == bindparam("of_id"),
    jobs.c.state.in_([state.value for state in FINISHED]),
)
_RESUME = (
    update(jobs)
    .where(_MINE, jobs.c.state == JobState.PAUSED.value)
    .values(state=JobState.QUEUED.value)
)


def children(connection: Connection, parent: str, after: int, limit: int) -> list[JobRecord]:
    """At most *limit* jobs of the mirror *parent* with ``seq`` above *after*, oldest first."""
    rows = connection.execute(_PAGE, {"mirror": parent, "after": after, "most": limit})
    return [from_row(row) for row in rows.mappings()]


def family(connection: Connection, parent: str, since: float) -> Family:
    """How the files of the mirror *parent* stand; *since* is when its round began."""
    counts = {
        JobState(state): (jobs_, since_)
        for state, jobs_, since_ in connection.execute(_FAMILY, {"mirror": parent, "since": since})
    }
    none = (0, 0)
    return Family(
        pending=sum(counts.get(state, none)[0] for state in PENDING),
        failed=counts.get(JobState.FAILED, none)[0],
        fetched=counts.get(JobState.COMPLETE, none)[1],
    )


def pause_children(connection: Connection, parent: str) -> None:
    """Pause those that wait; who runs is stopped by who runs it."""
    connection.execute(_PAUSE, {"mirror": parent})


def resume_children(connection: Connection, parent: str) -> None:
    """Queue again those that are paused."""
    connection.execute(_RESUME, {"mirror": parent})


def requeue(connection: Connection, records: Sequence[JobRecord]) -> None:
    """Replace those of *records* that have ended; who does something else by now is left alone."""
    for record in records:
        row = to_row(record)
        connection.execute(_REQUEUE, row | {"of_id": row.pop("id")})


def remove(connection: Connection, job_ids: Sequence[str]) -> None:
    """Forget them."""
    connection.execute(
        delete(jobs).where(jobs.c.id == bindparam("of_id")), [{"of_id": one} for one in job_ids]
    )
    for one in job_ids:
        piecerows.drop(connection, one)
