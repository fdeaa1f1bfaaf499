"""What others need of the journal, as interfaces; `storage.journal` fulfils them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from sqlalchemy import Connection

from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.core.mirrors import Family

T = TypeVar("T")
Begin = Callable[[JobRecord], JobRecord]


class Transactions(Protocol):
    """The journal as those see it who keep tables of their own in it."""

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """Do *work* in a transaction off the reactor thread; durable when this returns.

        What *work* raises undoes all it did, and is raised here.

        :raises StorageFault: the journal failed.
        """


@dataclass(frozen=True, slots=True)
class Agenda:
    """What there is to do for who runs the queue."""

    woken: Sequence[JobRecord]
    """Those that waited until now and are queued again, earliest first."""
    begun: Sequence[JobRecord]
    """Those whose turn it was, highest priority first, oldest first among equals."""
    next_retry: float | None
    """The earliest ``retry_at`` of all that wait still."""


class Families(Protocol):
    """The jobs of mirrors' files on disk; as `JobStore`, of which it is a part."""

    async def children(self, parent: str, *, after: int, limit: int) -> Sequence[JobRecord]:
        """At most *limit* jobs of a mirror with ``seq`` above *after*, oldest first."""

    async def family(self, parent: str, *, since: float) -> Family:
        """How the files of a mirror stand; *since* is when its round began."""

    async def pause_children(self, parent: str) -> None:
        """Pause those that wait."""

    async def resume_children(self, parent: str) -> None:
        """Queue again those that are paused."""

    async def requeue(self, records: Sequence[JobRecord]) -> None:
        """Replace those of *records* that have ended."""

    async def delete_all(self, job_ids: Sequence[str]) -> None:
        """Forget them; nothing happens where there is none."""


class JobStore(Families, Protocol):
    """
    The jobs on disk.

    Every method runs off the reactor thread; what it changed is durable (committed
    and synced) when its Deferred fires.  One writer, in order of the calls.
    """

    async def add(self, records: Sequence[JobRecord]) -> list[JobRecord]:
        """Insert, all or none; the answers carry their ``seq``."""

    async def get(self, job_id: str) -> JobRecord | None:
        """One record, None where there is none."""

    async def ids_from(self, prefix: str, *, limit: int) -> Sequence[str]:
        """At most *limit* ids that begin with *prefix*, which is lower-case hex digits."""

    async def by_name(self, name: str) -> JobRecord | None:
        """The newest record of a job declared under that name, None where there is none."""

    async def declared(self) -> Sequence[JobRecord]:
        """All records of jobs that a configuration declared."""

    async def page(
        self,
        *,
        state: JobState | None,
        limit: int,
        before: int | None,
        parent: str | None = None,
    ) -> Sequence[JobRecord]:
        """At most *limit* records of that state with ``seq`` below *before*, newest first.

        With a *parent* only the files of that mirror, or where it is empty of none.

        They, like all that come in numbers, may be without the hashes of their pieces.
        """

    async def queue(
        self, *, states: Collection[JobState], offset: int, limit: int, backwards: bool
    ) -> Sequence[JobRecord]:
        """Records in *states*, highest priority first, then oldest; or from the other end."""

    async def save(self, record: JobRecord) -> None:
        """Replace the record of that id in one transaction.

        One that has no hashes of pieces leaves those that are known.
        """

    async def delete(self, job_id: str) -> None:
        """Forget it; nothing happens where there is none."""

    async def counts(self) -> Mapping[JobState, int]:
        """How many records are in each state (states without one may be absent)."""

    async def agenda(
        self, *, now: float, most_woken: int, free: int, without: Collection[str], begin: Begin
    ) -> Agenda:
        """Queue those whose ``retry_at`` is not after *now*, and begin with queued ones.

        All in one transaction: a thousand jobs that fall due at once are not as many syncs.

        :param most_woken: how many are queued at the most.
        :param free: how many may begin at the most.
        :param without: who is not meant to begin.
        :param begin: what a record is from then on; called in another thread.
        """

    async def shift_retries(self, by: float) -> None:
        """Move the ``retry_at`` of all waiting records by so many seconds."""
