"""Tests for `rangedaemon.storage.journal`: what `JobStore` promises."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from twisted.internet.defer import Deferred

from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.errors import NameTaken, StorageFault, UnknownJob
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.ports import Agenda
from rangedaemon.storage.threads import inline
from tests.storage.journal_samples import JournalTestCase, job, records

IDS = tuple(f"{number:016x}" for number in range(6))
NAMES = (None, "debian", "debian\ud800", "")


class AddTests(JournalTestCase):
    """Tests for `Journal.add`."""

    def test_numbers_in_order(self) -> None:
        """Each record gets the next number, in the order given, whatever it came with."""
        journal = self.opened()
        first = self.now(journal.add([job(5, seq=99), job(3)]))
        second = self.now(journal.add([job(4)]))
        self.assertEqual([record.seq for record in first + second], [1, 2, 3])
        self.assertEqual([record.id[-1] for record in first + second], ["5", "3", "4"])

    def test_number_never_given_twice(self) -> None:
        """A number is not given again after its job was removed: a cursor stays right."""
        journal = self.opened()
        self.now(journal.add([job(1), job(2)]))
        self.now(journal.delete(job(2).id))
        [third] = self.now(journal.add([job(3)]))
        self.assertEqual(third.seq, 3)

    def test_known_id(self) -> None:
        """An id that is there is refused by name, and none of the list is added."""
        journal = self.opened()
        self.now(journal.add([job(1)]))
        message = self.failing(journal.add([job(2), job(1)]), NameTaken)
        self.assertIn(job(1).id, message)
        self.assertIsNone(self.now(journal.get(job(2).id)))

    def test_same_id_twice_in_one_list(self) -> None:
        """Two records of one id in one list are refused, both."""
        journal = self.opened()
        self.assertIn("same id", self.failing(journal.add([job(1), job(1)]), NameTaken))
        self.assertEqual(self.now(journal.counts()), {})

    def test_nothing(self) -> None:
        """An empty list is no error."""
        self.assertEqual(self.now(self.opened().add([])), [])


class SaveTests(JournalTestCase):
    """Tests for `Journal.save` and `Journal.delete`."""

    def test_keeps_number(self) -> None:
        """A saved record keeps the number it was added with."""
        journal = self.opened()
        self.now(journal.add([job(1)]))
        self.now(journal.save(job(1, state=JobState.ACTIVE, seq=50)))
        self.assertEqual(self.now(journal.get(job(1).id)), job(1, state=JobState.ACTIVE, seq=1))

    def test_unknown(self) -> None:
        """Saving a job that was removed meanwhile says so, and does not bring it back."""
        journal = self.opened()
        self.failing(journal.save(job(1)), UnknownJob)
        self.assertIsNone(self.now(journal.get(job(1).id)))

    def test_delete_unknown(self) -> None:
        """Removing what is not there is no error."""
        self.assertIsNone(self.now(self.opened().delete(job(1).id)))


def probing(record: JobRecord) -> JobRecord:
    """What becomes of a record whose turn it is."""
    return replace(record, state=JobState.PROBING)


def unbegun(record: JobRecord) -> JobRecord:
    """Nothing becomes of it."""
    return record


NOTHING = {"now": 0.0, "most_woken": 0, "free": 0, "without": (), "begin": unbegun}


class QueueTests(JournalTestCase):
    """Tests for `Journal.agenda`."""

    def agenda(self, journal: Journal, **asked: Any) -> Agenda:
        """What it says; nobody is woken and nobody starts unless asked for."""
        agenda: Agenda = self.now(journal.agenda(**(NOTHING | asked)))
        return agenda

    def numbers(self, found: Any) -> list[int]:
        """The ids of what was found, as numbers."""
        return [int(record.id, 16) for record in found]

    def test_turn(self) -> None:
        """The highest priority comes first, the oldest first among equals."""
        journal = self.opened()
        self.now(journal.add([job(1), job(2, priority=5), job(3, priority=-1), job(4, priority=5)]))
        found = self.agenda(journal, free=9).begun
        self.assertEqual(self.numbers(found), [2, 4, 1, 3])

    def test_left_out(self) -> None:
        """Those left out do not count against the limit, and other states never come."""
        journal = self.opened()
        self.now(journal.add([job(9, state=JobState.PAUSED), *(job(n) for n in range(1, 6))]))
        without = [job(n).id for n in (1, 2, 4)]
        found = self.agenda(journal, free=2, without=without).begun
        self.assertEqual(self.numbers(found), [3, 5])

    def test_begun(self) -> None:
        """What becomes of those whose turn it is stands in the journal in the same step."""
        journal = self.opened()
        self.now(journal.add([job(1), job(2)]))
        self.now(journal.counts())
        [record] = self.agenda(journal, free=1, begin=probing).begun
        self.assertEqual(record, replace(job(1), seq=1, state=JobState.PROBING))
        self.assertEqual(self.now(journal.get(job(1).id)), record)
        self.assertEqual(self.now(journal.counts())[JobState.PROBING], 1)

    def test_due(self) -> None:
        """Waiting jobs come when their time has come, the earliest first."""
        journal = self.opened()
        times = {1: 30.0, 2: 10.0, 3: 20.0, 4: None}
        self.now(
            journal.add([job(n, state=JobState.WAITING, retry_at=at) for n, at in times.items()])
        )
        self.now(journal.add([job(5, state=JobState.PAUSED, retry_at=1.0)]))
        found = self.agenda(journal, now=99.0, most_woken=1, free=9)
        self.assertEqual((self.numbers(found.woken), found.next_retry), ([2], 20.0))
        self.assertEqual(found.begun, found.woken)
        self.assertEqual(found.woken[0].state, JobState.QUEUED)
        self.assertEqual(self.now(journal.counts())[JobState.QUEUED], 1)
        self.now(journal.save(replace(found.woken[0], state=JobState.WAITING)))
        self.assertEqual(self.numbers(self.agenda(journal, now=20.0, most_woken=9).woken), [2, 3])
        self.assertEqual(self.agenda(journal, now=25.0, most_woken=9).next_retry, 30.0)


class CloseTests(JournalTestCase):
    """Tests for `Journal.close`."""

    def test_survives_reopening(self) -> None:
        """What was added is there when the journal is opened again."""
        journal = self.opened()
        [added] = self.now(journal.add([job(1, name="debian")]))
        self.now(journal.close())
        self.assertEqual(self.now(self.opened().by_name("debian")), added)

    def test_leaves_one_file(self) -> None:
        """A clean stop folds the write-ahead log in: the one file is the whole journal."""
        journal = self.opened()
        self.now(journal.add([job(1)]))
        self.now(journal.close())
        files = {file.name for file in self.path.parent.iterdir()}
        self.assertEqual(files, {"journal.sqlite", "journal.sqlite.lock"})

    def test_refuses_afterwards(self) -> None:
        """Whoever asks after the close is told; closing again is no error."""
        journal = self.opened()
        self.now(journal.close())
        self.now(journal.close())
        self.assertIn("closed", self.failing(journal.counts(), StorageFault))


class StoreMachine(RuleBasedStateMachine):
    """The journal against a list of records, newest last."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp())
        self.path = self.directory / "journal.sqlite"
        self.model: list[JobRecord] = []
        self.last = 0

    def now(self, answer: Coroutine[Any, Any, Any]) -> Any:
        """What *answer* ends with."""
        results: list[Any] = []
        Deferred.fromCoroutine(answer).addErrback(lambda failure: failure.value).addCallback(
            results.append
        )
        return results[0]

    @initialize()
    def open(self) -> None:
        """Open the journal for the first time."""
        self.journal = self.now(Journal.open(self.path, in_thread=inline))

    @rule()
    def reopen(self) -> None:
        """Stop and start again."""
        self.now(self.journal.close())
        self.journal = self.now(Journal.open(self.path, in_thread=inline))

    @rule(
        new=st.lists(records, max_size=3),
        ids=st.lists(st.sampled_from(IDS), min_size=3, max_size=3),
        name=st.sampled_from(NAMES),
    )
    def add(self, new: list[JobRecord], ids: list[str], name: str | None) -> None:
        """Add all, or none where an id is taken."""
        new = [
            replace(record, id=job_id, spec=replace(record.spec, name=name))
            for record, job_id in zip(new, ids, strict=False)
        ]
        outcome = self.now(self.journal.add(new))
        wanted = [record.id for record in [*self.model, *new]]
        if len(set(wanted)) < len(wanted):
            assert isinstance(outcome, NameTaken), outcome
            return
        numbered = [replace(record, seq=self.last + n) for n, record in enumerate(new, 1)]
        assert outcome == numbered
        self.model += numbered
        self.last += len(numbered)

    @rule(record=records, job_id=st.sampled_from(IDS))
    def save(self, record: JobRecord, job_id: str) -> None:
        """Replace a record, or be told that there is none."""
        record = replace(record, id=job_id)
        known = [old.id for old in self.model]
        outcome = self.now(self.journal.save(record))
        if job_id in known:
            assert outcome is None, outcome
            at = known.index(job_id)
            self.model[at] = replace(record, seq=self.model[at].seq)
        else:
            assert isinstance(outcome, UnknownJob), outcome

    @rule(job_id=st.sampled_from(IDS))
    def delete(self, job_id: str) -> None:
        """Forget a record, if there is one."""
        assert self.now(self.journal.delete(job_id)) is None
        self.model = [record for record in self.model if record.id != job_id]

    @rule(
        state=st.none() | st.sampled_from(JobState),
        limit=st.integers(1, 4),
        before=st.none() | st.integers(0, 20),
    )
    def page(self, state: JobState | None, limit: int, before: int | None) -> None:
        """A page is the newest of the state below the cursor."""
        expected = [
            record
            for record in reversed(self.model)
            if state in (None, record.state) and (before is None or record.seq < before)
        ]
        assert (
            self.now(self.journal.page(state=state, limit=limit, before=before))
            == (expected[:limit])
        )

    @rule(
        now=st.floats(0, 2**40),
        most_woken=st.integers(0, 4),
        free=st.integers(0, 4),
        without=st.sets(st.sampled_from(IDS)),
    )
    def agenda(self, now: float, most_woken: int, free: int, without: set[str]) -> None:
        """Who waits is woken by time; who starts, by priority, then by age."""
        waiting = [
            (record.retry_at, record.seq, at)
            for at, record in enumerate(self.model)
            if record.state == JobState.WAITING and record.retry_at is not None
        ]
        waiting.sort()
        due = [at for when, _, at in waiting if when <= now][:most_woken]
        for at in due:
            self.model[at] = replace(self.model[at], state=JobState.QUEUED)
        woken = [self.model[at] for at in due]
        left = [when for when, _, at in waiting if at not in due]
        queued = [r for r in self.model if r.state == JobState.QUEUED and r.id not in without]
        queued.sort(key=lambda record: (-record.spec.priority, record.seq))
        begun = [probing(record) for record in queued[:free]]
        for record in begun:
            self.model[[r.id for r in self.model].index(record.id)] = record
        found = self.now(
            self.journal.agenda(
                now=now, most_woken=most_woken, free=free, without=without, begin=probing
            )
        )
        assert found == Agenda(woken, begun, min(left, default=None))

    @rule(name=st.sampled_from(NAMES[1:]))
    def by_name(self, name: str) -> None:
        """The newest of that name."""
        named = [record for record in self.model if record.spec.name == name]
        assert self.now(self.journal.by_name(name)) == (named[-1] if named else None)

    @invariant()
    def counts_agree(self) -> None:
        """The tally is what counting gives."""
        if hasattr(self, "journal"):
            expected = Counter(record.state for record in self.model)
            assert self.now(self.journal.counts()) == expected

    def teardown(self) -> None:
        if hasattr(self, "journal"):
            self.now(self.journal.close())
        shutil.rmtree(self.directory)


StoreMachine.TestCase.settings = settings(
    max_examples=40, stateful_step_count=25, deadline=None, print_blob=True
)
StoreModelTests = StoreMachine.TestCase
