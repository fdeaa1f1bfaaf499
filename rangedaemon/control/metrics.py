"""What is counted for Prometheus: our own registry, so nothing global is touched."""

from __future__ import annotations

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from twisted.web.server import Request

from rangedaemon.control.answers import Answer
from rangedaemon.core.jobs import JobState

_METHODS = frozenset({b"GET", b"HEAD", b"POST", b"PATCH", b"DELETE", b"OPTIONS", b"PUT"})


class Meters:
    """The control side's own meters, and the page that shows the whole registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
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

    def watch(self, request: Request) -> None:
        """Count *request* once it is answered (or its caller has gone)."""
        request.notifyFinish().addBoth(lambda _: self._count(request))

    def _count(self, request: Request) -> None:
        method = request.method if request.method in _METHODS else b"other"
        self._requests.labels(method.decode("ascii"), str(request.code)).inc()

    def page(self, counts: Mapping[JobState, int], rate_in: float, rate_out: float) -> Answer:
        """The whole registry in Prometheus' text form, with these present values."""
        for state in JobState:
            self._jobs.labels(state.value).set(counts.get(state, 0))
        self._rate.labels("in").set(rate_in)
        self._rate.labels("out").set(rate_out)
        return Answer(body=generate_latest(self._registry), media_type=CONTENT_TYPE_LATEST)
