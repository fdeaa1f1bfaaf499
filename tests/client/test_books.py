"""What is told of a running job while the journal writes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.books import Books
from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import JobRecord, JobSpec, JobState, Live
from rangedaemon.core.transfer import Trigger
from rangedaemon.errors import NoSpace


class BooksTests(SynchronousTestCase):
    """`Books` at a journal that takes its time."""

    def setUp(self) -> None:
        """A job that was begun."""
        self.writes: list[Deferred[None]] = []
        self.events: list[JobState] = []

        def save(_record: JobRecord) -> Deferred[None]:
            self.writes.append(Deferred())
            return self.writes[-1]

        habits: Any = SimpleNamespace(
            store=SimpleNamespace(save=save),
            announce=lambda _kind, snapshot: self.events.append(snapshot.record.state),
        )
        record = JobRecord(
            id="0" * 16, spec=JobSpec(urls=("http://h/f",), directory="/d"),
            state=JobState.PROBING, created=0.0,
        )  # fmt: skip
        self.books = Books(record, habits, Live)

    def told(self) -> JobRecord:
        """What others hear."""
        return self.books.snapshot().record

    def test_claims(self) -> None:
        """Octets are told of when the journal has the claim; the job itself goes by it at once."""
        first = Deferred.fromCoroutine(self.books.save(covered=IntervalSet.from_pairs([(0, 5)])))
        second = Deferred.fromCoroutine(self.books.save(covered=IntervalSet.from_pairs([(0, 9)])))
        self.assertEqual((self.books.record.covered.total, self.told().covered.total), (9, 0))
        self.writes[0].callback(None)
        self.assertEqual(self.told().covered.total, 5)
        self.writes[1].callback(None)
        self.assertEqual(self.told().covered.total, 9)
        self.successResultOf(first)
        self.successResultOf(second)

    def test_states(self) -> None:
        """So are states."""
        moved = Deferred.fromCoroutine(self.books.move(Trigger.ANSWERED))
        self.assertEqual((self.told().state, self.events), (JobState.PROBING, []))
        self.writes[0].callback(None)
        self.successResultOf(moved)
        self.assertEqual((self.told().state, self.events), (JobState.ACTIVE, [JobState.ACTIVE]))

    def test_not_written(self) -> None:
        """Where the journal cannot be written, what is so is told all the same."""
        moved = Deferred.fromCoroutine(self.books.move(Trigger.ANSWERED))
        self.writes[0].errback(NoSpace("full"))
        self.failureResultOf(moved, NoSpace)
        self.assertEqual((self.told().state, self.events), (JobState.ACTIVE, []))
