"""The control site: everything of this package, put together."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from prometheus_client import CollectorRegistry
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site

from rangedaemon import __version__
from rangedaemon.control.access import Rules, host_names
from rangedaemon.control.api import build_api
from rangedaemon.control.aria2.endpoint import build_endpoint
from rangedaemon.control.aria2.options import Defaults
from rangedaemon.control.gate import Gate
from rangedaemon.control.intake import ControlRequest
from rangedaemon.control.metrics import Meters, Work
from rangedaemon.control.ports import Jobs
from rangedaemon.control.pulse import Pulse
from rangedaemon.control.routes.daemon import Readiness, Surroundings
from rangedaemon.control.slowdown import Slowdown
from rangedaemon.control.tally import Tally
from rangedaemon.control.tokens import Keyring
from rangedaemon.server.answering import Surroundings as FileSurroundings
from rangedaemon.storage.threads import InThread, inline


class ControlSite(Site):
    """The factory of control connections; `stopFactory` ends streams and sessions."""

    def __init__(
        self,
        root: IResource,
        clock: IReactorTime,
        starts: Sequence[Callable[[], None]],
        stops: Sequence[Callable[[], None]],
    ) -> None:
        Site.__init__(
            self,
            root,
            requestFactory=ControlRequest,
            parsePOSTFormSubmission=False,
            reactor=clock,
        )
        self._starts, self._stops = starts, stops

    def startFactory(self) -> None:
        """The first port is open."""
        super().startFactory()
        for start in self._starts:
            start()

    def stopFactory(self) -> None:
        """The port is closed: nobody listens to events any more."""
        for stop in self._stops:
            stop()
        super().stopFactory()

    def log(self, request: Request) -> None:
        """No access log: targets of RPC by GET hold tokens; the metrics count requests."""


def build_control_site(
    jobs: Jobs,
    *,
    keyring: Keyring,
    allowed_hosts: Collection[str],
    readiness: Readiness,
    registry: CollectorRegistry,
    shutdown: Callable[[], None],
    config_path: str | None,
    download_directory: str,
    clock: IReactorTime,
    started_at: float,
    in_thread: InThread = inline,
    wall: Callable[[], float] = time.time,
    default_segments: int = 8,
    notify_strangers: bool = False,
    urandom: Callable[[int], bytes] = os.urandom,
    rate_out: Callable[[], float] = lambda: 0.0,
    allowed_origins: Collection[str] = (),
    branches: Mapping[bytes, IResource] | None = None,
    places: Callable[[], Iterable[str]] = tuple,
) -> ControlSite:
    """
    The site that people and programs steer the daemon by.

    :param download_directory: absolute; no job writes elsewhere.
    :param started_at: when the daemon started, by *clock*.
    :param in_thread: where finished files are opened and read.
    :param wall: seconds since the epoch.
    :param shutdown: begins the clean stop; called after the answer has been sent.
    :param notify_strangers: tell WebSocket sessions of events that have shown no token.
    :param places: the addresses of the served folders.
    :param branches: further resources by the first segment of their path (``ui``).
    """
    tally, pulse = Tally(), Pulse(clock)
    stop_counting = jobs.subscribe(tally.happened)
    meters = Meters(registry, Work(jobs, tally, pulse))
    around = Surroundings(clock, started_at, config_path, rate_out, shutdown, readiness, places)
    api, stream = build_api(
        jobs,
        around,
        meters,
        FileSurroundings(clock, in_thread, wall),
        directory=download_directory,
        segments=default_segments,
    )
    rules = Rules(keyring, host_names(allowed_hosts), allowed_origins)
    slowdown = Slowdown(clock)
    rpc, stop_rpc = build_endpoint(
        jobs,
        keyring=keyring,
        slowdown=slowdown,
        defaults=Defaults(download_directory, default_segments),
        clock=clock,
        session_id=urandom(20).hex(),
        shutdown=shutdown,
        notify_strangers=notify_strangers,
    )
    tree = {b"jsonrpc": rpc, **(branches or {})}
    gate = Gate(rules, api, tree, meters, slowdown, f"rangedaemon/{__version__}")
    return ControlSite(
        gate, clock, [pulse.start], [stream.stop, stop_rpc, stop_counting, pulse.stop]
    )
