"""
Commands that the operator wants run when something has happened.

Without a shell, with what happened in their environment and nothing on their standard
input.  So many run at once and no more; what they print at their end goes to the log.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import ProcessProtocol
from twisted.logger import Logger
from twisted.python.failure import Failure

MOST_AT_ONCE = 4
MOST_WAITING = 10_000
"""Commands that wait for their turn; what would be one more is not run."""
_MOST_WORDS = 2000

_log = Logger()


@dataclass(frozen=True, slots=True)
class Command:
    """Program and arguments, and what it is told."""

    words: Sequence[str]
    told: Mapping[str, str]


class Commands:
    """Runs commands one after the other, some at the same time."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._waiting: deque[Command] = deque()
        self._running: set[_Process] = set()
        self._over: Deferred[None] | None = None

    def run(self, command: Command) -> None:
        """Run it when there is room."""
        if self._over is not None or len(self._waiting) >= MOST_WAITING:
            _log.error("{program} is not run: too many wait", program=command.words[0])
            return
        self._waiting.append(command)
        self._fill()

    def close(self) -> Deferred[None]:
        """Begin no more; fires when those that run have ended."""
        self._over = Deferred()
        self._waiting.clear()
        self._tell()
        return self._over

    def kill(self) -> None:
        """End those that run."""
        for process in list(self._running):
            process.kill()

    def _fill(self) -> None:
        while self._waiting and len(self._running) < MOST_AT_ONCE:
            command = self._waiting.popleft()
            process = _Process(command, self._ended)
            self._running.add(process)
            self._reactor.spawnProcess(
                process,
                command.words[0],
                list(command.words),
                env={**os.environ, **command.told},
            )

    def _ended(self, process: _Process) -> None:
        self._running.discard(process)
        self._fill()
        self._tell()

    def _tell(self) -> None:
        if self._over is not None and not self._running and not self._over.called:
            self._over.callback(None)


class _Process(ProcessProtocol):
    """One command."""

    transport: Any

    def __init__(self, command: Command, ended: Any) -> None:
        self._command = command
        self._ended = ended
        self._words = b""

    def connectionMade(self) -> None:
        """It runs, and gets no input."""
        self.transport.closeStdin()

    def outReceived(self, data: bytes) -> None:
        """What it prints is nothing to us."""

    def errReceived(self, data: bytes) -> None:
        """What it complains of."""
        self._words = (self._words + data)[-_MOST_WORDS:]

    def kill(self) -> None:
        """End it."""
        self.transport.signalProcess("KILL")

    def processEnded(self, reason: Failure) -> None:  # noqa: N802 - Twisted's interface
        """It is over."""
        status = getattr(reason.value, "exitCode", None)
        if status != 0:
            _log.error(
                "{program} failed: {why} {words}",
                program=self._command.words[0],
                why=reason.getErrorMessage(),
                words=self._words.decode(errors="replace").strip(),
            )
        self._ended(self)
