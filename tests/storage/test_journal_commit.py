"""Tests for group commit, and for what a full disk, a kill and a real thread do to it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import event
from twisted.internet import reactor
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.threads import deferToThread
from twisted.trial.unittest import TestCase

from rangedaemon.core.jobs import JobState
from rangedaemon.errors import JournalLocked, NameTaken, NoSpace, StorageFault
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.opening import open_journal
from rangedaemon.storage.threads import OwnThreads
from tests.storage.journal_samples import JournalTestCase, job

T = TypeVar("T")


class HeldThread:
    """An `InThread` that does nothing until told to."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Deferred[Any], Callable[[], Deferred[Any]]]] = []
        self.holding = False

    def __call__(self, function: Callable[..., T], /, *args: object) -> Deferred[T]:
        if not self.holding:
            return maybeDeferred(function, *args)
        answer: Deferred[T] = Deferred()
        self.waiting.append((answer, lambda: maybeDeferred(function, *args)))
        return answer

    def do_one(self) -> None:
        """Do what was asked first."""
        answer, work = self.waiting.pop(0)
        work().chainDeferred(answer)


class GroupCommitTests(JournalTestCase):
    """Who asks while a transaction is on its way shares the next one."""

    def setUp(self) -> None:
        super().setUp()
        self.thread = HeldThread()
        self.journal = self.opened(self.thread)
        self.addCleanup(setattr, self.thread, "holding", False)
        self.commits: list[object] = []
        event.listen(self.journal._opened.engine, "commit", self.commits.append)
        self.thread.holding = True

    def start(self, answer: Any) -> Deferred[Any]:
        """Ask, and wait for nothing."""
        return Deferred.fromCoroutine(answer)

    def test_one_transaction_for_all_that_wait(self) -> None:
        """One goes first; the hundred that come meanwhile need one commit more."""
        asked = [self.start(self.journal.add([job(n)])) for n in range(101)]
        self.thread.do_one()
        self.successResultOf(asked[0])
        self.assertNoResult(asked[1])
        self.thread.do_one()
        self.assertEqual([self.successResultOf(d)[0].seq for d in asked[1:]], [*range(2, 102)])
        self.assertEqual((len(self.commits), self.thread.waiting), (2, []))

    def test_answer_after_commit(self) -> None:
        """No Deferred of a transaction fires before its commit."""
        first = self.start(self.journal.add([job(0)]))
        second = self.start(self.journal.add([job(1)]))
        seen: list[int] = []
        second.addCallback(lambda _: seen.append(len(self.commits)))
        self.thread.do_one()
        self.thread.do_one()
        self.successResultOf(first)
        self.assertEqual(seen, [2])

    def test_who_fails_fails_alone(self) -> None:
        """A known id fails its own caller, all of its records, and nobody else."""
        first = self.start(self.journal.add([job(1)]))
        before = self.start(self.journal.add([job(2)]))
        bad = self.start(self.journal.add([job(3), job(1)]))
        known = self.start(self.journal.add([job(1)]))
        after = self.start(self.journal.save(job(1, state=JobState.PAUSED)))
        count = self.start(self.journal.counts())
        self.thread.do_one()
        self.thread.do_one()
        self.failureResultOf(bad, NameTaken)
        self.failureResultOf(known, NameTaken)
        self.assertEqual([self.successResultOf(d) is not None for d in (first, before)], [True] * 2)
        self.assertIsNone(self.successResultOf(after))
        self.assertEqual(self.successResultOf(count), {JobState.PAUSED: 1, JobState.QUEUED: 1})

    def test_what_cannot_be_stored_fails_alone(self) -> None:
        """A number too large for the journal fails its caller, in company and alone."""
        first = self.start(self.journal.add([job(1, refetched=2**70)]))
        second = self.start(self.journal.add([job(2, refetched=2**70)]))
        third = self.start(self.journal.add([job(3)]))
        self.thread.do_one()
        self.thread.do_one()
        self.failureResultOf(first, OverflowError)
        self.failureResultOf(second, OverflowError)
        self.assertEqual(self.successResultOf(third)[0].seq, 1)

    def test_asked_by_an_answer(self) -> None:
        """What a caller asks when it is answered joins the next transaction."""
        first = self.start(self.journal.add([job(1)]))
        then = first.addCallback(lambda _: self.start(self.journal.counts()))
        self.thread.do_one()
        self.thread.do_one()
        self.assertEqual(self.successResultOf(then), {JobState.QUEUED: 1})

    def test_close_waits(self) -> None:
        """A close comes after all that was asked before it, and nothing comes after."""
        asked = self.start(self.journal.add([job(1)]))
        closed = self.start(self.journal.close())
        late = self.start(self.journal.add([job(2)]))
        self.failureResultOf(late, StorageFault)
        while self.thread.waiting:
            self.assertNoResult(closed)
            self.thread.do_one()
        self.successResultOf(asked)
        self.assertIsNone(self.successResultOf(closed))
        self.thread.holding = False
        self.assertEqual(self.now(self.opened().counts()), {JobState.QUEUED: 1})

    def test_thread_that_fails(self) -> None:
        """Where nothing can be run at all, each caller is told why."""
        asked = [self.start(self.journal.add([job(n)])) for n in range(2)]
        for _ in range(2):
            answer, _ = self.thread.waiting.pop(0)
            answer.errback(RuntimeError("no threads"))
        for each in asked:
            self.failureResultOf(each, RuntimeError)

    def test_full_disk_hurts_only_writers(self) -> None:
        """With no page left readers are answered, the writer is told; with room all is well."""
        first = self.start(self.journal.add([job(n) for n in range(5)]))
        self.thread.do_one()
        self.successResultOf(first)
        pragma = self.journal._opened.connection.connection.execute
        pragma("PRAGMA max_page_count = 1")
        big = [job(n, name="x" * 3000) for n in range(10, 40)]
        start = self.start(self.journal.counts())
        large = self.start(self.journal.add(big))
        alone = self.start(self.journal.add([job(9, name="x" * 9000)]))
        count = self.start(self.journal.counts())
        small = self.start(self.journal.save(job(1, state=JobState.PAUSED)))
        self.thread.do_one()
        self.thread.do_one()
        self.successResultOf(start)
        for writer in (large, alone):
            self.assertIn("free some", str(self.failureResultOf(writer, NoSpace).value))
        self.assertEqual(self.successResultOf(count), {JobState.QUEUED: 5})
        self.assertIsNone(self.successResultOf(small))
        pragma("PRAGMA max_page_count = 1000000")
        again = self.start(self.journal.add(big))
        self.thread.do_one()
        self.assertEqual(len(self.successResultOf(again)), 30)

    def test_locked_by_another_program(self) -> None:
        """A shell that holds a write lock is told from a damaged journal."""
        self.thread.holding = False
        self.journal._opened.connection.connection.execute("PRAGMA busy_timeout = 0")
        other = sqlite3.connect(self.path, isolation_level=None)
        self.addCleanup(other.close)
        other.execute("BEGIN IMMEDIATE")
        self.assertIn("another program", self.failing(self.journal.add([job(1)]), JournalLocked))
        other.execute("ROLLBACK")
        self.assertEqual(len(self.now(self.journal.add([job(1)]))), 1)


LIMITED = """
import resource, sys
from pathlib import Path
from twisted.internet.defer import Deferred
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.threads import inline
from tests.storage.journal_samples import job

def now(answer):
    results = []
    Deferred.fromCoroutine(answer).addErrback(lambda f: f.value).addCallback(results.append)
    return results[0]

path = Path(sys.argv[1])
journal = now(Journal.open(path, in_thread=inline))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
added = 0
while True:
    outcome = now(journal.add([job(added)]))
    if not isinstance(outcome, list):
        break
    added += 1
print(type(outcome).__name__, len(now(journal.page(state=None, limit=9999, before=None))) - added)
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(len(now(journal.add([job(added)]))))
print(added > 10)
now(journal.close())
"""

KILLED = """
import itertools, sys
from pathlib import Path
from twisted.internet.defer import Deferred
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.threads import inline
from tests.storage.journal_samples import job

async def run():
    journal = await Journal.open(Path(sys.argv[1]), in_thread=inline)
    for n in itertools.count():
        [record] = await journal.add([job(n)])
        print(record.id, flush=True)

Deferred.fromCoroutine(run()).addErrback(lambda f: f.printTraceback())
"""


class ProcessTests(JournalTestCase):
    """What happens to a process happens to a real one."""

    def test_file_size_limit(self) -> None:
        """At the limit the caller is told, none is lost, and with room the journal goes on."""
        said = subprocess.run(
            [sys.executable, "-c", LIMITED, self.path], capture_output=True, text=True, check=True
        )
        self.assertEqual(said.stdout, "NoSpace 0\n1\nTrue\n", said.stderr)
        self.assertTrue(self.opened().was_clean)

    def test_killed(self) -> None:
        """After SIGKILL all that was answered is there, the lock is free, the stop unclean."""
        with subprocess.Popen(
            [sys.executable, "-c", KILLED, self.path], stdout=subprocess.PIPE, text=True
        ) as process:
            answered = [process.stdout.readline() for _ in range(50)]
            process.kill()
            answered += process.stdout.readlines()
        whole = {line.strip() for line in answered if line.endswith("\n")}
        journal = self.opened()
        kept = self.now(journal.page(state=None, limit=10**6, before=None))
        self.assertEqual(whole - {record.id for record in kept}, set())
        self.assertGreaterEqual(len(whole), 50)
        self.assertEqual(self.now(journal.counts()), {JobState.QUEUED: len(kept)})
        self.assertFalse(journal.was_clean)


class ThreadTests(TestCase):
    """The journal in a thread of its own."""

    def setUp(self) -> None:
        self.directory = Path(tempfile.mkdtemp())
        self.addCleanup(shutil.rmtree, self.directory)
        self.path = self.directory / "journal.sqlite"

    async def test_many_at_once(self) -> None:
        """Three hundred callers at once are all answered, each with a number of its own."""
        thread = OwnThreads(reactor, "journal")
        thread.start()
        journal = Journal(open_journal(self.path), thread, thread)
        asked = [Deferred.fromCoroutine(journal.add([job(n)])) for n in range(300)]
        answers = await gatherResults(asked)
        self.assertEqual({record.seq for [record] in answers}, set(range(1, 301)))
        self.assertEqual(await journal.counts(), {JobState.QUEUED: 300})
        await journal.close()
        self.assertNotIn("journal", [thread.name for thread in threading.enumerate()])

    async def test_any_thread_of_a_pool(self) -> None:
        """A pool of many threads serves as well: two never meet in the journal."""
        journal = await Journal.open(self.path, in_thread=deferToThread)
        asked = [Deferred.fromCoroutine(journal.add([job(n)])) for n in range(100)]
        await gatherResults(asked)
        self.assertEqual(await journal.counts(), {JobState.QUEUED: 100})
        await journal.close()
