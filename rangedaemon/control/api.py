"""The table of the API: every row of it, and the resource that answers them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from twisted.web.resource import IResource

from rangedaemon.control.events import EventHub
from rangedaemon.control.metrics import Meters
from rangedaemon.control.openapi import describe
from rangedaemon.control.ports import Jobs
from rangedaemon.control.pushing import Pushes, PushPlaces
from rangedaemon.control.routes.content import ContentRoutes
from rangedaemon.control.routes.daemon import DaemonRoutes, Surroundings
from rangedaemon.control.routes.jobs import JobRoutes
from rangedaemon.control.routes.limits import LimitRoutes
from rangedaemon.control.routing import Route, Router
from rangedaemon.control.sse import EventStream
from rangedaemon.server.answering import Surroundings as FileSurroundings


def build_api(
    jobs: Jobs,
    around: Surroundings,
    meters: Meters,
    files: FileSurroundings,
    *,
    directory: str,
    segments: int,
    places: Callable[[], PushPlaces],
) -> tuple[IResource, EventStream]:
    """The resource of the REST API, and the event stream (whose owner stops it)."""
    daemon = DaemonRoutes(jobs, around, meters)
    epoch = f"{int(files.now() * 1000):x}"
    hub = EventHub(jobs, around.clock)
    stream = EventStream(hub, around.clock, daemon.present_status, epoch)
    pushes = Pushes(places, files.in_thread, segments=segments)
    rows = [
        *daemon.table(stream),
        *table_of(jobs, files, pushes, directory=directory, segments=segments),
    ]
    daemon.described_by(cache(lambda: describe(rows)))
    return Router(rows).resource(), stream


def table_of(
    jobs: Jobs, files: FileSurroundings, pushes: Pushes, *, directory: str, segments: int
) -> list[Route]:
    """What is asked of jobs, their files and their limits."""
    return [
        *JobRoutes(jobs, pushes, directory=directory, segments=segments).table(),
        *ContentRoutes(jobs, files).table(),
        *LimitRoutes(jobs).table(),
    ]
