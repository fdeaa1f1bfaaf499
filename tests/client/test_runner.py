"""Tests for `rangedaemon.client.runner`: many jobs, a store in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.declaring import reconcile
from rangedaemon.client.runner import Runner
from rangedaemon.core.declared import OnRemoved
from rangedaemon.core.jobs import JobChange, JobRecord, JobState, Limits
from rangedaemon.errors import InvalidInput, NoSpace, StateForbids, UnknownJob
from rangedaemon.storage.ports import Agenda
from tests.client.scripted import File
from tests.client.world import EPOCH, World

CONTENT = b"".join(n.to_bytes(4, "big") for n in range(16384))

S = JobState


class RunnerCase(SynchronousTestCase):
    """A runner that runs two jobs at most, and an origin that answers heads alone."""

    def setUp(self) -> None:
        """Start it."""
        self.world = World(self)
        self.world.origin.script = File(CONTENT).begin
        self.runner = self.world.runner(max_active=2)
        self.runner.startService()
        self.addCleanup(self.runner.stopService)

    def add(self, *names: str, **wishes: object) -> list[str]:
        """Add a job for each name; their ids."""
        specs = [
            self.world.spec(urls=(f"http://origin.test/{name}",), name=name, **wishes)
            for name in names
        ]
        return [s.record.id for s in self.world.result(self.runner.add(specs))]

    def state(self, job_id: str) -> JobState:
        """What state a job is in."""
        state: JobState = self.world.result(self.runner.get(job_id)).record.state
        return state

    def finish(self, name: str) -> None:
        """Let the origin send the whole of one file."""
        for exchange in [*self.world.origin.open_exchanges()]:
            if exchange.url.endswith(name):
                exchange.send(CONTENT)
                exchange.finish()


class QueueTests(RunnerCase):
    """Which jobs run."""

    def test_no_more_than_the_limit(self) -> None:
        """The third job waits until one of the first two has ended."""
        ids = self.add("a", "b", "c")
        self.assertEqual([self.state(i) for i in ids], [S.ACTIVE, S.ACTIVE, S.QUEUED])
        self.finish("a")
        self.assertEqual([self.state(i) for i in ids], [S.COMPLETE, S.ACTIVE, S.ACTIVE])

    def test_highest_priority_first(self) -> None:
        """Among those that wait the highest priority is next, then the oldest."""
        self.add("a", "b")
        old, low = self.add("old"), self.add("low", priority=-1)
        high, young = self.add("high", priority=5), self.add("young")
        order = [*high, *old, *young, *low]
        for name, expected in zip(("a", "b", "high", "old"), order, strict=True):
            self.finish(name)
            self.assertEqual(self.state(expected), S.ACTIVE)

    def test_added_paused(self) -> None:
        """A job that is added paused does not start."""
        (job,) = self.add("a", paused=True)
        self.assertEqual(self.state(job), S.PAUSED)
        self.assertEqual(self.world.origin.exchanges, [])

    def test_failure_of_one_hurts_no_other(self) -> None:
        """A job that fails gives its slot to the next."""
        ids = self.add("a", "b", "c")
        self.world.origin.exchanges[0].break_off()
        self.assertEqual([self.state(i) for i in ids], [S.WAITING, S.ACTIVE, S.ACTIVE])

    def test_due_retry(self) -> None:
        """A job that waits is started when its time has come, not before."""
        (job,) = self.add("a")
        self.world.origin.last.break_off()
        retry_at = self.world.store.records[job].retry_at
        assert retry_at is not None
        wait = retry_at - EPOCH
        self.world.clock.advance(wait - 0.1)
        self.assertEqual(self.state(job), S.WAITING)
        self.world.clock.advance(0.2)
        self.assertEqual(self.state(job), S.ACTIVE)

    def test_clock_set_back(self) -> None:
        """Whoever waits when the clock is set back by a day waits no longer for that."""
        (job,) = self.add("a")
        self.world.origin.last.break_off()
        self.assertEqual(self.state(job), S.WAITING)
        retry_at = self.world.store.records[job].retry_at
        assert retry_at is not None
        self.world.set_back = 86400.0
        self.world.clock.advance(retry_at - EPOCH + 0.1)
        self.assertEqual(self.state(job), S.ACTIVE)


class SteeringTests(RunnerCase):
    """What control asks."""

    def test_pause_and_resume_running(self) -> None:
        """A pause keeps what came and frees the slot; a resume goes on from there."""
        one, _, three = self.add("a", "b", "c")
        self.world.origin.exchanges[0].send(CONTENT[:1000])
        paused = self.world.result(self.runner.pause(one)).record
        self.assertEqual((paused.state, paused.covered.total), (S.PAUSED, 1000))
        self.assertEqual(self.state(three), S.ACTIVE)
        self.assertEqual(self.world.result(self.runner.resume(one)).record.state, S.QUEUED)
        self.finish("b")
        self.assertEqual(self.world.origin.ranges[-1], (1000, len(CONTENT)))

    def test_pause_elsewhere(self) -> None:
        """Queued and waiting jobs are paused; finished and paused ones refuse."""
        one, _, three = self.add("a", "b", "c")
        self.assertEqual(self.world.result(self.runner.pause(three)).record.state, S.PAUSED)
        self.failureResultOf(ensureDeferred(self.runner.pause(three)), StateForbids)
        self.world.origin.exchanges[0].break_off()
        paused = self.world.result(self.runner.pause(one)).record
        self.assertEqual((paused.state, paused.retry_at), (S.PAUSED, None))
        self.finish("b")
        (two,) = [i for i in self.world.store.records if self.state(i) is S.COMPLETE]
        self.failureResultOf(ensureDeferred(self.runner.pause(two)), StateForbids)

    def test_pause_of_a_job_that_fails_at_that_moment(self) -> None:
        """Whatever it was about to become that may go on: it is paused, and stays so."""
        (job,) = self.add("a")
        halted = self.runner._halt

        async def broken_first(running: object, by: object) -> None:
            self.world.origin.last.break_off()
            await halted(running, by)  # type: ignore[arg-type]

        self.patch(self.runner, "_halt", broken_first)
        self.assertEqual(self.world.result(self.runner.pause(job)).record.state, S.PAUSED)
        self.world.pass_time(100)
        self.assertEqual(self.state(job), S.PAUSED)

    def test_retry(self) -> None:
        """A waiting job starts at once, its attempts are counted anew; a running one refuses."""
        (job,) = self.add("a")
        self.failureResultOf(ensureDeferred(self.runner.retry(job)), StateForbids)
        self.world.origin.last.break_off()
        self.world.result(self.runner.retry(job))
        self.assertEqual(self.state(job), S.ACTIVE)
        self.assertEqual(self.world.store.records[job].attempts, 1)

    def test_change(self) -> None:
        """Wishes change while it runs and while it rests; only those that were named."""
        one, _, three = self.add("a", "b", "c", rate_limit=10**9)
        for job in (one, three):
            self.world.result(self.runner.change(job, JobChange(priority=7, segments=3)))
            spec = self.world.store.records[job].spec
            self.assertEqual((spec.priority, spec.segments, spec.rate_limit), (7, 3, 10**9))
            self.world.result(self.runner.change(job, JobChange(set_rate_limit=True)))
            self.assertIsNone(self.world.store.records[job].spec.rate_limit)

    def test_unknown(self) -> None:
        """Every question about a job that is not there says so."""
        runner = self.runner
        for story in (
            runner.get("no"),
            runner.pause("no"),
            runner.resume("no"),
            runner.retry("no"),
            runner.change("no", JobChange()),
            runner.remove("no", delete_files=True),
            runner.segments("no"),
        ):
            self.failureResultOf(ensureDeferred(story), UnknownJob)

    def test_pages(self) -> None:
        """Newest first, each job once, a cursor that is none is refused."""
        ids = self.add(*"abcde", paused=True)
        seen: list[str] = []
        cursor = None
        while True:
            page = self.world.result(self.runner.list(state=None, limit=2, cursor=cursor))
            seen += [s.record.id for s in page.jobs]
            if (cursor := page.next_cursor) is None:
                break
        self.assertEqual(seen, ids[::-1])
        for bad in ("x", "-1", "1" * 30, "\u0661"):
            story = self.runner.list(state=None, limit=2, cursor=bad)
            self.failureResultOf(ensureDeferred(story), InvalidInput)

    def test_listener_that_left(self) -> None:
        """After it has unsubscribed nothing is told any more."""
        heard: list[object] = []
        leave = self.runner.subscribe(heard.append)
        self.add("a", paused=True)
        leave()
        self.add("b", paused=True)
        self.assertEqual(len(heard), 1)


class WishesTests(RunnerCase):
    """Wishes about the place, the id and the whole."""

    def test_place(self) -> None:
        """A job that waits may go elsewhere; one whose file is begun may not."""
        running, _, waiting = self.add("a", "b", "c")
        change = JobChange(filename="other", headers={"A": "1"})
        spec = self.world.result(self.runner.change(waiting, change)).record.spec
        self.assertEqual((spec.filename, dict(spec.headers)), ("other", {"A": "1"}))
        self.failureResultOf(ensureDeferred(self.runner.change(running, change)), StateForbids)

    def test_own_id(self) -> None:
        """An id that was asked for is taken; none is taken twice."""
        [job_id] = self.add("a", id="00000000000000ff")
        self.assertEqual(job_id, "00000000000000ff")

    def test_limits(self) -> None:
        """A higher number lets the next one run at once; the rate holds for all of them."""
        _, _, waiting = self.add("a", "b", "c")
        self.assertIs(self.state(waiting), JobState.QUEUED)
        self.runner.set_limits(Limits(max_active=3, rate_limit=1000))
        self.assertIsNot(self.state(waiting), JobState.QUEUED)
        self.assertEqual(self.runner.limits.max_active, 3)


class RemoveTests(RunnerCase):
    """Tests for `Runner.remove`."""

    def remove(self, job: str, *, files: bool) -> None:
        """Remove it; nobody knows it any more."""
        self.world.result(self.runner.remove(job, delete_files=files))
        self.failureResultOf(ensureDeferred(self.runner.get(job)), UnknownJob)

    def test_running(self) -> None:
        """It is stopped first; its part file stays or goes as asked."""
        for files, names in ((False, ["a.part"]), (True, ["a.part"])):
            (job,) = self.add("a" if not files else "b")
            self.remove(job, files=files)
            self.assertEqual(self.world.names(), names)
        self.assertEqual(list(self.world.origin.open_exchanges()), [])

    def test_finished(self) -> None:
        """The finished file goes only where that was asked for."""
        for files, names in ((True, []), (False, ["a"])):
            (job,) = self.add("a")
            self.finish("a")
            self.remove(job, files=files)
            self.assertEqual(self.world.names(), names)

    def test_part_file_of_another_job(self) -> None:
        """A finished job's removal does not touch what a later job fetches to that name."""
        (old,) = self.add("a")
        self.finish("a")
        (self.world.directory / "a").unlink()
        (young,) = self.add("a")
        self.remove(old, files=True)
        self.finish("a")
        self.assertEqual(self.state(young), S.COMPLETE)
        self.assertEqual(self.world.octets("a"), CONTENT)

    def test_told(self) -> None:
        """Listeners hear of it once."""
        (job,) = self.add("a")
        self.remove(job, files=False)
        removed = [e.snapshot.record.id for e in self.world.events if e.kind == "removed"]
        self.assertEqual(removed, [job])


class LifeTests(SynchronousTestCase):
    """Start, stop and what an earlier run left."""

    def setUp(self) -> None:
        """A runner that was not started yet."""
        self.world = World(self)
        self.world.origin.script = File(CONTENT).begin
        self.runner = self.world.runner(max_active=2)

    def start(self) -> Runner:
        """Start it."""
        self.runner.startService()
        self.addCleanup(self.runner.stopService)
        return self.runner

    def test_nothing_runs_before_the_start(self) -> None:
        """Jobs that are added earlier wait."""
        self.world.result(self.runner.add([self.world.spec()]))
        self.assertEqual(self.world.origin.exchanges, [])
        self.start()
        self.assertEqual(len(self.world.origin.exchanges), 1)

    def test_recover(self) -> None:
        """What was in the middle is queued again; whatever rests is left alone."""
        before: dict[str, JobRecord] = {}
        for n, state in enumerate(JobState):
            made = JobRecord(f"{n:016x}", self.world.spec(), state, EPOCH, retry_at=EPOCH + 9)
            before[made.id] = self.world.store.put(made)
        self.world.result(self.runner.recover())
        for job_id, record in before.items():
            in_the_middle = record.state in (S.PROBING, S.ACTIVE, S.VERIFYING)
            expected = replace(record, state=S.QUEUED) if in_the_middle else record
            self.assertEqual(self.world.store.records[job_id], expected)

    def test_declared_jobs_are_added_once(self) -> None:
        """A configuration that is read at each start adds its jobs at the first alone."""
        specs = [self.world.spec(name="debian", source="config"), self.world.spec(name="other")]
        for _ in range(3):
            self.world.result(reconcile(self.runner, specs, OnRemoved.KEEP))
        self.assertEqual(len(self.world.store.records), 2)

    def test_stop(self) -> None:
        """Every job is checkpointed and queued; nothing is left on the clock."""
        self.world.result(self.runner.add([self.world.spec(), self.world.spec()]))
        self.runner.startService()
        self.world.origin.last.send(CONTENT[:1000])
        self.successResultOf(self.runner.stopService())
        self.world.pass_time(1)
        states = {r.state for r in self.world.store.records.values()}
        self.assertEqual(states, {S.QUEUED})
        self.assertEqual(sum(r.covered.total for r in self.world.store.records.values()), 1000)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])
        self.assertEqual(list(self.world.origin.open_exchanges()), [])

    def test_stop_while_a_retry_falls_due(self) -> None:
        """The timer has fired and the journal is being asked: the stop is clean."""
        made = JobRecord("0" * 16, self.world.spec(), S.WAITING, EPOCH, retry_at=EPOCH + 5)
        self.world.store.put(made)
        self.runner.startService()
        asked: Deferred[None] = Deferred()
        agenda = self.world.store.agenda

        async def slow(**wanted: Any) -> Agenda:
            await asked
            return await agenda(**wanted)

        self.patch(self.world.store, "agenda", slow)
        self.world.clock.advance(6)
        stopped = self.runner.stopService()
        asked.callback(None)
        self.successResultOf(stopped)
        self.assertEqual(self.world.origin.exchanges, [])
        self.assertEqual(self.world.store.records[made.id].state, S.QUEUED)
        self.assertEqual(self.world.clock.getDelayedCalls(), [])

    def test_journal_fails(self) -> None:
        """Where the journal cannot take down who starts, it is asked again by and by."""
        self.runner.startService()

        def full(_record: JobRecord) -> None:
            raise NoSpace("the disk is full")

        self.world.store.before_save = full
        [job] = self.world.result(self.runner.add([self.world.spec()]))
        self.assertEqual(self.world.origin.exchanges, [])
        self.world.store.before_save = lambda _record: None
        self.world.clock.advance(30)
        self.assertEqual(self.world.store.records[job.record.id].state, S.ACTIVE)
