"""
The stop: what was begun may end, what is new is refused, and everything is closed in its order.

A step that fails is noted, and keeps none of the others from being made.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.logger import Logger
from twisted.python.failure import Failure

STOP_SECONDS = 30.0
"""For all of a stop but the readers: jobs, journal, a slow disk."""
DRAIN_SECONDS = 10.0
"""For answers of the control API at a stop, where nothing is served beside it."""

_log = Logger()


async def in_turn(steps: Sequence[Callable[[], Any]]) -> None:
    """Make all *steps*, each when the one before it is over."""
    for step in steps:
        await maybeDeferred(step).addErrback(_note)


async def together(*steps: Callable[[], Any]) -> None:
    """Make all *steps* at once; over when the last of them is."""
    ends = await DeferredList([maybeDeferred(step) for step in steps], consumeErrors=True)
    for fine, end in ends:
        if isinstance(end, Failure) and not fine:
            _note(end)


def story(step: Callable[..., Any], *arguments: object) -> Callable[[], Deferred[None]]:
    """A step that is told by a coroutine."""
    return lambda: Deferred.fromCoroutine(step(*arguments))


def _note(failure: Failure) -> None:
    _log.failure("while stopping", failure)
