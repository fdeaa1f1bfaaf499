"""
What is told to Prometheus, in a registry of our own, so that nothing global is touched.

Everything is counted where it happens, in plain numbers; here they get their names,
when somebody asks.  The dashboard in ``conf/`` is drawn from these names.
"""

from __future__ import annotations

from collections import Counter as Count
from collections.abc import Iterator, Mapping
from functools import cache

from prometheus_client import CollectorRegistry, Counter, Gauge, ProcessCollector
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from twisted.web.server import Request

from rangedaemon.control.answers import Answer
from rangedaemon.control.ports import Jobs
from rangedaemon.control.pulse import Pulse
from rangedaemon.control.tally import Tally
from rangedaemon.core.counters import Durations
from rangedaemon.core.jobs import JobState

_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PATCH", b"DELETE", b"OPTIONS", b"PUT"})


class Work:
    """A collector: what the jobs have cost and brought so far."""

    def __init__(self, jobs: Jobs, tally: Tally, pulse: Pulse) -> None:
        self._jobs = jobs
        self._tally = tally
        self._pulse = pulse

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told (the interface of its collectors)."""
        yield from self._octets()
        yield from self._happenings()
        yield _histogram(
            "rangedaemon_checkpoint_seconds",
            "From the beginning of a sync to the claim in the journal.",
            self._jobs.counters.checkpoints,
        )
        yield _histogram(
            "rangedaemon_reactor_lag_seconds",
            "How much later than asked for the reactor made a call.",
            self._pulse.lag,
        )

    def _octets(self) -> Iterator[Metric]:
        connections = sum(job.live.connections for job in self._jobs.running_now())
        yield GaugeMetricFamily(
            "rangedaemon_segments", "Segments that are fetched at this moment.", value=connections
        )
        yield CounterMetricFamily(
            "rangedaemon_received_bytes",
            "Bytes that came from origins and were kept.",
            value=self._jobs.counters.received,
        )
        yield CounterMetricFamily(
            "rangedaemon_compared_bytes",
            "Bytes that came again only to be compared with those on the disk.",
            value=self._jobs.counters.compared,
        )
        yield CounterMetricFamily(
            "rangedaemon_pushed_bytes",
            "Bytes of uploads that other servers have acknowledged.",
            value=self._jobs.counters.pushed,
        )
        yield CounterMetricFamily(
            "rangedaemon_resumed_bytes",
            "Bytes that were there already when a job went on: saved by resuming.",
            value=self._tally.resumed,
        )

    def _happenings(self) -> Iterator[Metric]:
        yield CounterMetricFamily(
            "rangedaemon_changed_files",
            "How often a file changed at its origin while it was fetched.",
            value=self._tally.changed,
        )
        yield _by("rangedaemon_retries", "Retries by reason.", "reason", self._tally.retries)
        yield _by(
            "rangedaemon_jobs_ended", "Jobs that ended, by state.", "state", self._tally.ended
        )
        answers = Count({str(status): n for status, n in self._jobs.counters.answers.items()})
        yield _by("rangedaemon_origin_answers", "Answers of origins by status.", "status", answers)


class Meters:
    """The control side's own meters, and the page that shows the whole registry."""

    def __init__(self, registry: CollectorRegistry, work: Work) -> None:
        self._registry = registry
        self._requests = Counter(
            "rangedaemon_control_requests",
            "Requests to the control API by method and status.",
            ["method", "status"],
            registry=registry,
        )
        self._jobs = Gauge("rangedaemon_jobs", "Jobs by state.", ["state"], registry=registry)
        self._rate = Gauge(
            "rangedaemon_rate_bytes",
            "Bytes per second over the last seconds by direction.",
            ["direction"],
            registry=registry,
        )
        # Looking up a counter by its labels costs the library more than counting.
        self._counter = cache(self._labelled)
        registry.register(work)
        ProcessCollector(registry=registry)

    def count(self, request: Request) -> None:
        """Count *request*: it is answered, or its caller has gone."""
        method = request.method if request.method in _METHODS else b"other"
        self._counter(method, request.code).inc()

    def _labelled(self, method: bytes, status: int) -> Counter:
        return self._requests.labels(method.decode("ascii"), str(status))

    def page(self, counts: Mapping[JobState, int], rate_in: float, rate_out: float) -> Answer:
        """The whole registry in Prometheus' text form, with these present values."""
        for state in JobState:
            self._jobs.labels(state.value).set(counts.get(state, 0))
        self._rate.labels("in").set(rate_in)
        self._rate.labels("out").set(rate_out)
        return Answer(body=generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)


def _by(name: str, text: str, label: str, counts: Mapping[str, int]) -> Metric:
    family = CounterMetricFamily(name, text, labels=[label])
    for value, count in sorted(counts.items()):
        family.add_metric([value], count)
    return family


def _histogram(name: str, text: str, durations: Durations) -> Metric:
    pairs = durations.up_to()
    buckets = [("+Inf" if bound == float("inf") else str(bound), count) for bound, count in pairs]
    return HistogramMetricFamily(name, text, buckets=buckets, sum_value=durations.total)
