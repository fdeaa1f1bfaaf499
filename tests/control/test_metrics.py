"""Tests for the metrics: what is counted of what happened, and the dashboard of it."""

from __future__ import annotations

import json
import re
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families
from twisted.internet.task import Clock
from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import parse
from rangedaemon.control.pulse import INTERVAL, Pulse
from rangedaemon.core.counters import BOUNDS, Durations
from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import JobError, JobState, Live
from rangedaemon.service.serving import Serving
from rangedaemon.storage.threads import inline
from tests.control.memory_jobs import MemoryJobs
from tests.control.wire import Wire

DASHBOARD = Path(__file__).resolve().parents[2] / "conf/grafana-dashboard.json"


def samples(wire: Wire) -> dict[str, float]:
    """What ``/metrics`` tells, by name and labels."""
    families = text_string_to_metric_families(wire.ask("GET", "/metrics").body.decode())
    return {
        "".join([sample.name, *(f" {value}" for value in sample.labels.values())]): sample.value
        for family in families
        for sample in family.samples
    }


class JobMetricsTests(SynchronousTestCase):
    """What becomes of jobs, as ``/metrics`` tells it."""

    def setUp(self) -> None:
        """A site with a job."""
        self.wire = Wire()
        self.jobs: MemoryJobs = self.wire.jobs
        self.wire.ask("POST", "/api/v1/jobs", {"url": "http://h/"})
        self.job = "0" * 15 + "1"

    def told(self, name: str) -> float:
        """One sample; none is 0."""
        return samples(self.wire).get(name, 0.0)

    def fail(self, code: str) -> None:  # type: ignore[override]
        """The job waits because of *code*."""
        error = JobError(code, "no luck")
        self.jobs.become(self.job, state=JobState.WAITING, error=error, attempts=1, retry_at=1.0)

    def test_retries(self) -> None:
        """One for each time that a running job has to wait, by the reason."""
        for code in ("timed-out", "timed-out", "unreachable"):
            self.jobs.become(self.job, state=JobState.PROBING)
            self.fail(code)
            self.jobs.become(self.job, state=JobState.WAITING, retry_at=2.0)
        self.assertEqual(self.told("rangedaemon_retries_total timed-out"), 2)
        self.assertEqual(self.told("rangedaemon_retries_total unreachable"), 1)

    def test_resumed(self) -> None:
        """Octets count as saved when a run begins with them, not while it goes on."""
        covered = IntervalSet.from_pairs([(0, 500), (900, 1000)])
        self.jobs.become(self.job, state=JobState.PROBING)
        self.jobs.become(self.job, state=JobState.ACTIVE, covered=covered)
        self.jobs.become(self.job, state=JobState.PROBING)
        self.assertEqual(self.told("rangedaemon_resumed_bytes_total"), 0)
        self.jobs.become(self.job, state=JobState.PAUSED)
        self.jobs.become(self.job, state=JobState.PROBING)
        self.assertEqual(self.told("rangedaemon_resumed_bytes_total"), 600)

    def test_changed_and_ended(self) -> None:
        """Changed files, and jobs by how they ended."""
        self.jobs.become(self.job, state=JobState.ACTIVE)
        self.jobs.happen("changed", self.jobs.jobs[self.job])
        self.jobs.become(self.job, state=JobState.FAILED)
        self.assertEqual(self.told("rangedaemon_changed_files_total"), 1)
        self.assertEqual(self.told("rangedaemon_jobs_ended_total failed"), 1)

    def test_counters(self) -> None:
        """What the client counted, under its names."""
        self.jobs.become(self.job, state=JobState.ACTIVE, live=Live(connections=7))
        counters = self.jobs.counters
        counters.received = 12345
        counters.answers.update([206, 206, 503])
        counters.checkpoints.note(0.02)
        for name, value in {
            "rangedaemon_segments": 7,
            "rangedaemon_received_bytes_total": 12345,
            "rangedaemon_origin_answers_total 206": 2,
            "rangedaemon_origin_answers_total 503": 1,
            "rangedaemon_checkpoint_seconds_bucket 0.01": 0,
            "rangedaemon_checkpoint_seconds_bucket 0.025": 1,
            "rangedaemon_checkpoint_seconds_count": 1,
            "rangedaemon_checkpoint_seconds_sum": 0.02,
        }.items():
            self.assertEqual(self.told(name), value, name)

    def test_stops(self) -> None:
        """A site that has stopped listens to no job, and its clock is quiet."""
        self.wire.site.doStart()
        self.wire.site.doStop()
        self.assertEqual(self.jobs.listeners, [])
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])


class LateClock(Clock):
    """A clock that makes every call late."""

    late = 0.0

    def beat(self) -> None:
        """The next call is made, late."""
        self.rightNow += self.late
        self.advance(INTERVAL)


class PulseTests(SynchronousTestCase):
    """Tests for `Pulse`."""

    def test_lag(self) -> None:
        """What is noted is how late each beat came."""
        clock = LateClock()
        pulse = Pulse(clock)
        pulse.start()
        for late in (0.0, 0.2, 2.0):
            clock.late = late
            clock.beat()
        self.assertAlmostEqual(pulse.lag.total, 2.2)
        self.assertEqual(dict(pulse.lag.up_to())[0.25], 2)
        pulse.stop()
        self.assertEqual(clock.getDelayedCalls(), [])


class DurationsTests(SynchronousTestCase):
    """Tests for `Durations`."""

    @given(st.lists(st.floats(-1, 100)))
    def test_model(self, times: list[float]) -> None:
        """For each bound as many as are no longer; all of them for infinity."""
        durations = Durations()
        for seconds in times:
            durations.note(seconds)
        expected = [(b, sum(t <= b for t in times)) for b in (*BOUNDS, float("inf"))]
        self.assertEqual(durations.up_to(), expected)


def of_the_server() -> set[str]:
    """The names that the file server's own collector tells."""
    server = parse(b"server: {}", {}, name="c", base=Path("/")).server
    assert server is not None
    return {family.name for family in Serving(server, MemoryReactorClock(), inline).collect()}


class DashboardTests(SynchronousTestCase):
    """``conf/grafana-dashboard.json``."""

    def test_names(self) -> None:
        """Every metric that it names is told by the daemon, and none of ours is left out."""
        told = {
            family.name
            for family in text_string_to_metric_families(
                Wire().ask("GET", "/metrics").body.decode()
            )
        } | of_the_server()
        named = set(re.findall(r"\b((?:rangedaemon|process)_[a-z_]+)", DASHBOARD.read_text()))
        drawn = {re.sub(r"_(total|bucket)$", "", name) for name in named}
        self.assertEqual(drawn - told, set())
        ours = {name for name in told if name.startswith("rangedaemon_")}
        self.assertEqual(ours - drawn, {"rangedaemon_rate_bytes", "rangedaemon_workers"})

    def test_shape(self) -> None:
        """Panels do not lie upon each other, and each asks the data source that is chosen."""
        taken: set[tuple[int, int]] = set()
        for panel in json.loads(DASHBOARD.read_text())["panels"]:
            place = panel["gridPos"]
            cells = {
                (x, y)
                for x in range(place["x"], place["x"] + place["w"])
                for y in range(place["y"], place["y"] + place["h"])
            }
            self.assertFalse(cells & taken, panel["title"])
            self.assertTrue(all(x < 24 for x, _ in cells))
            taken |= cells
            self.assertTrue(panel["targets"])
            for target in panel["targets"]:
                self.assertEqual(target["datasource"]["uid"], "${source}")
