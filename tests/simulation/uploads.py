"""One life of an upload store after the other, over the same directories and journal."""

from __future__ import annotations

import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Connection, create_engine, event
from sqlalchemy.pool import StaticPool
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.task import Clock

from rangedaemon.core.uploads import Upload
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.schema import create, upload_tally, uploads
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.rows import from_row
from rangedaemon.storage.uploads.store import open_upload_store
from tests.client.world import HandFired

T = TypeVar("T")
START = 1_700_000_000.0


class Books(Transactions):
    """A journal in memory, whose transactions come one after the other, when the story says so.

    It can be killed before and behind each, and never within: SQLite sees to that.
    """

    def __init__(self, before: Callable[[], None]) -> None:
        self.waiting: list[Deferred[None]] = []
        self.held = False
        self._before = before
        self._raw = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
        self._engine = create_engine("sqlite://", creator=self._same, poolclass=StaticPool)
        event.listen(self._engine, "begin", _begin)
        self._connection = self._engine.connect()
        with self._connection.begin():
            create(self._connection, "test")

    def _same(self) -> sqlite3.Connection:
        return self._raw

    async def transact(self, work: Callable[[Connection], T]) -> T:
        """As `Transactions.transact`."""
        if self.held or self.waiting:
            turn: Deferred[None] = Deferred()
            self.waiting.append(turn)
            await turn
        self._before()
        with self._connection.begin():
            answer = work(self._connection)
        self._before()
        return answer

    def fire(self) -> None:
        """Do the oldest transaction."""
        self.waiting.pop(0).callback(None)

    def image(self) -> bytes:
        """What is committed."""
        return self._raw.serialize()

    def restore(self, image: bytes) -> None:
        """Make it be like this."""
        self._raw.deserialize(image)

    def rows(self) -> list[Upload]:
        """All uploads."""
        with self._connection.begin():
            return [from_row(row) for row in self._connection.execute(uploads.select()).mappings()]

    def tally(self) -> tuple[int, int]:
        """Octets and unfinished uploads as the triggers have counted them."""
        with self._connection.begin():
            rows = self._connection.execute(upload_tally.select()).mappings().all()
        return sum(row["octets"] for row in rows), sum(row["unfinished"] for row in rows)

    def close(self) -> None:
        """Let go of it."""
        self._connection.close()
        self._engine.dispose()


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql("BEGIN")


class Life:
    """A store from its start to its end."""

    MOST_TURNS = 20_000

    def __init__(
        self,
        books: Books,
        state: Path,
        mount: UploadMount,
        *,
        held: bool,
        seconds: float,
        new_id: Callable[[], str],
        on_published: Callable[[Upload], None],
    ) -> None:
        self.books = books
        self.clock = Clock()
        self.clock.advance(seconds)
        self.threads = HandFired()
        self.threads.held = books.held = held
        self.store = open_upload_store(
            state,
            [mount],
            journal=books,
            in_thread=self.threads,
            clock=self.clock,
            wall=lambda: START + self.clock.seconds(),
            new_id=new_id,
            keep_free=0,
            on_published=on_published,
        )

    def work(self, which: int) -> bool:
        """Do a piece of the work that disk or journal have to do; whether there was any."""
        most = len(self.threads.waiting) + bool(self.books.waiting)
        if not most:
            return False
        which %= most
        if which < len(self.threads.waiting):
            self.threads.waiting.pop(which)()
        else:
            self.books.fire()
        return True

    def work_off(self) -> None:
        """Do everything that is due."""
        for _ in range(self.MOST_TURNS):
            if not self.work(0):
                return
        raise AssertionError("the work does not end")

    def finish(self, story: Awaitable[T]) -> T:
        """Work until *story* has ended; what it returns or raises."""
        outcome: list[Any] = []
        ensureDeferred(story).addBoth(outcome.append)  # type: ignore[arg-type]
        self.work_off()
        if not outcome:
            raise AssertionError("the story does not end")
        [result] = outcome
        if hasattr(result, "raiseException"):
            result.raiseException()
        return result  # type: ignore[no-any-return]

    def stop(self) -> float:
        """An orderly end; what the clock shows then."""
        self.threads.held = self.books.held = False
        self.finish(self.store.close())
        return self.clock.seconds()
