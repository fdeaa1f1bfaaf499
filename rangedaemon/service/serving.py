"""
Who serves the mounts: this process, or workers at the same sockets.

This process listens in either case, so that what is in the way shows at the start, a
worker's death closes no port, and who comes during a stop is told so.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from twisted.application.service import MultiService
from twisted.internet.defer import gatherResults, maybeDeferred
from twisted.internet.interfaces import IListeningPort
from twisted.internet.task import LoopingCall

from rangedaemon.config import Server
from rangedaemon.core.rates import RateMeter
from rangedaemon.server.landing import land_at
from rangedaemon.server.setup import SiteSetup
from rangedaemon.service.changes import Prepared
from rangedaemon.service.listeners import Change, Listeners, descriptors_of, read_certificates
from rangedaemon.service.ports import PromptEndpoint
from rangedaemon.service.receiving import Receiving, refuse_other_uploads, taking
from rangedaemon.service.wiring import setup_of
from rangedaemon.service.workers import Workers
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.threads import InThread

RELAY_SOCKET = "relay.sock"
"""In the state directory."""


class Serving(MultiService):
    """The mounts of *server*, served; nothing where it is None."""

    def __init__(self, server: Server | None, reactor: Any, in_thread: InThread) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._in_thread = in_thread
        self._meter = RateMeter()
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = reactor
        self._server = server
        self._receiving: Receiving | None = None
        self._receive: Callable[[Server], Receiving] | None = None
        self._place: Path | None = None
        self._landing: IListeningPort | None = None
        """Where workers bring the uploads, which are taken by this process alone."""
        self._workers: Workers | None = None
        self._retired: list[Workers] = []
        self._past = 0
        self._past_answers: Counter[str] = Counter()
        self._site = setup_of(server).site(reactor, in_thread)
        self.listeners = Listeners(reactor, _places(server), self._site, deaf=_count(server) > 0)
        self.listeners.setServiceParent(self)  # type: ignore[no-untyped-call]

    def open(self, state_dir: Path, journal: Transactions, in_lane: InThread) -> None:
        """
        Take uploads from now on, where there are mounts that do.

        :param in_lane: moves their octets from the sockets into the files.
        :raises StorageFault: a file of credentials cannot be used.
        """
        self._place = state_dir / RELAY_SOCKET
        self._receive = partial(
            Receiving,
            reactor=self._reactor,
            in_thread=self._in_thread,
            in_lane=in_lane,
            state_dir=state_dir,
            journal=journal,
        )
        self._receiving = self._receiver_for(self._server)
        self._receive_by(self._receiving)

    def _receiver_for(self, server: Server | None) -> Receiving | None:
        """
        Who takes the uploads of *server*'s mounts.

        :raises BadConfiguration: somebody does, and has to do it otherwise.
        :raises StorageFault: a file of credentials cannot be used.
        """
        if self._receiving is not None:
            refuse_other_uploads(self._server, server)
            return self._receiving
        if server is None or not taking(server) or self._receive is None:
            return None
        return self._receive(server)

    def _receive_by(self, receiving: Receiving | None) -> None:
        if receiving is not None:
            self._site.resource.receive_by(receiving.receivers)

    @property
    def endpoints(self) -> list[PromptEndpoint]:
        """Where files are served."""
        return self.listeners.endpoints

    def _make_workers(self, server: Server | None, endpoints: Sequence[PromptEndpoint]) -> Workers:
        setup = setup_of(server)
        return Workers(
            self._reactor,
            _count(server),
            self._share(server).to_json(),
            [endpoint.description for endpoint in endpoints],
            lambda: descriptors_of(endpoints),
            setup.drain_timeout,
            random.random,
        )

    def _share(self, server: Server | None) -> SiteSetup:
        """What one of the workers is told."""
        setup = replace(setup_of(server), relay=self._place if self._landing else None)
        return setup.shared_by(max(1, _count(server)))

    def _land(self, server: Server | None, receiving: Receiving | None) -> None:
        """
        Have a place for what the workers bring, where they will bring anything.

        :raises StorageFault: it cannot be had.
        """
        if receiving and _count(server) and self._place and not self._landing:
            self._landing = land_at(self._place, self._site, self._reactor)

    async def begin(self) -> None:
        """
        Have the workers begin, if there are to be some.

        :raises NoWorker: they cannot.
        :raises StorageFault: there is no place for what they bring.
        """
        self._ticks.start(1.0, now=False)
        self._land(self._server, self._receiving)
        if self._receiving is not None:
            self._receiving.begin()
        if _count(self._server):
            self._workers = self._make_workers(self._server, self.endpoints)
            self._workers.setServiceParent(self)  # type: ignore[no-untyped-call]
            await self._workers.begin()

    # -- another configuration -----------------------------------------------------

    async def prepare(self, server: Server | None) -> Prepared:
        """
        Get ready to serve *server* without dropping a connection.

        :raises Exception: a port, a certificate or a worker cannot be had; all is as before.
        """
        change = self.listeners.change_to(_places(server), deaf=_count(server) > 0)
        try:
            await change.begin()
            certificates = await read_certificates(change.kept, self._in_thread)
            receiving = self._receiver_for(server)
            self._land(server, receiving)
            workers = await self._successors(server, change)
        except BaseException:
            await self._undo(change)
            raise

        async def commit() -> None:
            await change.commit()
            certificates()
            await self._serve(server, workers, receiving)

        async def undo() -> None:
            if workers is not None and workers is not self._workers:
                await _dismiss(workers)
            await self._undo(change)

        return Prepared(commit, undo)

    async def _undo(self, change: Change) -> None:
        await change.undo()
        if change.moved and self._workers is not None:
            # Their sockets were closed under them.
            workers = await self._begun(self._server, self.endpoints)
            await self._serve(self._server, workers, self._receiving)

    async def _successors(self, server: Server | None, change: Change) -> Workers | None:
        """The workers to be: the same ones where they have the right number and sockets."""
        if not _count(server):
            return None
        same = _count(server) == _count(self._server) and _places(server) == _places(self._server)
        if same and self._workers is not None:
            return self._workers
        return await self._begun(server, change.after)

    async def _begun(self, server: Server | None, endpoints: Sequence[PromptEndpoint]) -> Workers:
        """New workers, which serve already."""
        workers = self._make_workers(server, endpoints)
        workers.startService()  # type: ignore[no-untyped-call]
        try:
            await workers.begin()
        except BaseException:
            await _dismiss(workers)
            raise
        return workers

    async def _serve(
        self, server: Server | None, workers: Workers | None, receiving: Receiving | None
    ) -> None:
        before, self._workers, self._server = self._workers, workers, server
        setup = setup_of(server)
        setup.change(self._site, self._in_thread)
        self._receive_by(receiving)
        if receiving is not self._receiving and receiving is not None:
            self._receiving = receiving
            receiving.begin()
        if workers is not None and workers is before:
            await workers.change(self._share(server).to_json(), setup.drain_timeout)
            return
        if workers is not None:
            workers.setServiceParent(self)  # type: ignore[no-untyped-call]
        if before is not None:
            self._retire(before)

    def _retire(self, workers: Workers) -> None:
        """Let the last connections of *workers* come to their end, however long that takes."""

        def forget(_: object) -> None:
            self._retired.remove(workers)
            self._past += workers.sent
            self._past_answers += workers.answers
            workers.disownServiceParent()  # type: ignore[no-untyped-call]

        self._retired.append(workers)
        workers.retire().addCallback(forget)

    # -- what there is to tell -----------------------------------------------------

    @property
    def _all_workers(self) -> list[Workers]:
        return [*self._retired, *([self._workers] if self._workers else [])]

    @property
    def sent(self) -> int:
        """Octets of bodies that went out so far."""
        return self._past + self._site.sent + sum(each.sent for each in self._all_workers)

    @property
    def answers(self) -> Counter[str]:
        """Answers to readers, by status."""
        own = Counter({str(status): count for status, count in self._site.answers.items()})
        return sum((each.answers for each in self._all_workers), own + self._past_answers)

    @property
    def connections(self) -> int:
        """Connections of readers that are open."""
        crowd = self._site.crowd
        return crowd.total - crowd.carried + sum(each.connections for each in self._all_workers)

    @property
    def received(self) -> int:
        """Octets of uploads that came so far."""
        return self._site.received

    def rate(self) -> float:
        """Octets per second over the last seconds."""
        return self._meter.rate(self._reactor.seconds())

    def _tick(self) -> None:
        self._meter.note(self._reactor.seconds(), self.sent)

    def collect(self) -> Iterator[Metric]:
        """What Prometheus is told (the interface of its collectors)."""
        yield CounterMetricFamily(
            "rangedaemon_sent_bytes", "Bytes of files sent to readers.", value=self.sent
        )
        yield CounterMetricFamily(
            "rangedaemon_upload_received_bytes",
            "Bytes that uploads brought.",
            value=self.received,
        )
        yield CounterMetricFamily(
            "rangedaemon_uploads_finished",
            "Uploads that became files.",
            value=self._receiving.finished if self._receiving is not None else 0,
        )
        answers = CounterMetricFamily(
            "rangedaemon_file_answers", "Answers of the file server by status.", labels=["status"]
        )
        for status, count in sorted(self.answers.items()):
            answers.add_metric([status], count)
        yield answers
        yield GaugeMetricFamily(
            "rangedaemon_connections",
            "Connections of readers that are open.",
            value=self.connections,
        )
        yield GaugeMetricFamily(
            "rangedaemon_workers", "Worker processes that run.",
            value=sum(each.alive for each in self._all_workers),
        )  # fmt: skip

    # -- the end -------------------------------------------------------------------

    async def drain(self) -> None:
        """
        Finish what was begun, for as long as the configuration allows, then cut off the rest.

        Whoever comes meanwhile is told to come back later.
        """
        if self._ticks.running:
            self._ticks.stop()
        self.listeners.adopt(self.endpoints, deaf=False)
        ends = [maybeDeferred(each.stopService) for each in self._all_workers]
        await self._site.drain(setup_of(self._server).drain_timeout)
        await gatherResults(ends)
        if self._landing is not None:
            await maybeDeferred(self._landing.stopListening)
        if self._receiving is not None:
            await self._receiving.close()
        await self._site.logged()

    def hasten(self) -> None:
        """Cut off at once whatever `drain` waits for."""
        self._site.crowd.abort()
        for workers in self._all_workers:
            workers.kill()


async def _dismiss(workers: Workers) -> None:
    """End workers that have not begun anything."""
    workers.kill()
    await workers.retire()


def _count(server: Server | None) -> int:
    return server.workers if server is not None else 0


def _places(server: Server | None) -> tuple[str, ...]:
    return server.listen if server is not None else ()
