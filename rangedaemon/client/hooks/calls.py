"""
Calling hooks beside everything else: so many at once, so many in line, in order for each job.

Nobody waits for a hook.  Where they are so slow that the line is full, calls are left out
and the log says so; what is in line when the daemon stops is left out, too.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred, DeferredList
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.core.jobs import JobEvent, JobSnapshot
from rangedaemon.core.occasions import Occasion, Occasions

AT_ONCE = 4
IN_LINE = 1000


@dataclass(frozen=True, slots=True)
class Call:
    """One occasion of one job."""

    occasion: Occasion
    job: Mapping[str, Any]
    """The job object of the API, as it was then."""
    text: str
    """The same as JSON."""
    at: float
    """Seconds since the epoch."""


@dataclass(frozen=True, slots=True)
class Hook:
    """Somebody who wants to be called."""

    name: str
    occasions: frozenset[Occasion]
    act: Callable[[Call], Awaitable[None]]
    """Returns when the call has ended; whatever it raises is logged. May be cancelled."""


Describe = Callable[[JobSnapshot], tuple[Mapping[str, Any], str]]
"""A job object of the API, and the same as JSON."""


class Hooks(Service):
    """A listener for `Jobs.subscribe` that calls hooks."""

    _log = Logger()

    def __init__(
        self, hooks: Sequence[Hook], describe: Describe, wall: Callable[[], float]
    ) -> None:
        self.hooks = hooks
        """Who is called from now on; may be replaced."""
        self._describe = describe
        self._wall = wall
        self._occasions = Occasions()
        self._line: deque[tuple[Hook, Call]] = deque()
        self._under_way: dict[tuple[str, str], Deferred[None]] = {}
        self._left_out = 0

    def __call__(self, event: JobEvent) -> None:
        """Call whom it concerns, soon."""
        occasion = self._occasions.of(event)
        wanted = [hook for hook in self.hooks if occasion in hook.occasions]
        if occasion is None or not wanted or not self.running:
            return
        job, text = self._describe(event.snapshot)
        call = Call(occasion, job, text, self._wall())
        for hook in wanted:
            self._take(hook, call)
        self._work()

    def stopService(self) -> Deferred[Any]:
        """Call nobody any more; fires when the calls under way have ended."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._line:
            self._log.warn("{count} calls of hooks are left out: we stop", count=len(self._line))
            self._line.clear()
        ends = [*self._under_way.values()]
        for end in ends:
            end.cancel()
        return DeferredList(ends)

    def _take(self, hook: Hook, call: Call) -> None:
        if len(self._line) < IN_LINE:
            self._line.append((hook, call))
            return
        self._left_out += 1
        if self._left_out & (self._left_out - 1) == 0:  # 1, 2, 4, 8, …
            self._log.error(
                "hooks are too slow: {count} calls were left out so far", count=self._left_out
            )

    def _work(self) -> None:
        while len(self._under_way) < AT_ONCE and (following := self._next()) is not None:
            self._start(*following)

    def _next(self) -> tuple[Hook, Call] | None:
        """The first in line whose hook is not at this very job already."""
        for place, (hook, call) in enumerate(self._line):
            if (hook.name, call.job["id"]) not in self._under_way:
                del self._line[place]
                return hook, call
        return None

    def _start(self, hook: Hook, call: Call) -> None:
        key = (hook.name, call.job["id"])
        done = Deferred.fromCoroutine(_awaited(hook, call))
        self._under_way[key] = done
        done.addErrback(self._failed, hook, call)
        done.addBoth(lambda _: self._ended(key))

    def _failed(self, failure: Failure, hook: Hook, call: Call) -> None:
        told = {"name": hook.name, "occasion": call.occasion.value, "job": call.job["id"]}
        if failure.check(CancelledError):
            self._log.warn("hook {name} ({occasion} of job {job}) is cut short: we stop", **told)
        elif failure.check(HookFailed):
            self._log.error(
                "hook {name} ({occasion} of job {job}) failed: {why}", why=failure.value, **told
            )
        else:
            self._log.failure("hook {name} ({occasion} of job {job}) broke", failure, **told)

    def _ended(self, key: tuple[str, str]) -> None:
        self._under_way.pop(key, None)
        if self.running:
            self._work()


class HookFailed(Exception):
    """A call that did not do what it should; the text says why, and holds no secret."""


async def _awaited(hook: Hook, call: Call) -> None:
    await hook.act(call)
