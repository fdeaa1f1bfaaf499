"""Everything around an upload: a world of jobs, a local file, a server in memory."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.pacing import Pacer
from rangedaemon.client.push.job import PushJob
from rangedaemon.client.push.outbound import Outbound
from rangedaemon.client.push.sender import Sender
from rangedaemon.core.access import Access
from rangedaemon.core.jobs import JobRecord, JobSpec
from rangedaemon.core.push.values import PushProtocol, PushSpec
from rangedaemon.storage.localfile import Allowed
from tests.client.receiver import MemoryEndpoints, Receiver
from tests.client.world import World

URL = "http://server.test/uploads"
NAME = "film.mp4"
KIB = 1024
MIB = 1024 * KIB


def pattern(size: int) -> bytes:
    """Octets that repeat nowhere in the first 16 MiB at least."""
    return b"".join(n.to_bytes(4, "big") for n in range(-(-size // 4)))[:size]


class PushWorld(World):
    """A world in which files are pushed to a server in memory."""

    def __init__(
        self,
        case: SynchronousTestCase,
        content: bytes,
        *,
        access: Access | None = None,
        shared: int | None = None,
        **options: Any,
    ) -> None:
        super().__init__(case, **options)
        self.content = content
        self.receiver = Receiver(self.clock)
        self.endpoints = MemoryEndpoints(self.receiver)
        self.file = self.directory / NAME
        self.file.write_bytes(content)
        sender = Sender(
            lambda _route: self.endpoints, self.clock, stall_timeout=10.0, answer_timeout=20.0
        )
        tokens = iter(range(1 << 20))
        self.habits = replace(
            self.habits,
            outbound=Outbound(
                sender,
                access or Access(),
                Allowed([self.directory], follow_symlinks=False),
                Pacer(self.clock, self.hour, shared),
                lambda: f"secret{next(tokens)}",
            ),
        )

    def spec(self, **wishes: Any) -> JobSpec:
        """What is asked for: the world's file, to the server."""
        protocol = PushProtocol(wishes.pop("protocol", "tus"))
        wishes.setdefault("urls", (URL,))
        wishes.setdefault("filename", NAME)
        wishes.setdefault("segments", 1)
        push = PushSpec(protocol, wishes.pop("metadata", {}))
        return JobSpec(directory=str(self.directory), kind="upload", push=push, **wishes)

    def begin(
        self, record: JobRecord | None = None, **wishes: Any
    ) -> tuple[PushJob, Deferred[None]]:
        """Start an upload; and when it has ended."""
        job = PushJob(self.begun(record or self.record(**wishes)), self.habits)
        return job, ensureDeferred(job.run())

    def push(
        self, record: JobRecord | None = None, *, seconds: float = 5.0, **wishes: Any
    ) -> JobRecord:
        """Let an upload run to its end; what became of it."""
        job, ended = self.begin(record, **wishes)
        self.pass_until(ended, seconds)
        self.case.successResultOf(ended)
        return job.record

    def pass_until(self, ended: Deferred[None], seconds: float = 5.0) -> None:
        """Let the octets flow until the story has ended, for some seconds at most."""
        deadline = self.clock.seconds() + seconds
        while not ended.called and self.clock.seconds() < deadline:
            self.clock.advance(0.001)
