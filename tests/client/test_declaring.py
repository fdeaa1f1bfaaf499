"""Tests for `rangedaemon.client.declaring`: jobs become what a configuration declares."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rangedaemon.client.declaring import planned, reconcile
from rangedaemon.core.declared import Difference, OnRemoved
from rangedaemon.core.jobs import JobChange, JobRecord, JobSpec, Login
from rangedaemon.core.push.values import LocalStamp, Pushed, PushProtocol, PushSpec
from rangedaemon.core.repeats import Repeat
from tests.client.scripted import File
from tests.client.test_runner import CONTENT, RunnerCase, S


class DeclaredCase(RunnerCase):
    """A runner, and configurations for it."""

    def declared(self, name: str, **wishes: Any) -> JobSpec:
        """A job of the configuration."""
        wishes.setdefault("urls", (f"http://origin.test/{name}",))
        return self.world.spec(name=name, source="config", **wishes)

    def declare(self, *specs: JobSpec, on_removed: OnRemoved = OnRemoved.KEEP) -> None:
        """Put it in force."""
        self.world.result(reconcile(self.runner, specs, on_removed))
        self.assertTrue(
            on_removed is not OnRemoved.REMOVE or self.plan(*specs) == [], self.plan(*specs)
        )

    def plan(self, *specs: JobSpec) -> list[str]:
        """What would be done, a line for each job."""
        found: list[Difference] = self.world.result(planned(self.runner, specs))
        return [
            " ".join([d.change, d.name, *(f"{f.field}:{f.old}>{f.new}" for f in d.fields)])
            for d in found
        ]

    def record(self, name: str) -> JobRecord:
        """The newest job of that name."""
        record: JobRecord | None = self.world.result(self.world.store.by_name(name))
        assert record is not None
        return record


class PlanTests(DeclaredCase):
    """What is told of differences, before anything is done."""

    def test_each_kind(self) -> None:
        """New, changed by field, removed; nothing is done."""
        self.declare(self.declared("a", priority=1), self.declared("b"))
        before = dict(self.world.store.records)
        found = self.plan(self.declared("a", priority=2, versions=3), self.declared("c"))
        self.assertEqual(found, ["changed a priority:1>2 versions:0>3", "new c", "removed b"])
        self.assertEqual(self.world.store.records, before)

    def test_secrets(self) -> None:
        """That a secret is another one is told, and neither of both."""
        first = self.declared("a", headers={"Cookie": "hunter2"})
        self.declare(first)
        login = Login("http://origin.test:80", "me", "hunter3")
        [line] = self.plan(replace(first, headers={"Cookie": "hunter4"}, logins=(login,)))
        self.assertEqual(line, "changed a headers:(secret)>(secret) logins:none>(secret)")
        self.assertNotIn("hunter", repr(self.record("a").spec.declared))

    def test_uploads(self) -> None:
        """Of an upload everything is told too; what the server is told besides is a secret."""
        push = PushSpec(PushProtocol.TUS, {"key": "hunter2"})
        first = self.declared("a", filename="a", kind="upload", push=push, paused=True)
        self.declare(first)
        self.assertEqual(self.plan(first), [])
        other = PushSpec(PushProtocol.AUTO, {"key": "hunter3"})
        [line] = self.plan(replace(first, push=other, priority=3, window="22:00-06:00"))
        self.assertEqual(
            line,
            "changed a priority:0>3 window:none>22:00-06:00 protocol:tus>auto"
            " metadata:(secret)>(secret)",
        )

    def test_what_a_run_found(self) -> None:
        """What became of the wishes in a run, or by hand, is no difference."""
        self.world.origin.script = File(CONTENT)
        spec = self.declared("a", urls=("http://u:p@origin.test/a",), on_conflict="overwrite")
        self.declare(spec)
        record = self.record("a")
        self.assertEqual(record.state, S.COMPLETE)
        self.world.result(self.runner.change(record.id, JobChange(priority=7)))
        self.assertEqual(self.plan(spec), [])

    def test_jobs_of_others(self) -> None:
        """A job that somebody added by hand is none of the configuration's business."""
        self.add("a")
        self.assertEqual(self.plan(self.declared("a", priority=9)), [])
        self.assertEqual(self.plan(), [])


class ReconcileTests(DeclaredCase):
    """What is done about them."""

    def test_wishes(self) -> None:
        """A job that runs goes on with its new wishes; what somebody changed by hand stays."""
        self.declare(self.declared("a"))
        job = self.record("a").id
        self.world.result(self.runner.change(job, JobChange(priority=7)))
        self.declare(self.declared("a", rate_limit=1000))
        record = self.record("a")
        self.assertEqual((record.id, record.state), (job, S.ACTIVE))
        self.assertEqual((record.spec.rate_limit, record.spec.priority), (1000, 7))
        self.assertEqual(self.plan(self.declared("a", rate_limit=1000)), [])
        self.assertFalse(self.world.origin.exchanges[0].closed)

    def test_another_file(self) -> None:
        """A complete job whose address is another one fetches that; the old file stays."""
        self.world.origin.script = File(CONTENT)
        self.declare(self.declared("a"))
        before = self.record("a").id
        self.declare(self.declared("a", urls=("http://origin.test/other",)))
        self.assertNotEqual(self.record("a").id, before)
        self.assertEqual(self.record("a").state, S.COMPLETE)
        self.assertEqual(self.world.names(), ["a", "other"])

    def test_another_upload(self) -> None:
        """An upload that was begun is begun anew, one that was not just goes another way."""
        push = PushSpec(PushProtocol.TUS)
        spec = self.declared("a", filename="a", kind="upload", push=push, paused=True)
        self.declare(spec)
        before = self.record("a")
        self.declare(replace(spec, push=PushSpec(PushProtocol.IETF), rate_limit=1000))
        after = self.record("a")
        self.assertEqual((after.id, after.spec.push), (before.id, PushSpec(PushProtocol.IETF)))
        self.assertEqual(after.spec.rate_limit, 1000)
        stamp = LocalStamp(1, 2, 3, 4)
        self.world.store.put(replace(after, pushed=Pushed(stamp, PushProtocol.IETF)))
        self.declare(replace(spec, push=PushSpec(PushProtocol.IETF), rate_limit=2000))
        self.assertEqual(self.record("a").id, before.id)
        self.declare(replace(spec, filename="b"))
        self.assertNotEqual(self.record("a").id, before.id)
        self.assertEqual(self.record("a").spec.filename, "b")

    def test_another_hour(self) -> None:
        """Who waits for an hour waits for the new one; who is complete may repeat from now on."""
        self.world.origin.script = File(CONTENT)
        self.declare(self.declared("a", start_at="23:00"), self.declared("b"))
        late = self.record("a").retry_at
        hourly = self.declared("b", repeat=Repeat(every=3600.0))
        self.declare(self.declared("a", start_at="22:30"), hourly)
        self.assertEqual((late or 0) - (self.record("a").retry_at or 0), 1800.0)
        self.assertEqual((self.record("b").state, self.record("b").error), (S.WAITING, None))
        self.declare(self.declared("a"), self.declared("b"))
        self.world.clock.advance(1)
        self.assertEqual(self.record("a").state, S.COMPLETE)
        self.assertEqual(self.record("b").state, S.COMPLETE)

    def test_removed(self) -> None:
        """Kept, paused or removed, as the policy says; never its file."""
        self.world.origin.script = File(CONTENT)
        self.declare(self.declared("done"), self.declared("late", start_at="23:00"))
        self.declare()
        self.assertEqual(self.record("late").state, S.WAITING)
        for _ in range(2):
            self.declare(on_removed=OnRemoved.PAUSE)
            states = (self.record("late").state, self.record("done").state)
            self.assertEqual(states, (S.PAUSED, S.COMPLETE))
        self.declare(on_removed=OnRemoved.REMOVE)
        self.assertEqual(self.world.store.records, {})
        self.assertEqual(self.world.names(), ["done"])
