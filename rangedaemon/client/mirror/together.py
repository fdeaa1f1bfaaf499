"""Doing the same for many things, a few at a time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from twisted.internet.defer import FirstError, ensureDeferred, gatherResults

T = TypeVar("T")


async def together(count: int, things: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
    """
    Do *work* for each of *things*, at most *count* at a time.

    What the first one raises that fails is raised here; the others are cancelled.
    """
    left = iter(things)

    going = True

    async def take() -> None:
        for thing in left:
            await work(thing)
            if not going:
                return

    hands = [ensureDeferred(take()) for _ in range(count)]
    try:
        await gatherResults(hands, consumeErrors=True)
    except FirstError as first:
        first.subFailure.raiseException()
    finally:
        going = False
        for hand in hands:
            hand.cancel()
