"""The life of workers as their keeper sees it: processes are scripted, time is a clock."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.error import ProcessDone, ProcessExitedAlready, ProcessTerminated
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.service.workers import NoWorker, Workers


class ScriptedProcess:
    """A process that does what the test says."""

    def __init__(self, protocol: Any, pid: int, sockets: dict[int, Any]) -> None:
        self.protocol, self.pid, self.sockets = protocol, pid, sockets
        self.signals: list[str] = []
        self.told = b""
        self.over = False
        protocol.makeConnection(self)

    def write(self, octets: bytes) -> None:
        self.told += octets

    def signalProcess(self, name: str) -> None:
        if self.over:
            raise ProcessExitedAlready
        self.signals.append(name)

    def says(self, **facts: Any) -> None:
        """It tells something, in pieces."""
        line = json.dumps(facts).encode() + b"\n"
        self.protocol.outReceived(line[:5])
        self.protocol.outReceived(line[5:])

    def dies(self, words: bytes = b"", reason: Exception | None = None) -> None:
        """It ends."""
        self.over = True
        self.protocol.errReceived(words)
        self.protocol.processEnded(Failure(reason or ProcessTerminated(signal=9)))


class ScriptedReactor(Clock):
    """Starts scripted processes."""

    def __init__(self) -> None:
        super().__init__()
        self.processes: list[ScriptedProcess] = []

    def spawnProcess(self, protocol: Any, *_: Any, childFDs: Any, **__: Any) -> None:  # noqa: N803
        self.processes.append(ScriptedProcess(protocol, len(self.processes) + 1, childFDs))


class WorkersTests(SynchronousTestCase):
    """`rangedaemon.service.workers.Workers`."""

    def setUp(self) -> None:
        """Two workers at two sockets, just begun."""
        self.reactor = ScriptedReactor()
        self.workers = Workers(
            self.reactor, 2, '{"a": 1}', ["tcp:1", "tcp:2"], lambda: [71, 72], 10.0, lambda: 0.5
        )
        self.workers.startService()
        self.begun = self.workers.begin()

    def serve(self) -> None:
        """Both serve."""
        for process in self.reactor.processes:
            process.says(ready=True)
        self.successResultOf(self.begun)

    def test_told(self) -> None:
        """Each is told on one line what to do, and has the sockets from descriptor 3 on."""
        for process in self.reactor.processes:
            self.assertEqual(
                json.loads(process.told), {"setup": '{"a": 1}', "endpoints": ["tcp:1", "tcp:2"]}
            )
            self.assertEqual(process.sockets, {0: "w", 1: "r", 2: "r", 3: 71, 4: 72})

    def test_all_ready(self) -> None:
        """They have begun when the last one serves."""
        self.reactor.processes[0].says(ready=True)
        self.assertNoResult(self.begun)
        self.reactor.processes[1].says(ready=True)
        self.successResultOf(self.begun)

    def test_cannot_start(self) -> None:
        """One ends before it serves: the start fails, with its last words."""
        self.reactor.processes[0].dies(b"Traceback\nImportError: no module\n")
        failure = self.failureResultOf(self.begun, NoWorker)
        self.assertEqual(failure.value.detail, "ImportError: no module")

    def test_replaced_at_once(self) -> None:
        """One that lived for a while is replaced without delay."""
        self.serve()
        self.reactor.advance(60)
        self.reactor.processes[0].dies()
        self.assertEqual(self.workers.alive, 1)
        self.reactor.advance(0)
        self.assertEqual((self.workers.alive, len(self.reactor.processes)), (2, 3))

    def test_backs_off(self) -> None:
        """Where they die young the delay doubles, up to half a minute."""
        self.serve()
        delays = []
        for _ in range(10):
            self.reactor.processes[-1].dies()
            (call,) = self.reactor.getDelayedCalls()
            delays.append(call.getTime() - self.reactor.seconds())
            self.reactor.advance(delays[-1])
        self.assertEqual([round(delay, 3) for delay in delays[:4]], [0.15, 0.3, 0.6, 1.2])
        self.assertEqual(round(delays[-1], 3), 22.5)

    def test_totals(self) -> None:
        """What they tell adds up, and the octets of a dead one stay counted."""
        self.serve()
        for process, sent in zip(self.reactor.processes, (100, 20), strict=True):
            process.says(sent=sent, connections=2, answers={"200": sent, "206": 1})
        self.assertEqual((self.workers.sent, self.workers.connections), (120, 4))
        self.assertEqual(self.workers.answers, {"200": 120, "206": 2})
        self.reactor.processes[0].dies()
        self.assertEqual((self.workers.sent, self.workers.connections), (120, 2))
        self.assertEqual(self.workers.answers, {"200": 120, "206": 2})

    def last_told(self, process: ScriptedProcess) -> Any:
        """The last line that a process was told."""
        return json.loads(process.told.splitlines()[-1])

    def test_change(self) -> None:
        """All are told of another setup; that is done when each serves it or has made room."""
        self.serve()
        changed = self.workers.change('{"b": 2}', 5.0)
        for process in self.reactor.processes:
            self.assertEqual(self.last_told(process), {"change": 1, "setup": '{"b": 2}'})
        self.reactor.processes[0].says(changed=1)
        self.assertNoResult(changed)
        self.reactor.advance(60)
        self.reactor.processes[1].dies()
        self.successResultOf(changed)
        self.reactor.advance(0)
        self.assertEqual(self.last_told(self.reactor.processes[2])["setup"], '{"b": 2}')

    def test_changed_twice(self) -> None:
        """Answers are told apart by their numbers."""
        self.serve()
        first, second = (self.workers.change(text, 5.0) for text in ("{}", '{"c": 3}'))
        for process in self.reactor.processes:
            process.says(changed=1)
        self.successResultOf(first)
        self.assertNoResult(second)
        for process in self.reactor.processes:
            process.says(changed=2)
        self.successResultOf(second)

    def test_retire(self) -> None:
        """They end when they like, nobody takes their place, and then it is done."""
        self.serve()
        self.reactor.processes[0].says(sent=100, connections=1, answers={})
        retired = self.workers.retire()
        self.assertEqual(self.last_told(self.reactor.processes[0]), {"retire": True})
        self.reactor.advance(1e6)
        self.assertNoResult(retired)
        for process in [*self.reactor.processes]:
            process.dies(reason=ProcessDone(0))
        self.successResultOf(retired)
        self.reactor.advance(100)
        self.assertEqual((len(self.reactor.processes), self.workers.sent), (2, 100))

    def test_stop(self) -> None:
        """All are asked to end; that is done when the last has; nobody is replaced."""
        self.serve()
        stopped = self.workers.stopService()
        self.assertEqual([process.signals for process in self.reactor.processes], [["TERM"]] * 2)
        self.reactor.processes[0].dies(reason=ProcessDone(0))
        self.assertNoResult(stopped)
        self.reactor.processes[1].dies(reason=ProcessDone(0))
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.getDelayedCalls(), [])
        self.assertEqual(len(self.reactor.processes), 2)

    def test_stop_in_a_pause(self) -> None:
        """A replacement that was still to come does not."""
        self.serve()
        self.reactor.processes[0].dies()
        stopped = self.workers.stopService()
        self.reactor.processes[1].dies(reason=ProcessDone(0))
        self.successResultOf(stopped)
        self.reactor.advance(100)
        self.assertEqual(len(self.reactor.processes), 2)

    def test_killed(self) -> None:
        """One that does not end in its time is killed."""
        self.serve()
        stopped = self.workers.stopService()
        self.reactor.processes[0].dies(reason=ProcessDone(0))
        self.reactor.advance(14.9)
        self.assertEqual(self.reactor.processes[1].signals, ["TERM"])
        self.reactor.advance(0.2)
        self.assertEqual(self.reactor.processes[1].signals, ["TERM", "KILL"])
        self.reactor.processes[1].dies()
        self.successResultOf(stopped)
