"""
The journal: all jobs on disk, SQLite off the reactor thread.

The rule: what a Deferred has answered is committed and synced.  Whatever is asked
while one transaction is on its way to the disk joins the next one (group commit), so
that a hundred callers share one sync.  Within it each has a savepoint: who fails,
fails alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection
from twisted.internet.defer import Deferred, fail
from twisted.python.failure import Failure

from rangedaemon.core.jobs import RUNNING, JobRecord, JobState
from rangedaemon.core.mirrors import Family
from rangedaemon.core.pieces import Pieces
from rangedaemon.errors import StorageFault
from rangedaemon.storage import families, queries
from rangedaemon.storage.opening import MIGRATIONS, Opened, open_journal
from rangedaemon.storage.ports import Agenda, Begin, JobStore, Transactions
from rangedaemon.storage.sqlfaults import REFUSALS, named_faults
from rangedaemon.storage.threads import InThread, OwnThreads

T = TypeVar("T")
Work = Callable[[Connection], Any]
Asked = tuple[Work, Deferred[Any]]


class Journal(JobStore, Transactions):
    """
    The jobs of one state directory; `open` it, `close` it.

    *in_thread* may have many threads: we never use two at a time.
    """

    def __init__(
        self, opened: Opened, in_thread: InThread, own_thread: OwnThreads | None = None
    ) -> None:
        self._opened = opened
        self._in_thread = in_thread
        self._asked: list[Asked] = []
        self._busy = False
        self._closed = False
        self._own_thread = own_thread
        self._changes = 0
        self._counted: Mapping[JobState, int] | None = None
        self._pieces: dict[str, Pieces] = {}
        """Hashes of running jobs that are kept already: they are not written again."""

    @classmethod
    async def open(
        cls, path: Path, *, in_thread: InThread, migrations: Path = MIGRATIONS
    ) -> Journal:
        """
        Open the journal file at *path*; what may go wrong stands at `open_journal`.

        The lock, the write-ahead log and backups are made beside it.
        """
        return cls(await in_thread(open_journal, path, migrations), in_thread)

    @property
    def was_clean(self) -> bool:
        """Whether the last one who had it open closed it; True for a new journal."""
        return self._opened.was_clean

    @property
    def path(self) -> Path:
        """The journal's file."""
        return self._opened.path

    async def close(self) -> None:
        """Finish what was asked before, then mark the journal as cleanly closed."""
        if self._closed:
            return
        settled = self._ask(_nothing)
        self._closed = True
        try:
            await settled
            await self._in_thread(self._opened.close)
        finally:
            if self._own_thread is not None:
                self._own_thread.stop()

    # -- what `JobStore` promises ---------------------------------------------------

    async def add(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """Insert, all or none; the answers carry their ``seq``."""
        return await self._change(partial(queries.add, records=records))

    async def get(self, job_id: str) -> JobRecord | None:
        """One record, None where there is none."""
        return await self._ask(partial(queries.get, job_id=job_id))

    async def ids_from(self, prefix: str, *, limit: int) -> Sequence[str]:
        """At most *limit* ids that begin with *prefix*, which is lower-case hex digits."""
        return await self._ask(partial(queries.ids_from, prefix=prefix, limit=limit))

    async def by_name(self, name: str) -> JobRecord | None:
        """The newest record of a job declared under that name, None where there is none."""
        return await self._ask(partial(queries.by_name, name=name))

    async def declared(self) -> Sequence[JobRecord]:
        """All records of jobs that a configuration declared."""
        return await self._ask(queries.declared)

    async def page(
        self,
        *,
        state: JobState | None,
        limit: int,
        before: int | None,
        parent: str | None = None,
    ) -> Sequence[JobRecord]:
        """At most *limit* records of that state with ``seq`` below *before*, newest first."""
        return await self._ask(
            partial(queries.page, state=state, limit=limit, before=before, parent=parent)
        )

    async def queue(
        self, *, states: Collection[JobState], offset: int, limit: int, backwards: bool
    ) -> Sequence[JobRecord]:
        """Records in *states*, highest priority first, then oldest; or from the other end."""
        chosen = frozenset(states)
        return await self._ask(
            partial(queries.queue, states=chosen, offset=offset, limit=limit, backwards=backwards)
        )

    async def save(self, record: JobRecord) -> None:
        """Replace the record of that id in one transaction."""
        pieces, running = record.spec.pieces, record.state in RUNNING
        new = pieces is not self._pieces.get(record.id)
        await self._change(partial(queries.save, record=record, pieces=new))
        if pieces is not None and running:
            self._pieces[record.id] = pieces
        else:
            self._pieces.pop(record.id, None)

    async def delete(self, job_id: str) -> None:
        """Forget it; nothing happens where there is none."""
        self._pieces.pop(job_id, None)
        await self._change(partial(queries.remove, job_id=job_id))

    async def counts(self) -> Mapping[JobState, int]:
        """How many records are in each state that has any; asked anew only after a change."""
        if self._counted is not None and not self._closed:
            return self._counted
        changes = self._changes
        counted = await self._ask(queries.counts)
        if changes == self._changes:
            self._counted = counted
        return counted

    async def agenda(
        self, *, now: float, most_woken: int, free: int, without: Collection[str], begin: Begin
    ) -> Agenda:
        """Queue those whose time has come, begin with queued ones; when to look again."""
        wake = partial(queries.wake, now=now, limit=most_woken)
        start = partial(queries.begin, limit=free, without=frozenset(without), begin=begin)
        found = await self._ask(partial(queries.agenda, wake=wake, begin=start))
        if found.woken or found.begun:
            self._changes += 1
            self._counted = None
        return found

    async def shift_retries(self, by: float) -> None:
        """Move the ``retry_at`` of all waiting records by so many seconds."""
        await self._change(partial(queries.shift_retries, by=by))

    # -- what `Families` promises ---------------------------------------------------

    async def children(self, parent: str, *, after: int, limit: int) -> Sequence[JobRecord]:
        """At most *limit* jobs of a mirror with ``seq`` above *after*, oldest first."""
        return await self._ask(partial(families.children, parent=parent, after=after, limit=limit))

    async def family(self, parent: str, *, since: float) -> Family:
        """How the files of a mirror stand."""
        return await self._ask(partial(families.family, parent=parent, since=since))

    async def pause_children(self, parent: str) -> None:
        """Pause those that wait."""
        await self._change(partial(families.pause_children, parent=parent))

    async def resume_children(self, parent: str) -> None:
        """Queue again those that are paused."""
        await self._change(partial(families.resume_children, parent=parent))

    async def requeue(self, records: Sequence[JobRecord]) -> None:
        """Replace those of *records* that have ended."""
        if records:
            await self._change(partial(families.requeue, records=records))

    async def delete_all(self, job_ids: Sequence[str]) -> None:
        """Forget them; nothing happens where there is none."""
        for job_id in job_ids:
            self._pieces.pop(job_id, None)
        if job_ids:
            await self._change(partial(families.remove, job_ids=job_ids))

    # -- what `Transactions` promises -----------------------------------------------

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Do *work* in a transaction; committed and synced when this returns."""
        return await self._ask(work)

    # -- group commit ---------------------------------------------------------------

    def _change(self, work: Callable[[Connection], T]) -> Deferred[T]:
        self._changes += 1
        self._counted = None
        return self._ask(work)

    def _ask(self, work: Callable[[Connection], T]) -> Deferred[T]:
        if self._closed:
            return fail(StorageFault("the journal is closed: the daemon is stopping"))
        answer: Deferred[T] = Deferred()
        self._asked.append((work, answer))
        if not self._busy:
            self._commit()
        return answer

    def _commit(self) -> None:
        """Have what was asked so far done together; callbacks, as each job posted pays for it."""
        batch, self._asked = self._asked, []
        self._busy = True
        works = [work for work, _ in batch]
        done = self._in_thread(commit_together, self._opened, works)
        done.addBoth(self._committed, batch)

    def _committed(self, outcomes: list[Any] | Failure, batch: list[Asked]) -> None:
        self._busy = False
        if self._asked:
            self._commit()  # before the answers: the disk need not wait for whom they wake
        if isinstance(outcomes, Failure):
            outcomes = [outcomes] * len(batch)
        for (_, answer), outcome in zip(batch, outcomes, strict=True):
            answer.callback(outcome)


def commit_together(opened: Opened, works: Sequence[Work]) -> list[Any]:
    """
    Do all *works* in one transaction; the answers, a `Failure` for each that failed.

    Where the transaction as a whole fails, each gets one of its own: a full disk lets
    reads pass and fails who would write.
    """
    if len(works) > 1:
        try:
            with opened.connection.begin():
                return [_attempt(opened.connection, work) for work in works]
        except REFUSALS:
            pass
    return [_alone(opened, work) for work in works]


def _attempt(connection: Connection, work: Work) -> Any:
    connection.exec_driver_sql("SAVEPOINT work")  # SQLAlchemy's own cost as much as the work
    answer: Any
    try:
        answer = work(connection)
    except REFUSALS:
        raise
    except Exception:  # noqa: BLE001 - handed on: it is the caller's answer
        answer = Failure()
        connection.exec_driver_sql("ROLLBACK TO work")
    connection.exec_driver_sql("RELEASE work")
    return answer


def _alone(opened: Opened, work: Work) -> Any:
    try:
        with named_faults(opened.path), opened.connection.begin():
            return work(opened.connection)
    except Exception:  # noqa: BLE001 - handed on: it is the caller's answer
        return Failure()


def _nothing(_connection: Connection) -> None:
    """Do nothing, when its turn has come."""
