"""What the handlers of signals tell the daemon."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from twisted.internet.testing import MemoryReactorClock
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.service.signals import take_signals


class Reactor(MemoryReactorClock):
    """Calls at once what comes from a handler."""

    def callFromThread(self, act: Callable[[], None], *_: Any, **__: Any) -> None:
        act()


class Target:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: list[str] = []

    def hang_up(self) -> None:
        self.told.append("hang up")

    def end(self) -> None:
        self.told.append("end")

    def hasten(self) -> None:
        self.told.append("hasten")


class SignalsTests(SynchronousTestCase):
    """`take_signals`."""

    def setUp(self) -> None:
        """Handlers of a reactor that has not started; those of before come back."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.reactor, self.target = Reactor(), Target()
        self.rotated: list[bool] = []
        take_signals(self.reactor, self.target, lambda: self.rotated.append(True))

    def test_hang_up(self) -> None:
        """SIGHUP is heard before the reactor runs, too, and as often as it comes."""
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
        self.assertEqual(self.target.told, ["hang up"] * 2)

    def test_another_log(self) -> None:
        """SIGUSR1 has the log begin anew, and ends nothing."""
        os.kill(os.getpid(), signal.SIGUSR1)
        self.assertEqual((self.rotated, self.target.told), ([True], []))

    def test_end(self) -> None:
        """The first signal ends, each further one hastens, of whichever kind."""
        self.reactor.whenRunningHooks[0][0](*self.reactor.whenRunningHooks[0][1])
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            os.kill(os.getpid(), number)
        self.assertEqual(self.target.told, ["end", "hasten", "hasten"])
