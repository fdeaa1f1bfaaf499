"""How late the reactor is: a call that is due every half second, and when it really comes."""

from __future__ import annotations

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rangedaemon.core.counters import Durations

INTERVAL = 0.5


class Pulse:
    """Beats from `start` to `stop`."""

    def __init__(self, clock: IReactorTime) -> None:
        self.lag = Durations()
        self._clock = clock
        self._due = 0.0
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to beat."""
        if self._call is None:
            self._schedule()

    def stop(self) -> None:
        """Beat no more."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _schedule(self) -> None:
        self._due = self._clock.seconds() + INTERVAL
        self._call = self._clock.callLater(INTERVAL, self._beat)

    def _beat(self) -> None:
        self.lag.note(self._clock.seconds() - self._due)
        self._schedule()
