"""Time for timers: a clock that nobody sets."""

from __future__ import annotations

import time
from typing import Any


def keep_steady(reactor: Any) -> None:
    """
    Have timers run by a clock that nobody sets.  Call it before anything is scheduled.

    Twisted's reactors go by the clock on the wall: where that is set back by a day, every
    timeout, checkpoint and retry comes a day late.
    """
    reactor.seconds = time.monotonic
