"""
The daemon's life: what starts in which order, and stops in the other.

Everything that may keep the daemon from starting (ports, journal, token) happens
before the reactor runs, while blocking is allowed and twistd still takes an
exception for what it is.  The rest, from the sample file to the declared jobs,
is one story in the reactor, and only at its end are we ready.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ReactorNotRunning
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.network import Network
from rangedaemon.client.runner import Runner
from rangedaemon.config import Config
from rangedaemon.control.problems import NotReady
from rangedaemon.control.site import ControlSite, Host
from rangedaemon.core.jobs import RUNNING
from rangedaemon.errors import Fault
from rangedaemon.service.hooking import hooking
from rangedaemon.service.joblog import JobLog
from rangedaemon.service.listeners import Listeners
from rangedaemon.service.logs import LoggingRoot
from rangedaemon.service.notify import Supervisor, status_text
from rangedaemon.service.places import addresses_of, places_of
from rangedaemon.service.ports import (
    PromptEndpoint,
    StartFailed,
    clear_reasons,
    refuse_plain_remote,
)
from rangedaemon.service.reloading import Parts, Reloader, declare, plan_of
from rangedaemon.service.serving import Serving
from rangedaemon.service.steering import control_site, registry_of
from rangedaemon.service.stopping import DRAIN_SECONDS, STOP_SECONDS, in_turn, story, together
from rangedaemon.service.threads import Threads
from rangedaemon.service.watching import Watching, folder_of
from rangedaemon.service.wiring import build_runner, keyring_of, push_places_of
from rangedaemon.storage.journal import Journal
from rangedaemon.storage.opening import JOURNAL_FILE, Opened, open_journal
from rangedaemon.storage.sample import make_sample


class Daemon(LoggingRoot):
    """One rangedaemon."""

    _log = Logger()

    def __init__(self, config: Config, reactor: Any, *, source: str | None) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.ready = False
        """True from the end of the start to the beginning of the stop."""
        self.failed = False
        """Whether the daemon ended because its start could not be finished."""
        self._first_config = config
        self._hung_up = False
        """Whether to read the configuration again as soon as the start is over."""
        self._reactor = reactor
        self._source = source
        self._threads = Threads(reactor)
        self._beginning: Deferred[None] | None = None
        self._opened: Opened | None = None
        self._journal: Journal
        self._runner: Runner
        self._network: Network
        self._supervisor = Supervisor(os.environ, reactor, self._status)
        self._site: ControlSite
        self._control: Listeners | None = None
        self._reloader: Reloader | None = None
        self._serving = Serving(config.server, reactor, self._threads.disk)
        self._serving.setServiceParent(self)  # type: ignore[no-untyped-call]

    @property
    def _config(self) -> Config:
        """What is in force."""
        return self._reloader.config if self._reloader else self._first_config

    @property
    def _control_endpoints(self) -> list[PromptEndpoint]:
        return self._control.endpoints if self._control else []

    # -- start ------------------------------------------------------------------

    def privilegedStartService(self) -> None:
        """Listen for the readers of files, on ports that may need privileges."""
        with self._wholly_or_not():
            super().privilegedStartService()  # type: ignore[no-untyped-call]

    def startService(self) -> None:
        """
        Open the journal, make the parts, listen; the rest follows in the reactor.

        :raises StartFailed: something is in the way; nothing of ours goes on running.
        """
        with self._wholly_or_not():
            self._threads.start()
            self._open()
            super().startService()  # type: ignore[no-untyped-call]
            if not self._config.control.allow_plain_remote:
                refuse_plain_remote(self._control_endpoints)
        self._reactor.callWhenRunning(self._supervisor.startService)
        self._reactor.callWhenRunning(self._begin)

    @contextmanager
    def _wholly_or_not(self) -> Iterator[None]:
        try:
            with clear_reasons():
                yield
        except BaseException as exc:
            if isinstance(exc, StartFailed):
                self._say(str(exc))
            self._abandon()  # else its threads would keep the process alive
            raise

    def _say(self, why: str) -> None:
        """Tell the log, and whoever started us, why we end."""
        self._log.critical("{why}", why=why)
        if sys.__stderr__ is not None:
            sys.__stderr__.write(f"rangedaemon: {why}\n")

    def _abandon(self) -> None:
        """Let go of what the start had already taken."""
        for endpoint in (*self._serving.endpoints, *self._control_endpoints):
            if endpoint.port is not None:
                endpoint.port.stopListening()
        if self._opened is not None:
            self._opened.close()
        self._threads.stop()

    def _open(self) -> None:
        """The parts that need the journal."""
        config = self._config
        self._opened = open_journal(config.state_dir / JOURNAL_FILE)
        keyring = keyring_of(config, os.urandom)
        self._journal = Journal(self._opened, self._threads.journal, self._threads.journal)
        self._serving.open(config.state_dir, self._journal, self._threads.lanes)
        self._runner, self._network = build_runner(
            config,
            self._reactor,
            store=self._journal,
            in_thread=self._threads.disk,
            in_lane=self._threads.lanes,
        )
        self._runner.subscribe(JobLog())
        self._hooks = hooking(config, self._reactor, self._runner, self._threads.disk)
        self._hooks.setServiceParent(self)  # type: ignore[no-untyped-call]
        watching = Watching(folder_of(config), self._runner, self._reactor, self._threads.disk)
        watching.setServiceParent(self)  # type: ignore[no-untyped-call]
        self._site = control_site(
            config,
            self._source,
            keyring=keyring,
            runner=self._runner,
            host=self._as_host(),
            push_places=lambda: push_places_of(self._config),
        )
        self._control = Listeners(self._reactor, config.control.listen, self._site)
        self._control.setServiceParent(self)  # type: ignore[no-untyped-call]
        parts = Parts(
            reactor=self._reactor,
            serving=self._serving,
            control=self._control,
            site=self._site,
            runner=self._runner,
            in_thread=self._threads.disk,
            network=self._network,
            hooks=self._hooks,
            watching=watching,
        )
        self._reloader = Reloader(parts, config, self._source, self)

    def _as_host(self) -> Host:
        """What of this process control may use."""
        return Host(
            clock=self._reactor,
            started_at=self._reactor.seconds(),
            readiness=self,
            registry=registry_of(self._serving),
            shutdown=self._shut_down,
            in_thread=self._threads.disk,
            rate_out=self._serving.rate,
            places=lambda: places_of(self._config, self._serving.endpoints),
            plan=plan_of(lambda: self._reloader),
            reload=self.reload,
        )

    def _begin(self) -> None:
        self._beginning = Deferred.fromCoroutine(self._become_ready())
        self._beginning.addErrback(self._give_up)

    async def _become_ready(self) -> None:
        """What is left to do once the reactor runs."""
        await self._make_sample()
        await self._serving.begin()
        await self._runner.recover()
        await declare(self._runner, self._config)
        self._runner.setServiceParent(self)  # type: ignore[no-untyped-call]
        self.ready = True
        self._supervisor.ready()
        if self._hung_up:
            self.hang_up()
        endpoints = self._serving.endpoints, self._control_endpoints
        for line in addresses_of(self._config, *endpoints):
            self._log.info("{line}", line=line)

    async def _make_sample(self) -> None:
        """The sample file; where it cannot be, everything else still can."""
        sample = self._config.server.sample if self._config.server else None
        if sample is None:
            return
        try:
            await self._threads.disk(make_sample, sample.path, sample.size)
        except OSError as exc:
            self._log.error("no sample file {path}: {why}", path=sample.path, why=exc.strerror)

    def _give_up(self, failure: Failure) -> None:
        """The start cannot be finished: end, with a status that says so."""
        if failure.check(CancelledError):
            return
        if not failure.check(Fault):
            self._log.failure("the start failed", failure)
        self.failed = True
        self._say(failure.getErrorMessage())
        self._shut_down()

    async def _status(self) -> str:
        """What it does at this moment, in a few words."""
        totals, serving = await self._runner.totals(), self._serving
        active = sum(totals.counts.get(state, 0) for state in RUNNING)
        return status_text(active, totals.rate_in, serving.connections, serving.rate())

    # -- another configuration ----------------------------------------------------

    def hang_up(self) -> None:
        """Read the configuration again, now or when the start is over."""
        self._hung_up = not self.ready
        if self.ready:
            Deferred.fromCoroutine(self.reload()).addErrback(self._note_reload)

    async def reload(self) -> Sequence[str]:
        """Read the configuration again; what may go wrong stands at `Reloader.reload`."""
        if self._reloader is None:
            raise NotReady("the daemon is starting")
        self._supervisor.reloading()
        refused: str | None = "see the log"
        try:
            changed = await self._reloader.reload()
            if self.threshold is not None:
                self.threshold.set(self._config.log.level)
            await self._make_sample()
            refused = None
        except Fault as fault:
            refused = fault.detail
            raise
        finally:
            self._supervisor.reloaded(refused)
        return changed

    def _note_reload(self, failure: Failure) -> None:
        """Nobody waits for it; a fault is in the log already."""
        if not failure.check(Fault):
            self._log.failure("the reload failed", failure)

    # -- stop -------------------------------------------------------------------

    def _shut_down(self) -> None:
        with suppress(ReactorNotRunning):
            self._reactor.stop()

    def end(self) -> None:
        """Stop, in order."""
        self._log.info("stopping: what was begun may end, what is new is refused")
        self._shut_down()

    def hasten(self) -> None:
        """Stop at once: cut off whoever is still served."""
        self._log.info("stopping at once")
        self._serving.hasten()
        self._hooks.hasten()
        self._site.hasten()

    def stopService(self) -> Deferred[None]:
        """Finish what was begun, checkpoint and end all jobs, close ports and journal."""
        self.ready = False
        self._supervisor.stopping(self._patience + STOP_SECONDS)
        if self._beginning is not None:
            self._beginning.cancel()
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await in_turn(
            (
                self._drain,
                super().stopService,
                self._network.close,
                story(self._journal.close),
                self._threads.stop,
                self._supervisor.stopService,
            )
        )

    @property
    def _patience(self) -> float:
        """Seconds that readers have to finish."""
        server = self._config.server
        return server.limits.drain_timeout if server else DRAIN_SECONDS

    def _drain(self) -> Deferred[None]:
        """Readers finish what they have begun, jobs end; whoever comes is sent away."""
        return Deferred.fromCoroutine(
            together(
                story(self._serving.drain),
                story(self._site.drain, self._patience),
                self._runner.stopService,
            )
        )
