"""
What signals mean: SIGHUP reads the configuration again, SIGTERM and SIGINT stop.
SIGUSR1 has the log begin a new file, as twistd's own log does.

Twisted leaves SIGHUP at its default, the death of the process.  The other two it takes
itself, but has twistd end by the signal too; with these handlers a clean stop ends with
status 0, and a second signal stops at once.
"""

from __future__ import annotations

import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any, Protocol


class Signalled(Protocol):
    """Who is told of signals, in the reactor thread."""

    def hang_up(self) -> None:
        """SIGHUP."""

    def end(self) -> None:
        """The first SIGTERM or SIGINT."""

    def hasten(self) -> None:
        """Another one."""


def take_signals(reactor: Any, target: Signalled, rotate: Callable[[], None]) -> None:
    """Have signals reach *target*, or *rotate*, from now on; call it in the main thread."""
    signal.signal(signal.SIGUSR1, _handler(reactor, rotate))
    signal.signal(signal.SIGHUP, _handler(reactor, _Terminal(target).hang_up))
    # The reactor sets its own handlers when it starts.
    reactor.callWhenRunning(_take_ends, reactor, _Ending(target))


def _take_ends(reactor: Any, ending: _Ending) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _handler(reactor, ending.happen))


def _handler(reactor: Any, act: Callable[[], None]) -> Callable[[int, FrameType | None], None]:
    return lambda _number, _frame: reactor.callFromThread(act)


class _Ending:
    """The first signal, and those after it."""

    def __init__(self, target: Signalled) -> None:
        self._target = target
        self._begun = False

    def happen(self) -> None:
        """A signal."""
        if self._begun:
            self._target.hasten()
        else:
            self._begun = True
            self._target.end()


class _Terminal:
    """Tells who hung up: an administrator, or the terminal that we were started from."""

    def __init__(self, target: Signalled) -> None:
        self._target = target
        self._had_one = _has_terminal()

    def hang_up(self) -> None:
        """SIGHUP: nobody would ever end a daemon whose terminal has gone."""
        if self._had_one and not _has_terminal():
            self._target.end()
        else:
            self._target.hang_up()


def _has_terminal() -> bool:
    with suppress(OSError), Path("/dev/tty").open("rb", buffering=0):
        return True
    return False
