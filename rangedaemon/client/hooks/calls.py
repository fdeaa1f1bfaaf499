"""
Calling hooks beside everything else: so many at once, so many in line, in order for each job.

Nobody waits for a hook, and no hook for another: each has a line of its own.  Where one is
so slow that its line is full, calls are left out and the log says so; what is in line when
the daemon stops is left out, too.
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
"""Calls of one hook that are under way together."""
IN_LINE = 1000
"""Calls of one hook that wait."""

_log = Logger()


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


class HookFailed(Exception):
    """A call that did not do what it should; the text says why, and holds no secret."""


class Line:
    """The calls of one hook."""

    def __init__(self, hook: Hook) -> None:
        self.hook = hook
        self._waiting: deque[Call] = deque()
        self._under_way: dict[str, Deferred[None]] = {}
        """By the job, which is never called for twice at a time."""
        self._left_out = 0
        self._stopped = self._working = False

    def take(self, call: Call) -> None:
        """Call soon, or leave it out where too many wait."""
        if len(self._waiting) < IN_LINE:
            self._waiting.append(call)
            self._work()
            return
        self._left_out += 1
        if self._left_out & (self._left_out - 1) == 0:  # 1, 2, 4, 8, …
            _log.error(
                "hook {name} is too slow: {count} calls were left out so far",
                name=self.hook.name, count=self._left_out,
            )  # fmt: skip

    def stop(self) -> Deferred[Any]:
        """Begin no more calls, cut short those under way; fires when they have ended."""
        self._stopped = True
        if self._waiting:
            _log.warn(
                "{count} calls of hook {name} are left out: we stop",
                count=len(self._waiting), name=self.hook.name,
            )  # fmt: skip
            self._waiting.clear()
        ends = [*self._under_way.values()]
        for end in ends:
            end.cancel()
        return DeferredList(ends)

    def _work(self) -> None:
        if self._working:
            return  # a call ended as soon as it began: the loop below goes on
        self._working = True
        try:
            while len(self._under_way) < AT_ONCE and (call := self._next()) is not None:
                self._start(call)
        finally:
            self._working = False

    def _next(self) -> Call | None:
        """The first in line for whose job none is under way."""
        for place, call in enumerate(self._waiting):
            if call.job["id"] not in self._under_way:
                del self._waiting[place]
                return call
        return None

    def _start(self, call: Call) -> None:
        done = Deferred.fromCoroutine(_awaited(self.hook, call))
        self._under_way[call.job["id"]] = done
        done.addErrback(self._failed, call)
        done.addBoth(lambda _: self._ended(call))

    def _failed(self, failure: Failure, call: Call) -> None:
        told = {"name": self.hook.name, "occasion": call.occasion.value, "job": call.job["id"]}
        if failure.check(CancelledError):
            _log.warn("hook {name} ({occasion} of job {job}) is cut short: we stop", **told)
        elif failure.check(HookFailed):
            _log.error(
                "hook {name} ({occasion} of job {job}) failed: {why}", why=failure.value, **told
            )
        else:
            _log.failure("hook {name} ({occasion} of job {job}) broke", failure, **told)

    def _ended(self, call: Call) -> None:
        self._under_way.pop(call.job["id"], None)
        if not self._stopped:
            self._work()


async def _awaited(hook: Hook, call: Call) -> None:
    await hook.act(call)


class Hooks(Service):
    """A listener for `Jobs.subscribe` that calls hooks."""

    def __init__(
        self, hooks: Sequence[Hook], describe: Describe, wall: Callable[[], float]
    ) -> None:
        self._lines = [Line(hook) for hook in hooks]
        self._describe = describe
        self._wall = wall
        self._occasions = Occasions()

    def __call__(self, event: JobEvent) -> None:
        """Call whom it concerns, soon."""
        occasion = self._occasions.of(event)
        wanted = [line for line in self._lines if occasion in line.hook.occasions]
        if occasion is None or not wanted or not self.running:
            return
        job, text = self._describe(event.snapshot)
        call = Call(occasion, job, text, self._wall())
        for line in wanted:
            line.take(call)

    def stopService(self) -> Deferred[Any]:
        """Call nobody any more; fires when the calls under way have ended."""
        super().stopService()  # type: ignore[no-untyped-call]
        return DeferredList([line.stop() for line in self._lines])
