"""``rangectl watch`` and ``add --wait`` against the real control site."""

from __future__ import annotations

from rangedaemon.core.jobs import JobError, JobState, Remembered, Verified
from tests.integration.rangectl_case import URL, SiteCase


class WatchTests(SiteCase):
    """``watch`` and ``add --wait`` without a terminal: one line for each change of state."""

    def test_success(self) -> None:
        """Ends with 0 where the job completed; every change has its line."""
        job_id = self.add(name="deb")
        running = self.begin("watch", job_id)
        running.wait_for(f"{job_id} queued")
        self.become(job_id, state=JobState.ACTIVE, remembered=Remembered(length=2048))
        self.become(job_id, state=JobState.COMPLETE, verified=Verified.CHECKSUM, filename="d.iso")
        ended = running.ended()
        self.assertEqual((ended.code, ended.err), (0, ""))
        self.assertEqual(
            ended.lines[-2:],
            [
                f"{job_id} active deb",
                f"{job_id} complete deb (2.0 KiB, verified by checksum) /srv/downloads/d.iso",
            ],
        )

    def test_failure(self) -> None:
        """Ends with 1 where one of them failed, with the reason in its line."""
        good, bad = self.add(name="good"), self.add(name="bad")
        running = self.begin("watch", "good", "bad")
        running.wait_for(f"{bad} queued")
        self.become(bad, state=JobState.FAILED, error=JobError("not-found", "404", URL))
        self.become(good, state=JobState.COMPLETE)
        ended = running.ended()
        self.assertEqual(ended.code, 1)
        self.assertIn(f"{bad} failed bad: not-found: 404 ({URL})", ended.lines)

    def test_removed(self) -> None:
        """A job that is removed meanwhile did not succeed."""
        job_id = self.add(name="deb")
        running = self.begin("watch", "deb")
        running.wait_for(f"{job_id} queued")
        self.site.do(lambda: self.jobs.happen("removed", self.jobs.jobs.pop(job_id)))
        ended = running.ended()
        self.assertEqual((ended.code, ended.lines[-1]), (1, f"{job_id} removed"))

    def test_add_wait(self) -> None:
        """``add --wait --json`` prints the job object at every change and ends by its end."""
        running = self.begin("add", URL, "--wait", "--json")
        running.wait_for('"queued"')
        self.become("0000000000000001", state=JobState.COMPLETE)
        ended = running.ended()
        self.assertEqual(ended.code, 0)
        self.assertEqual([job["state"] for job in ended.objects][-1], "complete")

    def test_finished_already(self) -> None:
        """Jobs that have ended already are told and end it at once."""
        done, bad = self.add(state=JobState.COMPLETE), self.add(state=JobState.FAILED)
        self.assertEqual(self.ctl("watch", done).code, 0)
        self.assertEqual(self.ctl("watch", done, bad).code, 1)

    def test_nothing_under_way(self) -> None:
        """Without words it watches what runs; paused and finished jobs do not hold it."""
        self.add(state=JobState.PAUSED)
        self.add(state=JobState.COMPLETE)
        ended = self.ctl("watch")
        self.assertEqual((ended.code, ended.out), (0, "no job is under way\n"))

    def test_many(self) -> None:
        """More jobs than are asked for singly are found in the list."""
        lines = "".join(f"http://a.example/{n}\n" for n in range(60))
        added = self.ctl("add", "-i", "-", "--json", stdin=lines).objects
        for job in added:
            self.become(job["id"], state=JobState.COMPLETE)
        ended = self.ctl("watch", *[job["id"] for job in added])
        self.assertEqual((ended.code, len(ended.lines)), (0, 60))
