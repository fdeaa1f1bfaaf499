"""The control site: everything of this package, put together."""

from __future__ import annotations

import os
import time
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prometheus_client import CollectorRegistry
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.interfaces import IReactorTime
from twisted.web.http import Request
from twisted.web.resource import IResource
from twisted.web.server import Site

from rangedaemon import __version__
from rangedaemon.control.access import Rules, host_names
from rangedaemon.control.api import build_api
from rangedaemon.control.aria2.endpoint import build_endpoint
from rangedaemon.control.aria2.options import Defaults
from rangedaemon.control.channel import ControlChannel
from rangedaemon.control.gate import Gate
from rangedaemon.control.intake import ControlRequest
from rangedaemon.control.metrics import Meters, Work
from rangedaemon.control.ports import Jobs, Place
from rangedaemon.control.pulse import Pulse
from rangedaemon.control.pushing import PushPlaces
from rangedaemon.control.routes.daemon import Readiness, Surroundings
from rangedaemon.control.slowdown import Slowdown
from rangedaemon.control.tally import Tally
from rangedaemon.control.tokens import Entry, Keyring
from rangedaemon.core.declared import Difference
from rangedaemon.errors import StateForbids
from rangedaemon.server.answering import Surroundings as FileSurroundings
from rangedaemon.storage.threads import InThread, inline


class ControlSite(Site):
    """The factory of control connections; `stopFactory` ends streams and sessions."""

    protocol = ControlChannel  # type: ignore[assignment]

    def __init__(
        self,
        gate: Gate,
        keyring: Keyring,
        clock: IReactorTime,
        starts: Sequence[Callable[[], None]],
        stops: Sequence[Callable[[], None]],
    ) -> None:
        Site.__init__(
            self,
            gate,
            requestFactory=ControlRequest,
            parsePOSTFormSubmission=False,
            reactor=clock,
        )
        self._gate, self._keyring, self._clock = gate, keyring, clock
        self._starts, self._stops = starts, stops

    def change_access(
        self,
        entries: Collection[Entry],
        allowed_hosts: Collection[str],
        allowed_origins: Collection[str],
    ) -> None:
        """These tokens, hosts and origins, and no others; who came by a former one is cut off."""
        self._keyring.replace(entries)
        self._gate.change(Rules(self._keyring, host_names(allowed_hosts), allowed_origins))

    async def drain(self, patience: float) -> None:
        """End streams and sessions, finish what was begun, and tell all others to come later."""
        answered = self._gate.close().addTimeout(patience, self._clock)
        self._stop()
        with suppress(DeferredTimeout):
            await answered

    def hasten(self) -> None:
        """Cut off at once whoever `drain` waits for."""
        self._gate.cut_off_all()

    def acceptableProtocols(self) -> list[bytes]:  # noqa: N802
        """What `ControlChannel` speaks."""
        return [b"http/1.1"]

    def startFactory(self) -> None:
        """The first port is open."""
        super().startFactory()
        for start in self._starts:
            start()

    def stopFactory(self) -> None:
        """The port is closed: nobody listens to events any more."""
        self._stop()
        super().stopFactory()

    def _stop(self) -> None:
        stops, self._stops = self._stops, ()
        for stop in stops:
            stop()

    def log(self, request: Request) -> None:
        """No access log: targets of RPC by GET hold tokens; the metrics count requests."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the configuration says of control."""

    keyring: Keyring
    allowed_hosts: Collection[str]
    download_directory: str
    """Absolute; no job writes elsewhere."""
    push_places: Callable[[], PushPlaces] = PushPlaces
    """Where files may be pushed from now."""
    config_path: str | None = None
    default_segments: int = 8
    allowed_origins: Collection[str] = ()
    notify_strangers: bool = False
    """Tell WebSocket sessions of events that have shown no token."""

    @property
    def rules(self) -> Rules:
        """Who is let in."""
        return Rules(self.keyring, host_names(self.allowed_hosts), self.allowed_origins)


async def _no_file() -> Any:
    raise StateForbids("the daemon was not started from a file that could be read again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """The process that is steered, and what of it control may use."""

    clock: IReactorTime
    started_at: float
    """When the daemon started, by *clock*."""
    readiness: Readiness
    registry: CollectorRegistry
    shutdown: Callable[[], None]
    """Begins the clean stop; called after the answer has been sent."""
    in_thread: InThread = inline
    """Where finished files are opened and read."""
    wall: Callable[[], float] = time.time
    """Seconds since the epoch."""
    urandom: Callable[[int], bytes] = os.urandom
    rate_out: Callable[[], float] = lambda: 0.0
    places: Callable[[], Iterable[Place]] = tuple
    """The served folders."""
    plan: Callable[[], Awaitable[Sequence[Difference]]] = _no_file
    """Reads the configuration; answers with what a reload would make of the declared jobs."""
    reload: Callable[[], Awaitable[Sequence[str]]] = _no_file
    """Reads the configuration again; answers with the keys whose values are new."""

    def shown(self, config_path: str | None) -> Surroundings:
        """What of it the routes may see and touch."""
        return Surroundings(
            self.clock, self.started_at, config_path, self.rate_out, self.shutdown,
            self.readiness, self.places, self.plan, self.reload,
        )  # fmt: skip

    @property
    def files(self) -> FileSurroundings:
        """How files are read."""
        return FileSurroundings(self.clock, self.in_thread, self.wall)


def build_control_site(
    jobs: Jobs, settings: Settings, host: Host, branches: Mapping[bytes, IResource] | None = None
) -> ControlSite:
    """
    The site that people and programs steer the daemon by.

    :param branches: further resources by the first segment of their path (``ui``).
    """
    tally, pulse, slowdown = Tally(), Pulse(host.clock), Slowdown(host.clock)
    stop_counting = jobs.subscribe(tally.happened)
    meters = Meters(host.registry, Work(jobs, tally, pulse))
    api, stream = build_api(
        jobs,
        host.shown(settings.config_path),
        meters,
        host.files,
        directory=settings.download_directory,
        segments=settings.default_segments,
        places=settings.push_places,
    )
    rpc, stop_rpc = _rpc(jobs, settings, host, slowdown)
    tree = {b"jsonrpc": rpc, **(branches or {})}
    gate = Gate(settings.rules, api, tree, meters, slowdown, f"rangedaemon/{__version__}")
    stops = [stream.stop, stop_rpc, stop_counting, pulse.stop]
    return ControlSite(gate, settings.keyring, host.clock, [pulse.start], stops)


def _rpc(
    jobs: Jobs, settings: Settings, host: Host, slowdown: Slowdown
) -> tuple[IResource, Callable[[], None]]:
    """aria2's RPC, and what stops it."""
    return build_endpoint(
        jobs,
        keyring=settings.keyring,
        slowdown=slowdown,
        defaults=Defaults(settings.download_directory, settings.default_segments),
        clock=host.clock,
        session_id=host.urandom(20).hex(),
        shutdown=host.shutdown,
        notify_strangers=settings.notify_strangers,
    )
