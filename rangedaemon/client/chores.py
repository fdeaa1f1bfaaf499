"""Running a story with regular chores beside it, which end with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.python.failure import Failure

Chore = Callable[[], Awaitable[None]]


async def beside(
    clock: IReactorTime,
    chores: Sequence[tuple[float, Chore]],
    on_fault: Callable[[Failure], None],
    story: Awaitable[None],
) -> None:
    """Await *story*; meanwhile do each chore again and again, never twice at a time.

    :param chores: with the seconds between two turns of each.
    :param on_fault: called where a chore fails; that chore is not done again.
    """
    loops = [_loop(clock, seconds, chore, on_fault) for seconds, chore in chores]
    try:
        await story
    finally:
        for call, ended in loops:
            if call.running:
                call.stop()
            await ended


def _loop(
    clock: IReactorTime, seconds: float, chore: Chore, on_fault: Callable[[Failure], None]
) -> tuple[LoopingCall, Deferred[Any]]:
    call = LoopingCall(lambda: ensureDeferred(_turn(chore)))
    call.clock = clock
    ended: Deferred[Any] = Deferred()  # not the loop's own: *on_fault* may end the story at once
    call.start(seconds, now=False).addErrback(on_fault).addBoth(ended.callback)
    return call, ended


async def _turn(chore: Chore) -> None:
    await chore()
