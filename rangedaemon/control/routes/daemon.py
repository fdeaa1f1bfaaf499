"""The routes of the daemon itself: health, metrics, description, status, events, reload, end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.interfaces import IReactorTime
from twisted.web.resource import IResource

from rangedaemon import __version__
from rangedaemon.control.answers import Answer, json_answer
from rangedaemon.control.bodies import parse_json, validated
from rangedaemon.control.metrics import Meters
from rangedaemon.control.models import Health, Nothing, Plan, Reloaded, StatusObject
from rangedaemon.control.ports import Jobs, Place
from rangedaemon.control.problems import NotReady
from rangedaemon.control.routing import Incoming, Route
from rangedaemon.control.sse import EventResource, EventStream
from rangedaemon.control.views import plan_object, status_object
from rangedaemon.core.declared import Difference


class Readiness(Protocol):
    """Whether the daemon has started, and is not stopping."""

    @property
    def ready(self) -> bool:
        """True from the end of the start to the beginning of the stop."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What of the process the routes may see and touch."""

    clock: IReactorTime
    started_at: float
    config_path: str | None
    rate_out: Callable[[], float]
    shutdown: Callable[[], None]
    readiness: Readiness
    places: Callable[[], Iterable[Place]]
    """The served folders."""
    plan: Callable[[], Awaitable[Sequence[Difference]]]
    """Read the configuration; answers with what a reload would make of the declared jobs."""
    reload: Callable[[], Awaitable[Sequence[str]]]
    """Read the configuration again; answers with the keys whose values are new."""


class DaemonRoutes:
    """The rows of the API's table that are about the daemon."""

    def __init__(self, jobs: Jobs, around: Surroundings, meters: Meters) -> None:
        self._jobs = jobs
        self._around = around
        self._meters = meters
        self._description: Callable[[], dict[str, Any]] = dict

    def described_by(self, description: Callable[[], dict[str, Any]]) -> None:
        """Where ``/openapi.json`` comes from (it describes this table too)."""
        self._description = description

    def table(self, stream: EventStream) -> list[Route]:
        """Every row."""
        return [
            Route("GET", "/healthz", self.health, "Is it up?", answer=Health, refusals=(503,)),
            Route(
                "GET", "/metrics", self.metrics, "Metrics for Prometheus.",
                media_type="text/plain",
            ),
            Route("GET", "/openapi.json", self.description, "This description."),
            Route("GET", "/api/v1/status", self.status, "The daemon.", answer=StatusObject),
            Route(
                "GET", "/api/v1/events", _events(stream), "Server-Sent Events.",
                media_type="text/event-stream", refusals=(503,),
            ),
            Route(
                "GET", "/api/v1/plan", self.plan,
                "What a reload would make of the declared jobs.",
                answer=Plan, refusals=(409, 422, 503),
            ),
            Route(
                "POST", "/api/v1/reload", self.reload, "Read the configuration again.",
                answer=Reloaded, refusals=(409, 422, 503),
            ),
            Route(
                "POST", "/api/v1/shutdown", self.shutdown, "Stop cleanly.",
                answer=Health, status=202,
            ),
        ]  # fmt: skip

    async def health(self, _: Incoming) -> Answer:
        """200, or 503 while starting or stopping."""
        if not self._around.readiness.ready:
            raise NotReady("the daemon is starting or stopping")
        return json_answer(Health(status="ok"))

    async def metrics(self, _: Incoming) -> Answer:
        """Prometheus' text."""
        totals = await self._jobs.totals()
        return self._meters.page(totals.counts, totals.rate_in, self._around.rate_out())

    async def description(self, _: Incoming) -> Answer:
        """The OpenAPI document."""
        return json_answer(self._description())

    async def status(self, _: Incoming) -> Answer:
        """The status object."""
        return json_answer(await self.present_status())

    async def present_status(self) -> StatusObject:
        """The status at this moment."""
        around = self._around
        return status_object(
            await self._jobs.totals(),
            version=__version__,
            uptime=around.clock.seconds() - around.started_at,
            rate_out=around.rate_out(),
            config=around.config_path,
            files=around.places(),
        )

    async def plan(self, _: Incoming) -> Answer:
        """What is not as the file declares it."""
        return json_answer(plan_object(await self._around.plan()))

    async def reload(self, incoming: Incoming) -> Answer:
        """What is different now; a configuration that cannot be used changes nothing."""
        _insist_on_nothing(incoming)
        return json_answer(Reloaded(changed=list(await self._around.reload())))

    async def shutdown(self, incoming: Incoming) -> Answer:
        """202; the stop begins once this answer is on its way."""
        _insist_on_nothing(incoming)
        incoming.request.notifyFinish().addBoth(lambda _: self._around.shutdown())
        return json_answer(Health(status="stopping"), 202)


def _insist_on_nothing(incoming: Incoming) -> None:
    if incoming.body:
        validated(Nothing, parse_json(incoming.body))


def _events(stream: EventStream) -> Callable[[Incoming], Any]:
    resource = EventResource(stream)

    async def events(_: Incoming) -> Answer | IResource:
        if stream.full:
            raise NotReady("too many readers of events")
        return resource

    return events
