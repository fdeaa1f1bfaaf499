"""`rangedaemon.service.commands`: how many run, what they are told, how they end."""

from __future__ import annotations

from typing import Any

from twisted.internet.error import ProcessDone, ProcessTerminated
from twisted.internet.task import Clock
from twisted.logger import LogEvent, globalLogPublisher
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.service.commands import LONGEST, MOST_AT_ONCE, MOST_WAITING, Command, Commands


class Spawned:
    """A process as its protocol sees it."""

    def __init__(self, protocol: Any, program: str, words: list[str], env: Any) -> None:
        self.protocol, self.program, self.words, self.env = protocol, program, words, env
        self.signals: list[str] = []
        self.stdin_closed = False

    def closeStdin(self) -> None:
        self.stdin_closed = True

    def signalProcess(self, name: str) -> None:
        self.signals.append(name)

    def loseConnection(self) -> None:
        """Nothing is left to be read."""

    def end(self, reason: Exception | None = None) -> None:
        """It ends."""
        self.protocol.processExited(Failure(reason or ProcessDone(0)))


class CommandsTests(SynchronousTestCase):
    """With a reactor that only remembers what it should start."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.callLater = self.clock.callLater
        self.missing = False
        self.spawned: list[Spawned] = []
        self.commands = Commands(self)
        self.logged: list[str] = []
        globalLogPublisher.addObserver(self._log)
        self.addCleanup(globalLogPublisher.removeObserver, self._log)

    def _log(self, event: LogEvent) -> None:
        if str(event["log_namespace"]).endswith((".commands", ".command")):
            self.logged.append(event["log_format"].format(**event))

    def spawnProcess(self, protocol: Any, program: str, words: list[str], env: Any) -> None:
        """As the reactor's."""
        if self.missing:
            raise FileNotFoundError(2, "No such file or directory")
        spawned = Spawned(protocol, program, words, env)
        self.spawned.append(spawned)
        protocol.transport = spawned
        protocol.connectionMade()

    def run_some(self, count: int) -> None:
        for number in range(count):
            self.commands.run(Command(("/bin/tell", "-x"), {"NUMBER": str(number)}))

    def test_told(self) -> None:
        """Program, arguments and environment as they are; no input."""
        self.run_some(1)
        (spawned,) = self.spawned
        self.assertEqual((spawned.program, spawned.words), ("/bin/tell", ["/bin/tell", "-x"]))
        self.assertEqual(spawned.env["NUMBER"], b"0")
        self.assertIn("PATH", spawned.env)
        self.assertNotIn("PYTEST_CURRENT_TEST", spawned.env, "little of ours is passed on")
        self.assertTrue(spawned.stdin_closed)

    def test_at_once(self) -> None:
        """So many at once; the next when one ends, in the order of what happened."""
        self.run_some(MOST_AT_ONCE + 2)
        self.assertEqual(len(self.spawned), MOST_AT_ONCE)
        self.spawned[1].end()
        self.spawned[0].end()
        numbers = [spawned.env["NUMBER"].decode() for spawned in self.spawned]
        self.assertEqual(numbers, [str(number) for number in range(MOST_AT_ONCE + 2)])

    def test_failure(self) -> None:
        """Its last words go to the log."""
        self.run_some(1)
        self.spawned[0].protocol.childDataReceived(2, b"no such disk\n")
        self.spawned[0].end(ProcessTerminated(3))
        words, line = self.logged
        self.assertIn("no such disk", words)
        self.assertIn("/bin/tell failed", line)

    def test_missing(self) -> None:
        """One that cannot begin is told of, and keeps none of the others from being run."""
        self.missing = True
        self.run_some(1)
        (line,) = self.logged
        self.assertIn("cannot run /bin/tell: No such file", line)
        self.missing = False
        self.run_some(1)
        self.assertEqual(len(self.spawned), 1)

    def test_too_long(self) -> None:
        """One that does not end is asked to, then made to."""
        self.run_some(1)
        self.clock.advance(LONGEST)
        self.clock.advance(60)
        self.assertEqual(self.spawned[0].signals, ["TERM", "KILL"])
        self.spawned[0].end(ProcessTerminated(None, 9))

    def test_crowd(self) -> None:
        """More than can wait are not run, and that is said."""
        self.run_some(MOST_AT_ONCE + MOST_WAITING + 1)
        self.assertEqual(self.logged, ["/bin/tell is not run: too many wait"])

    def test_close(self) -> None:
        """What runs may end, what waits does not begin."""
        self.run_some(MOST_AT_ONCE + 1)
        closed = self.commands.close()
        for spawned in list(self.spawned):
            self.assertNoResult(closed)
            spawned.end()
        self.successResultOf(closed)
        self.assertEqual(len(self.spawned), MOST_AT_ONCE)

    def test_kill(self) -> None:
        """What does not end is ended."""
        self.run_some(1)
        closed = self.commands.close()
        self.commands.kill()
        self.assertEqual(self.spawned[0].signals, ["TERM"])
        self.spawned[0].end(ProcessTerminated(None, 15))
        self.successResultOf(closed)

    def test_nothing(self) -> None:
        """Where nothing runs it is over at once."""
        self.successResultOf(self.commands.close())
