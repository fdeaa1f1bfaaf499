"""
Who serves the mounts: this process, or workers at the same sockets.

This process listens in either case, so that what is in the way shows at the start and
a worker's death closes no port.
"""

from __future__ import annotations

import random
import resource
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from twisted.application.service import MultiService
from twisted.internet.defer import Deferred, gatherResults, maybeDeferred
from twisted.internet.protocol import Factory
from twisted.internet.task import LoopingCall

from rangedaemon.config import Server
from rangedaemon.core.rates import RateMeter
from rangedaemon.server.site import RangeSite
from rangedaemon.service.ports import PromptEndpoint, listening
from rangedaemon.service.receiving import Receiving
from rangedaemon.service.wiring import setup_of
from rangedaemon.service.workers import Workers
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.threads import InThread

_MOST_FILES = 1 << 20


class Serving(MultiService):
    """The mounts of *server*, served."""

    def __init__(self, server: Server, reactor: Any, in_thread: InThread) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._reactor = reactor
        self._meter = RateMeter()
        self._ticks = LoopingCall(self._tick)
        self._ticks.clock = reactor
        self._patience = server.limits.drain_timeout
        self._server = server
        self._in_thread = in_thread
        self._receiving: Receiving | None = None
        self._site: RangeSite | None = None
        self._workers: Workers | None = None
        self._ports = MultiService()
        self._ports.setServiceParent(self)
        setup = setup_of(server)
        if server.workers:
            self._workers = Workers(
                reactor, server.workers, setup.shared_by(server.workers).to_json(), server.listen,
                self._descriptors, self._patience, random.random,
            )  # fmt: skip
        else:
            self._site = setup.site(reactor, in_thread)
        factory = self._site or Factory()
        factory.noisy = False
        self.endpoints = [
            PromptEndpoint(reactor, text, deaf=self._workers is not None) for text in server.listen
        ]
        for endpoint in self.endpoints:
            listening(endpoint, factory).setServiceParent(self._ports)

    def open(self, state_dir: Path, journal: Transactions) -> None:
        """
        Take uploads from now on, where there are mounts that do.

        :raises StorageFault: a file of credentials cannot be used.
        """
        if self._site is not None and any(mount.uploads for mount in self._server.mounts):
            self._receiving = Receiving(
                self._server, self._reactor, self._in_thread, state_dir=state_dir, journal=journal
            )
            self._site.resource.receive_by(self._receiving.receivers)

    def _descriptors(self) -> list[int]:
        ports: list[Any] = [endpoint.port for endpoint in self.endpoints]
        return [port.fileno() for port in ports]

    async def begin(self) -> None:
        """
        Have the workers begin, if there are to be some.

        :raises NoWorker: they cannot.
        """
        self._ticks.start(1.0, now=False)
        if self._receiving is not None:
            self._receiving.begin()
        if self._workers is not None:
            self._workers.setServiceParent(self)  # type: ignore[no-untyped-call]
            await self._workers.begin()

    @property
    def sent(self) -> int:
        """Octets of bodies that went out so far."""
        part = self._workers or self._site
        return part.sent if part is not None else 0

    @property
    def received(self) -> int:
        """Octets of uploads that came so far."""
        return self._site.received if self._site is not None else 0

    def rate(self) -> float:
        """Octets per second over the last seconds."""
        return self._meter.rate(self._reactor.seconds())

    def _tick(self) -> None:
        self._meter.note(self._reactor.seconds(), self.sent)

    def stopService(self) -> Deferred[Any]:
        """Listen no more, and finish what was begun."""
        if self._ticks.running:
            self._ticks.stop()
        steps = [maybeDeferred(super().stopService)]
        if self._site is not None:
            steps.append(Deferred.fromCoroutine(self._end(self._site)))
        return gatherResults(steps)

    async def _end(self, site: RangeSite) -> None:
        await site.drain(self._patience)
        if self._receiving is not None:
            await self._receiving.close()
        await site.logged()

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
        if self._receiving is not None:
            yield from self._receiving.collect()
        crowd = self._workers.connections if self._workers else None
        if self._site is not None:
            crowd = self._site.crowd.total
        yield GaugeMetricFamily(
            "rangedaemon_connections", "Connections of readers that are open.", value=crowd
        )
        yield GaugeMetricFamily(
            "rangedaemon_workers", "Worker processes that run.",
            value=self._workers.alive if self._workers else 0,
        )  # fmt: skip


def raise_file_limit() -> None:
    """Allow this process as many open files as it may have: each connection is one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = _MOST_FILES if hard == resource.RLIM_INFINITY else min(hard, _MOST_FILES)
    if soft != resource.RLIM_INFINITY and soft < most:
        with suppress(OSError, ValueError):  # then it stays as it is
            resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
