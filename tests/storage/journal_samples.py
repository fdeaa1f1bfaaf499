"""Records, and journals in temporary directories, for the tests of the journal."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Coroutine
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import (
    JobError,
    JobRecord,
    JobSpec,
    JobState,
    Login,
    OnChange,
    OnConflict,
    Remembered,
    Verified,
)
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.opening import open_journal
from rangedaemon.storage.threads import InThread, inline

T = TypeVar("T")


def job(number: int, **changes: Any) -> JobRecord:
    """A queued job whose id is *number*; a change may be of the record or of its spec."""
    spec = JobSpec(urls=(f"http://origin.example/{number}.iso",), directory="/srv/downloads")
    of_spec = {name: changes.pop(name) for name in list(changes) if hasattr(spec, name)}
    record = JobRecord(
        id=f"{number:016x}", spec=replace(spec, **of_spec), state=JobState.QUEUED, created=1.5
    )
    return replace(record, **changes)


class JournalTestCase(SynchronousTestCase):
    """Has a directory of its own and awaits what the journal answers."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "state" / "journal.sqlite"

    def now(self, answer: Coroutine[Any, Any, T]) -> T:
        """What *answer* ends with, at once."""
        return self.successResultOf(Deferred.fromCoroutine(answer))

    def failing(self, answer: Coroutine[Any, Any, Any], fault: type[Exception]) -> str:
        """The text of the *fault* that *answer* ends with."""
        failure = self.failureResultOf(Deferred.fromCoroutine(answer), fault)
        return str(failure.value)

    def opened(self, in_thread: InThread = inline) -> Journal:
        """The journal of this test, closed at its end."""
        journal = self.now(Journal.open(self.path, in_thread=in_thread))
        self.addCleanup(lambda: Deferred.fromCoroutine(journal.close()))
        return journal


class OpeningTestCase(JournalTestCase):
    """Can write into the journal's file by itself, and open it to be refused."""

    def setUp(self) -> None:
        super().setUp()
        self.path.parent.mkdir()
        open_journal(self.path).close()

    def execute(self, statement: str) -> None:
        """Run one statement on the closed journal."""
        with closing(sqlite3.connect(self.path)) as connection, connection:
            connection.execute(statement)

    def refused(self, fault: type[Exception]) -> str:
        """The message of the refusal; the file and its neighbours stay as they were."""
        before = self.contents()
        message = self.failing(Journal.open(self.path, in_thread=inline), fault)
        self.assertEqual(self.contents(), before)
        return message

    def contents(self) -> dict[str, bytes]:
        """All files of the state directory but the lock and SQLite's shared memory."""
        return {
            file.name: file.read_bytes()
            for file in self.path.parent.iterdir()
            if file.suffix != ".lock" and not file.name.endswith(("-shm", "-wal"))
        }


# Whatever a `str` can hold, lone surrogates and NUL too.
texts = st.text(st.characters(exclude_categories=()), max_size=12)
counts = st.integers(0, 2**62)
times = st.floats(0, 2**40, allow_nan=False)
ids = st.integers(0, 2**64 - 1).map("{:016x}".format)

intervals = st.lists(st.tuples(counts, counts), max_size=8).map(
    lambda pairs: IntervalSet(ByteRange(min(pair), max(pair)) for pair in pairs)
)

specs = st.builds(
    JobSpec,
    urls=st.lists(texts, min_size=1, max_size=3).map(tuple),
    directory=texts,
    name=st.none() | texts,
    filename=st.none() | texts,
    checksum=st.none() | texts,
    headers=st.dictionaries(texts, texts, max_size=3),
    logins=st.lists(st.builds(Login, texts, texts, texts), max_size=2).map(tuple),
    guarded=st.booleans(),
    segments=st.integers(1, 64),
    priority=st.integers(-(2**31), 2**31),
    rate_limit=st.none() | counts,
    on_conflict=st.sampled_from(OnConflict),
    on_change=st.sampled_from(OnChange),
    paused=st.booleans(),
    kind=st.sampled_from(["download", "upload"]),
    source=st.sampled_from(["api", "config"]),
)

records = st.builds(
    JobRecord,
    id=ids,
    spec=specs,
    state=st.sampled_from(JobState),
    created=times,
    seq=st.just(0),
    started=st.none() | times,
    finished=st.none() | times,
    attempts=counts,
    retry_at=st.none() | times,
    error=st.none() | st.builds(JobError, texts, texts, st.none() | texts),
    filename=st.none() | texts,
    remembered=st.builds(
        Remembered,
        etag=st.none() | texts,
        last_modified=st.none() | texts,
        date=st.none() | texts,
        length=st.none() | counts,
        url=st.none() | texts,
    ),
    accepts_ranges=st.none() | st.booleans(),
    covered=intervals,
    refetched=counts,
    changes=counts,
    verified=st.none() | st.sampled_from(Verified),
    digest=st.none() | st.just("sha-256=00ff"),
)
