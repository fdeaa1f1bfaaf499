"""
Commands that the operator wants run when an upload has become a file.

They run as hooks of downloads do (`rangedaemon.client.hooks.command`): without a shell,
with little of our environment, and not for ever.  So many run at once; the others wait.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.client.hooks.command import run_command

MOST_AT_ONCE = 4
MOST_WAITING = 10_000
"""Commands that wait for their turn; what would be one more is not run."""
LONGEST = 600.0
"""Seconds that a command may take."""

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
        self._running: list[Deferred[None]] = []
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
        """Have those end that run."""
        for running in list(self._running):
            running.cancel()

    def _fill(self) -> None:
        while self._waiting and len(self._running) < MOST_AT_ONCE:
            command = self._waiting.popleft()
            running: Deferred[None] = maybeDeferred(
                run_command, self._reactor, command.words, LONGEST, os.environ, command.told
            )
            self._running.append(running)
            running.addErrback(_complain, command.words[0])
            running.addBoth(self._ended, running)

    def _ended(self, _: object, running: Deferred[None]) -> None:
        self._running.remove(running)
        self._fill()
        self._tell()

    def _tell(self) -> None:
        if self._over is not None and not self._running and not self._over.called:
            self._over.callback(None)


def _complain(failure: Failure, program: str) -> None:
    _log.error("{program} failed: {why}", program=program, why=failure.getErrorMessage())
