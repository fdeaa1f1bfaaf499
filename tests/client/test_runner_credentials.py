"""Tests for `rangedaemon.client.runner`: credentials that jobs are given."""

from __future__ import annotations

from rangedaemon.core.jobs import JobChange, JobSpec, Login
from rangedaemon.core.proxies import basic
from tests.client.test_runner import RunnerCase


class CredentialTests(RunnerCase):
    """What becomes of credentials that a job is given."""

    def spec_of(self, job_id: str) -> JobSpec:
        """What is asked for, as it is kept."""
        spec: JobSpec = self.world.store.records[job_id].spec
        return spec

    def test_taken_out_of_addresses(self) -> None:
        """Userinfo is sent to its origin; no stored address has it."""
        url = "http://me:mine@origin.test/a"
        spec = self.world.spec(urls=(url, "http://you:2@mirror.test/a"))
        (snapshot,) = self.world.result(self.runner.add([spec]))
        kept = self.spec_of(snapshot.record.id)
        self.assertEqual(kept.urls, ("http://origin.test/a", "http://mirror.test/a"))
        self.assertEqual(self.world.origin.last.url, "http://origin.test/a")
        self.assertEqual(self.world.origin.last.asked("Authorization"), basic("me", "mine"))

    def test_changed(self) -> None:
        """Another password, or another address with one, counts from the next request on."""
        (job,) = self.add("a", paused=True, guarded=False)
        self.world.result(self.runner.change(job, JobChange(login=("me", "new"))))
        self.assertEqual(self.spec_of(job).logins, (Login("http://origin.test:80", "me", "new"),))
        self.assertFalse(self.spec_of(job).guarded)
        changed = JobChange(urls=("http://me:3@origin.test/b",))
        self.world.result(self.runner.change(job, changed))
        self.assertEqual(self.spec_of(job).urls, ("http://origin.test/b",))
        self.assertEqual(self.spec_of(job).logins, (Login("http://origin.test:80", "me", "3"),))

    def test_fields_do_not_move(self) -> None:
        """The fields of a job stay with their origin when it gets an address elsewhere."""
        (job,) = self.add("a", paused=True, headers={"X-Key": "secret"})
        self.world.result(self.runner.change(job, JobChange(urls=("http://origin.test/b",))))
        self.assertEqual(self.spec_of(job).headers, {"X-Key": "secret"})
        self.world.result(self.runner.change(job, JobChange(urls=("http://b.test/",))))
        self.assertEqual(self.spec_of(job).headers, {})

    def test_addresses_of_strangers(self) -> None:
        """A job that was trusted is guarded once somebody gives it another address."""
        (job,) = self.add("a", paused=True, guarded=False)
        self.world.result(self.runner.change(job, JobChange(urls=("http://b.test/",))))
        self.assertTrue(self.spec_of(job).guarded)
