"""
Calling hooks beside everything else: so many at once, so many in line, in order for each job.

Nobody waits for a hook, and no hook for another: each has a line of its own.  Where one is
so slow that its line is full, calls are left out and the log says so.  A stop waits a while
for calls that are under way or in line; what is left then is kept for the next start.  So a
call that was cut short is made twice.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.application.service import Service
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.core.jobs import JobEvent, JobSnapshot
from rangedaemon.core.occasions import Occasion, Occasions

AT_ONCE = 4
"""Calls of one hook that are under way together."""
IN_LINE = 1000
"""Calls of one hook that wait."""
PATIENCE_SECONDS = 10.0
"""For which a stop waits for calls."""

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
class Left:
    """A call that a stop has left over."""

    hook: str
    call: Call


class Shelf(Protocol):
    """Where calls are kept between two runs of the daemon."""

    async def take(self) -> Sequence[Left]:
        """What was put there, once."""

    async def put(self, left: Sequence[Left]) -> None:
        """Keep these; durable when this returns."""


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
        self._left: list[Call] = []
        """What a stop has cut short or not begun."""
        self._idle: list[Deferred[None]] = []
        """Who waits for the last call."""

    @property
    def busy(self) -> bool:
        """Whether any call is under way."""
        return bool(self._under_way)

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

    async def stop(self, clock: IReactorTime) -> list[Left]:
        """Return when all calls have ended, or were cut short; those that were not made."""
        if self._under_way:
            idle: Deferred[None] = Deferred()
            self._idle.append(idle)
            patience = clock.callLater(PATIENCE_SECONDS, self.cut)
            await idle
            if patience.active():
                patience.cancel()
        return [Left(self.hook.name, call) for call in self._left]

    def cut(self) -> None:
        """Begin no more calls, cut short those under way."""
        self._stopped = True
        self._left += self._waiting
        self._waiting.clear()
        count = len(self._left) + len(self._under_way)
        _log.warn(
            "{count} calls of hook {name} are left for the next start",
            count=count, name=self.hook.name,
        )  # fmt: skip
        for end in [*self._under_way.values()]:
            end.cancel()

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
            self._left.insert(0, call)  # before what its job has in line
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
        if not self._under_way:
            idle, self._idle = self._idle, []
            for who in idle:
                who.callback(None)


async def _awaited(hook: Hook, call: Call) -> None:
    await hook.act(call)


class Hooks(Service):
    """A listener for `Jobs.subscribe` that calls hooks."""

    def __init__(
        self,
        hooks: Sequence[Hook],
        describe: Describe,
        clock: IReactorTime,
        wall: Callable[[], float],
        shelf: Shelf,
    ) -> None:
        """:param shelf: where calls are that an earlier run has left over."""
        self._lines = [Line(hook) for hook in hooks]
        self._former: list[Line] = []
        """Those of hooks that are configured no more; what was in line is called still."""
        self._describe = describe
        self._clock = clock
        self._wall = wall
        self._shelf = shelf
        self._taken: Deferred[None] | None = None
        self._occasions = Occasions()

    def change(self, hooks: Sequence[Hook]) -> None:
        """Call these from now on."""
        self._former = [line for line in (*self._former, *self._lines) if line.busy]
        self._lines = [Line(hook) for hook in hooks]

    def startService(self) -> None:
        """Call, and first for what an earlier run has left over."""
        super().startService()  # type: ignore[no-untyped-call]
        self._taken = Deferred.fromCoroutine(self._take_up())
        self._taken.addErrback(
            lambda failure: _log.failure("calls of hooks that were left over are lost", failure)
        )

    async def _take_up(self) -> None:
        lines = {line.hook.name: line for line in self._lines}
        for left in await self._shelf.take():
            if left.hook in lines:
                lines[left.hook].take(left.call)
            else:
                _log.warn("a call is left out: there is no hook {name} any more", name=left.hook)

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
        """Hear of no more events; fires when calls have ended or are kept for the next start."""
        super().stopService()  # type: ignore[no-untyped-call]
        return Deferred.fromCoroutine(self._stop())

    def hasten(self) -> None:
        """Let a stop wait no longer."""
        for line in (*self._former, *self._lines):
            if line.busy:
                line.cut()

    async def _stop(self) -> None:
        if self._taken is not None:
            await self._taken
        lines = [*self._former, *self._lines]
        ends = [Deferred.fromCoroutine(line.stop(self._clock)) for line in lines]
        left = [each for end in ends for each in await end]
        if left:
            await self._shelf.put(left)
