"""Tests for `Journal.queue`: a stretch of the jobs that wait, as they would run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sqlalchemy import Connection
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import JobRecord, JobSpec, JobState
from rangedaemon.storage import queries
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.threads import inline
from tests.storage.journal_samples import JournalTestCase, job

WAITING = frozenset({JobState.QUEUED, JobState.PAUSED})


def record(number: int, state: JobState, priority: int) -> JobRecord:
    """A record of that state and priority."""
    spec = JobSpec(urls=("http://h/",), directory="/d", priority=priority)
    return JobRecord(id=f"{number:016x}", spec=spec, state=state, created=0.0)


class QueueTests(SynchronousTestCase):
    """Tests for `Journal.queue`."""

    def setUp(self) -> None:
        """A journal with jobs of several states and priorities."""
        place = TemporaryDirectory()
        self.addCleanup(place.cleanup)
        opened = Journal.open(Path(place.name) / "journal.sqlite", in_thread=inline)
        self.journal = self.successResultOf(opened)
        self.addCleanup(lambda: self.successResultOf(self.journal.close()))
        kinds = product((0, 5, -1), (JobState.QUEUED, JobState.PAUSED, JobState.COMPLETE))
        records = [record(n, state, priority) for n, (priority, state) in enumerate([*kinds] * 2)]
        self.records = self.successResultOf(self.journal.add(records))

    def queue(self, offset: int, limit: int, *, backwards: bool) -> list[str]:
        """The ids of that stretch."""
        found = self.successResultOf(
            self.journal.queue(states=WAITING, offset=offset, limit=limit, backwards=backwards)
        )
        return [each.id for each in found]

    def test_every_stretch(self) -> None:
        """Any stretch, from either end, is that of the sorted whole."""
        waiting = [each for each in self.records if each.state in WAITING]
        waiting.sort(key=lambda each: (-each.spec.priority, each.seq))
        whole = [each.id for each in waiting]
        for offset, limit in product(range(len(whole) + 2), (1, 3, 100)):
            stretch = slice(offset, offset + limit)
            self.assertEqual(self.queue(offset, limit, backwards=False), whole[stretch])
            self.assertEqual(self.queue(offset, limit, backwards=True), whole[::-1][stretch])

    def test_ids_from(self) -> None:
        """Ids by their start, in order, as many as asked for; a whole id is its own start."""
        known = sorted(each.id for each in self.records)
        for prefix in ("0", known[3], known[3][:-1], "f", known[5] + "0"):
            for limit in (1, 2, 100):
                found = self.successResultOf(self.journal.ids_from(prefix, limit=limit))
                fit = [each for each in known if each.startswith(prefix)]
                self.assertEqual(found, fit[:limit], prefix)

    def test_after_a_change(self) -> None:
        """A job whose priority changed has moved."""
        last = self.records[-2]
        changed = replace(last, spec=replace(last.spec, priority=9))
        self.successResultOf(self.journal.save(changed))
        self.assertEqual(self.queue(0, 1, backwards=False), [last.id])

    def test_counts_follow_changes(self) -> None:
        """Counts are asked for once, and anew after each change, one under way too."""
        asked: list[object] = []
        count = queries.counts

        def counted(connection: Connection) -> Mapping[JobState, int]:
            asked.append(connection)
            return count(connection)

        self.patch(queries, "counts", counted)
        for _ in range(3):
            found = self.successResultOf(Deferred.fromCoroutine(self.journal.counts()))
        self.assertEqual((found[JobState.PAUSED], len(asked)), (6, 1))
        paused = next(each for each in self.records if each.state is JobState.PAUSED)
        self.successResultOf(self.journal.save(replace(paused, state=JobState.QUEUED)))
        found = self.successResultOf(Deferred.fromCoroutine(self.journal.counts()))
        self.assertEqual((found[JobState.PAUSED], found[JobState.QUEUED]), (5, 7))
        self.successResultOf(self.journal.delete(paused.id))
        found = self.successResultOf(Deferred.fromCoroutine(self.journal.counts()))
        self.assertEqual(found[JobState.QUEUED], 6)
        self.assertEqual(len(asked), 3)


class CostTests(JournalTestCase):
    """What questions and jobs cost where there are many jobs."""

    def setUp(self) -> None:
        super().setUp()
        self.journal = self.opened()
        for at in range(0, 3000, 1000):
            self.now(self.journal.add([job(at + n) for n in range(1000)]))

    def plan(self, query: Any) -> str:
        """How SQLite answers *query*."""

        def explained(connection: Connection) -> str:
            raw = connection.connection.cursor()
            sql = str(query.compile(dialect=connection.dialect))
            rows = raw.execute(f"EXPLAIN QUERY PLAN {sql}", [1] * sql.count("?")).fetchall()
            return "; ".join(str(row[-1]) for row in rows)

        return self.now(self.journal.transact(explained))

    def test_by_index(self) -> None:
        """What is asked with each look at the queue is answered by an index alone, unsorted."""
        for query, index in (
            (queries._NEXT_RETRY, "jobs_by_retry"),
            (queries._DUE, "jobs_by_retry"),
            (queries._BY_NAME, "jobs_by_name"),
            (queries._QUEUED, "jobs_by_turn"),
        ):
            plan = self.plan(query)
            self.assertIn(f"USING INDEX {index}", plan.replace("COVERING ", ""))
            self.assertNotIn("TEMP B-TREE", plan)

    def test_pages_of_one(self) -> None:
        """A plain job that is added alone writes few pages: each is synced before the answer."""
        log = self.path.with_name(f"{self.path.name}-wal")
        before = log.stat().st_size
        for at in range(20):
            self.now(self.journal.add([job(10_000 + at)]))
        self.assertLess((log.stat().st_size - before) / 20, 7.5 * FRAME)


FRAME = 24 + 4096
