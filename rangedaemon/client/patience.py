"""
How long a small body may take: octets must come now and then, and it must end some day.

A slow line needs time for what a fast one brings at once, so silence is what ends a wait;
but a peer that sends an octet every half minute would keep a job for weeks.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.interfaces import IReactorTime

from rangedaemon.errors import TimedOut

LONGEST = 600.0
"""Seconds for a whole body that somebody waits for before anything else can happen."""


class Patience:
    """Two timers for one body; `over` must be called at its end."""

    def __init__(
        self, clock: IReactorTime, silence: float, end: Callable[[TimedOut], None], url: str
    ) -> None:
        """
        :param silence: seconds that may pass without an octet.
        :param end: called, at most once, when the patience is at an end.
        """
        self._silence = silence
        self._end = end
        self._url = url
        self._quiet = clock.callLater(silence, self._out, f"no octet for {silence:g} s")
        self._whole = clock.callLater(LONGEST, self._out, f"not whole after {LONGEST:g} s")

    def heard(self) -> None:
        """Octets came."""
        if self._quiet.active():
            self._quiet.reset(self._silence)

    def over(self) -> None:
        """Nobody waits any more."""
        for timer in (self._quiet, self._whole):
            if timer.active():
                timer.cancel()

    def _out(self, why: str) -> None:
        self.over()
        self._end(TimedOut(why, url=self._url))
