"""
Several changes that are made together or not at all.

Each part of the daemon prepares what can fail (ports, files, processes); when all
have, none can say no any more.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change that is sure to succeed, and what takes its beginning back."""

    commit: Callable[[], Awaitable[None]]
    undo: Callable[[], Awaitable[None]]


Preparation = Callable[[], Awaitable[Prepared]]


async def all_or_none(preparations: Sequence[Preparation]) -> None:
    """Prepare all, then make all; where one cannot be prepared, nothing has changed."""
    prepared: list[Prepared] = []
    try:
        for prepare in preparations:
            each = await prepare()
            prepared.append(each)
    except BaseException:
        for each in reversed(prepared):
            await each.undo()
        raise
    for each in prepared:
        await each.commit()
