"""The wiring: what is made of a configuration, and what is said about it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from twisted.application.service import MultiService
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import Factory
from twisted.internet.testing import MemoryReactorClock
from twisted.logger import globalLogPublisher
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import Config, parse
from rangedaemon.core.jobs import (
    JobError,
    JobEvent,
    JobRecord,
    JobSnapshot,
    JobSpec,
    JobState,
    Verified,
)
from rangedaemon.errors import JournalLocked
from rangedaemon.service import StartFailed, build
from rangedaemon.service.joblog import JobLog
from rangedaemon.service.listeners import Listeners
from rangedaemon.service.ports import PromptEndpoint, clear_reasons
from rangedaemon.service.wiring import mounts_of, specs_of

RECORD = JobRecord(
    id="0123456789abcdef",
    spec=JobSpec(urls=("http://user:hunter2@h/",), directory="/d", name="debian"),
    state=JobState.QUEUED,
    created=0.0,
)


def config_of(text: str) -> Config:
    """The configuration that *text* describes."""
    return parse(text.encode(), {}, name="c.yaml", base=Path("/base"))


class BuildTests(SynchronousTestCase):
    """`rangedaemon.service.build`."""

    def test_nothing_happens(self) -> None:
        """Building listens nowhere and writes nothing."""
        place = Path(self.mktemp())
        reactor = MemoryReactorClock()
        daemon = build(
            parse(
                b"server: {mounts: [{path: /, root: srv}], sample: {path: srv/s}}",
                {}, name="c", base=place,
            ),
            reactor,
        )  # fmt: skip
        self.assertIsInstance(daemon, MultiService)
        self.assertEqual((reactor.tcpServers, daemon.ready, place.exists()), ([], False, False))

    def test_specs(self) -> None:
        """A declared job has the defaults of its daemon, and its mirrors after its address."""
        (spec,) = specs_of(
            config_of(
                "downloads: {directory: /d, segments: 5}\n"
                "jobs: [{name: a, url: http://h/1, mirrors: [http://h/2], directory: x/y}]"
            )
        )
        self.assertEqual(
            spec,
            JobSpec(
                urls=("http://h/1", "http://h/2"),
                directory="/d/x/y",
                name="a",
                segments=5,
                source="config",
                guarded=False,
            ),
        )

    def test_mounts(self) -> None:
        """Every key of a mount arrives where files are served."""
        config = config_of(
            "server:\n  mounts:\n    - {path: /f, root: r, listing: true, disposition: attachment,"
            " cache_control: no-store, cors: ['*'], hidden_files: true, follow_symlinks: true,"
            " rate_limit: 1kB}"
        )
        assert config.server is not None
        (given,), (mount,) = config.server.mounts, mounts_of(config.server)
        self.assertEqual(mount.prefix, "/f")
        for key in set(type(given).model_fields) - {"path", "uploads"}:
            self.assertEqual(getattr(mount, key), getattr(given, key), key)


class PortsTests(SynchronousTestCase):
    """`rangedaemon.service.ports`."""

    def listen(self, description: str) -> tuple[PromptEndpoint, MemoryReactorClock]:
        """An endpoint at which a service listens."""
        reactor = MemoryReactorClock()
        listeners = Listeners(reactor, [description], Factory())
        listeners.startService()
        return listeners.endpoints[0], reactor

    def test_listens(self) -> None:
        """The endpoint knows its port once the service has started."""
        endpoint, reactor = self.listen("tcp:8080:interface=127.0.0.1")
        self.assertEqual([server[0] for server in reactor.tcpServers], [8080])
        self.assertEqual(str(endpoint), "http://127.0.0.1:8080")

    def test_everywhere(self) -> None:
        """Who listens on all addresses is reached by the loopback one."""
        endpoint, _ = self.listen("tcp:8080:interface=0.0.0.0")
        self.assertEqual(endpoint.url, "http://127.0.0.1:8080")

    def test_in_the_way(self) -> None:
        """A port that is taken is raised from the start, not logged some time later."""
        reactor = MemoryReactorClock()
        taken = CannotListenError("127.0.0.1", 80, OSError(98, "Address already in use"))

        def listen_tcp(*_: object, **__: object) -> None:
            raise taken

        self.patch(reactor, "listenTCP", listen_tcp)
        service = Listeners(reactor, ["tcp:80"], Factory())
        error = self.assertRaises(StartFailed, within_reasons, service.startService)
        self.assertEqual(str(error), "cannot listen on 127.0.0.1:80: Address already in use")

    def test_no_socket_of_systemd(self) -> None:
        """A socket that systemd did not hand over is named."""
        endpoint = PromptEndpoint(MemoryReactorClock(), "systemd:domain=INET:index=7")
        error = self.assertRaises(StartFailed, endpoint.listen, Factory())
        self.assertIn("systemd:domain=INET:index=7", str(error))

    def test_faults(self) -> None:
        """A named fault becomes the reason for the end, with exit status 1."""

        def locked() -> None:
            raise JournalLocked("by another")

        error = self.assertRaises(StartFailed, within_reasons, locked)
        self.assertEqual((str(error), error.code), ("by another", 1))


def within_reasons(action: Callable[[], None]) -> None:
    """Act where reasons are made clear."""
    with clear_reasons():
        action()


class JobLogTests(SynchronousTestCase):
    """`rangedaemon.service.joblog`."""

    def setUp(self) -> None:
        """Catch what is logged."""
        self.lines: list[str] = []
        self.log = JobLog()
        globalLogPublisher.addObserver(self.note)
        self.addCleanup(globalLogPublisher.removeObserver, self.note)

    def note(self, event: dict[str, object]) -> None:
        """Keep a line of ours."""
        if event.get("log_namespace") == "rangedaemon.service.joblog.JobLog":
            self.lines.append(str(event["log_format"]).format(**event))

    def tell(self, *states: JobState, kind: str = "job", **changes: object) -> None:
        """Let the job pass through *states*."""
        for state in states:
            record = replace(RECORD, state=state, **changes)
            self.log(JobEvent(kind, JobSnapshot(record)))

    def test_changes_only(self) -> None:
        """Progress is no news; a change of state is, and so is a changed file."""
        self.tell(JobState.ACTIVE)
        self.tell(JobState.ACTIVE, kind="progress")
        self.tell(JobState.ACTIVE, kind="changed")
        self.tell(JobState.ACTIVE, JobState.COMPLETE)
        self.assertEqual(
            self.lines,
            [
                "job debian: active",
                "job debian: the file changed at the origin",
                "job debian: complete",
            ],
        )

    def test_fault_once(self) -> None:
        """Why a job waits is told when it begins to wait, not again when its turn comes."""
        error = JobError("timed-out", "silence", "http://h/")
        self.tell(JobState.WAITING, JobState.QUEUED, JobState.PROBING, error=error)
        self.assertEqual([line.count("silence") for line in self.lines], [1, 0, 1])

    def test_turn_of_a_repeated_job(self) -> None:
        """A file that is as it was is one line, not one for each state on the way."""
        turn = JobState.QUEUED, JobState.PROBING, JobState.WAITING
        self.tell(JobState.ACTIVE, JobState.COMPLETE)
        self.tell(JobState.WAITING, *turn, *turn, verified=Verified.LENGTH)
        self.tell(JobState.QUEUED, JobState.PROBING, verified=Verified.LENGTH)
        self.tell(JobState.ACTIVE)
        told = ["active", "complete", "waiting", "unchanged", "unchanged", "active"]
        self.assertEqual(self.lines, [f"job debian: {each}" for each in told])

    def test_new_jobs(self) -> None:
        """A job that has just come and waits is no news, and takes no memory; that it runs is."""
        for state in (JobState.QUEUED, JobState.PAUSED):
            self.tell(state)
            self.assertEqual((self.lines, self.log._states), ([], {}))
        self.tell(JobState.PROBING, JobState.QUEUED)
        self.assertEqual(self.lines, ["job debian: probing", "job debian: queued"])

    def test_errors(self) -> None:
        """An error has its code and its words, and no address."""
        error = JobError("not-found", "404", "http://user:hunter2@h/")
        self.tell(JobState.FAILED, error=error)
        self.assertEqual(self.lines, ["job debian: failed, not-found: 404"])

    def test_forgets(self) -> None:
        """Finished and removed jobs leave nothing in memory."""
        for end in (JobState.COMPLETE, JobState.FAILED):
            self.tell(JobState.ACTIVE, end)
            self.assertEqual(self.log._states, {})
        self.tell(JobState.ACTIVE)
        self.tell(JobState.ACTIVE, kind="removed")
        self.assertEqual(self.log._states, {})
        self.assertEqual(self.lines[-1], "job debian: removed")
