"""
What the journal asks its database: one function per question, inside a transaction.

All block and none commits; `rangedaemon.storage.journal` decides where they run and
which of them share a transaction.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sqlalchemy import (
    Connection,
    Select,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
    union_all,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.exc import IntegrityError

from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.core.transfer import Trigger, move
from rangedaemon.errors import NameTaken, UnknownJob
from rangedaemon.storage import piecerows
from rangedaemon.storage.opening import driver
from rangedaemon.storage.ports import Agenda, Begin
from rangedaemon.storage.rows import from_row, lookup_name, to_row
from rangedaemon.storage.schema import jobs, tally

_LAST_SEQ = text("SELECT seq FROM sqlite_sequence WHERE name = 'jobs'")
_INSERT = insert(jobs)
_COLUMNS = [column.name for column in jobs.columns if column.name != "seq"]
_INSERT_ONE = str(_INSERT.compile(dialect=sqlite.dialect(), column_keys=_COLUMNS))
"""As text for the driver: it runs for each job that is posted alone, and costs half as much."""
_UPDATE = update(jobs).where(jobs.c.id == bindparam("of_id"))
_MOVE = update(jobs).where(jobs.c.id == bindparam("of_id")).values(state=bindparam("new_state"))
_DELETE = delete(jobs).where(jobs.c.id == bindparam("of_id"))
_BY_ID = select(jobs).where(jobs.c.id == bindparam("of_id"))
_BY_NAME = (
    select(jobs).where(jobs.c.name == bindparam("named")).order_by(jobs.c.seq.desc()).limit(1)
)
_IDS_FROM = (
    select(jobs.c.id)
    .where(jobs.c.id >= bindparam("first"), jobs.c.id < bindparam("behind"))
    .order_by(jobs.c.id)
    .limit(bindparam("most"))
)
_TALLY = select(tally.c.state, tally.c.jobs).where(tally.c.jobs > 0)
_QUEUED = (
    select(jobs)
    .where(jobs.c.state == JobState.QUEUED.value)
    .order_by(jobs.c.priority.desc(), jobs.c.seq)
    .limit(bindparam("at_most"))
)
_DUE = (
    select(jobs)
    .where(jobs.c.state == JobState.WAITING.value, jobs.c.retry_at <= bindparam("now"))
    .order_by(jobs.c.retry_at, jobs.c.seq)
    .limit(bindparam("at_most"))
)
_NEXT_RETRY = select(func.min(jobs.c.retry_at)).where(
    jobs.c.state == JobState.WAITING.value, jobs.c.retry_at.is_not(None)
)


def add(connection: Connection, records: Sequence[JobRecord]) -> list[JobRecord]:
    """Insert, all or none; ascending ``seq`` in the order given."""
    if len(records) == 1:
        return [_add_one(connection, records[0])]
    if not records:
        return []
    last = connection.execute(_LAST_SEQ).scalar() or 0
    numbered = [replace(record, seq=last + n) for n, record in enumerate(records, 1)]
    try:
        connection.execute(_INSERT, [to_row(record) | {"seq": record.seq} for record in numbered])
        piecerows.put(connection, numbered)
    except IntegrityError as error:
        raise NameTaken(_taken(connection, records, last)) from error
    return numbered


def _add_one(connection: Connection, record: JobRecord) -> JobRecord:
    row = to_row(record)
    try:
        result = driver(connection).execute(_INSERT_ONE, [row[name] for name in _COLUMNS])
    except sqlite3.IntegrityError as error:
        raise NameTaken(_id_taken(record.id)) from error
    piecerows.put(connection, [record])
    return replace(record, seq=result.lastrowid or 0)


def _id_taken(job_id: str) -> str:
    return f"a job with id {job_id} exists already; choose another id, or none"


def _taken(connection: Connection, records: Sequence[JobRecord], last: int) -> str:
    """Whose id it was; the first ones of *records* are in the table, about to be rolled back."""
    for record in records:
        known = get(connection, record.id)
        if known is not None and known.seq <= last:
            return _id_taken(record.id)
    return "two of these jobs have the same id; choose others, or none"


def get(connection: Connection, job_id: str) -> JobRecord | None:
    """One record, None where there is none."""
    found = _first(connection, _BY_ID, {"of_id": job_id})
    return None if found is None else piecerows.with_pieces(connection, [found])[0]


def ids_from(connection: Connection, prefix: str, limit: int) -> list[str]:
    """At most *limit* ids that begin with *prefix*, which is lower-case hex digits."""
    rows = connection.execute(_IDS_FROM, {"first": prefix, "behind": f"{prefix}g", "most": limit})
    return [job_id for (job_id,) in rows]


def by_name(connection: Connection, name: str) -> JobRecord | None:
    """The newest record of that name."""
    return _first(connection, _BY_NAME, {"named": lookup_name(name)})


def declared(connection: Connection) -> list[JobRecord]:
    """All records whose ``source`` is a configuration; one pass over the table."""
    query = select(jobs).where(jobs.c.spec.like('%"source":"config"%'))
    found = _all(connection, query.order_by(jobs.c.seq), {})
    return [record for record in found if record.spec.source == "config"]


def page(
    connection: Connection,
    state: JobState | None,
    limit: int,
    before: int | None,
    parent: str | None = None,
) -> list[JobRecord]:
    """At most *limit* records with ``seq`` below *before*, newest first."""
    query = select(jobs).order_by(jobs.c.seq.desc()).limit(limit)
    if parent is not None:
        query = query.where(jobs.c.parent == parent if parent else jobs.c.parent.is_(None))
    if state is not None:
        query = query.where(jobs.c.state == state.value)
    if before is not None:
        query = query.where(jobs.c.seq < before)
    return _all(connection, query, {})


def queue(
    connection: Connection,
    states: Collection[JobState],
    offset: int,
    limit: int,
    backwards: bool,
) -> list[JobRecord]:
    """
    A stretch of the records in *states*, highest priority first, then oldest.

    Each state gives its first so many by the index, and only those are merged: the
    cost goes with the stretch, not with the length of the queue.
    """
    order = [jobs.c.priority.desc(), jobs.c.seq]
    if backwards:
        order = [jobs.c.priority, jobs.c.seq.desc()]
    firsts = [
        select(
            select(jobs.c.seq, jobs.c.priority)
            .where(jobs.c.state == state.value)
            .order_by(*order)
            .limit(offset + limit)
            .subquery()
        )
        for state in states
    ]
    merged = union_all(*firsts).subquery()
    chosen = select(jobs).join(merged, jobs.c.seq == merged.c.seq)
    return _all(connection, chosen.order_by(*order).limit(limit).offset(offset), {})


def save(connection: Connection, record: JobRecord, *, pieces: bool = True) -> None:
    """
    Replace the record of that id; its ``seq`` stays.

    :param pieces: whether to keep the hashes of pieces that it carries, too; or that it has none.
    :raises UnknownJob: there is none.
    """
    row = to_row(record)
    job_id = row.pop("id")
    if connection.execute(_UPDATE, row | {"of_id": job_id}).rowcount == 0:
        raise UnknownJob(f"the journal has no job {job_id}: it was removed meanwhile")
    if pieces and record.spec.pieces is None:
        piecerows.drop(connection, job_id)
    elif pieces:
        piecerows.put(connection, [record])


def remove(connection: Connection, job_id: str) -> None:
    """Forget it; nothing happens where there is none."""
    connection.execute(_DELETE, {"of_id": job_id})
    piecerows.drop(connection, job_id)


def counts(connection: Connection) -> Mapping[JobState, int]:
    """How many records are in each state."""
    return {JobState(row.state): row.jobs for row in connection.execute(_TALLY)}


Records = Callable[[Connection], Sequence[JobRecord]]


def agenda(connection: Connection, wake: Records, begin: Records) -> Agenda:
    """Queue those whose time has come, begin with queued ones; when to look again."""
    return Agenda(wake(connection), begin(connection), connection.execute(_NEXT_RETRY).scalar())


def wake(connection: Connection, now: float, limit: int) -> Sequence[JobRecord]:
    """Queue waiting records whose time has come, earliest first."""
    due = _all(connection, _DUE, {"now": now, "at_most": limit})
    woken = [replace(record, state=move(record.state, Trigger.DUE)) for record in due]
    if woken:
        rows = [{"of_id": record.id, "new_state": record.state.value} for record in woken]
        connection.execute(_MOVE, rows)
    return woken


def begin(
    connection: Connection, limit: int, without: Collection[str], begin: Begin
) -> Sequence[JobRecord]:
    """Queued records but those in *without*, as *begin* makes them; they are saved so.

    Highest priority first, oldest first among equals.
    """
    if limit <= 0:
        return []
    # So many more are read instead of naming them in SQL: one statement whatever their number.
    rows = connection.execute(_QUEUED, {"at_most": limit + len(without)}).mappings()
    chosen = [from_row(row) for row in rows if row["id"] not in without][:limit]
    begun = [begin(record) for record in piecerows.with_pieces(connection, chosen)]
    for record in begun:
        save(connection, record, pieces=False)
    return begun


def shift_retries(connection: Connection, by: float) -> None:
    """Move the ``retry_at`` of all records that wait after an error by so many seconds.

    What waits for an hour of its own goes by the clock, wherever that was set to.
    """
    waiting = update(jobs).where(jobs.c.state == JobState.WAITING.value, jobs.c.error.is_not(None))
    connection.execute(waiting.values(retry_at=jobs.c.retry_at + by))


def _first(
    connection: Connection, query: Select[Any], values: Mapping[str, Any]
) -> JobRecord | None:
    row = connection.execute(query, values).mappings().first()
    return None if row is None else from_row(row)


def _all(connection: Connection, query: Select[Any], values: Mapping[str, Any]) -> list[JobRecord]:
    return [from_row(row) for row in connection.execute(query, values).mappings()]
