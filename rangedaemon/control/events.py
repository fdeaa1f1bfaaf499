"""
The stream of events: what happened to jobs, numbered, in a bounded buffer.

All readers share the buffer, each with its own place in it; nobody is buffered
for.  A reader whose place was overwritten has lost events and must be told so.
Progress is thinned to one ``job`` event a second and job; anything else never waits.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from rangedaemon.control.ports import JobEvent, Jobs
from rangedaemon.core.jobs import JobSnapshot

PROGRESS_INTERVAL = 1.0
CAPACITY = 2048


@dataclass(slots=True)
class Numbered:
    """One event in the buffer."""

    number: int
    kind: str
    snapshot: JobSnapshot
    encoded: bytes | None = field(default=None)
    """The octets of its frame, made once for all readers, when the first needs it."""


class EventLog:
    """The last *capacity* events; ``head`` is the number that the next one gets."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._events: deque[Numbered] = deque(maxlen=capacity)
        self.head = 0

    @property
    def tail(self) -> int:
        """The number of the oldest event that is still there."""
        return self.head - len(self._events)

    def append(self, kind: str, snapshot: JobSnapshot) -> None:
        """Number it and keep it, at the cost of the oldest."""
        self._events.append(Numbered(self.head, kind, snapshot))
        self.head += 1

    def since(self, number: int, limit: int) -> list[Numbered]:
        """At most *limit* events from *number* on (which must not be before the tail)."""
        first = number - self.tail
        last = min(first + limit, len(self._events))
        return [self._events[at] for at in range(first, last)]


class EventHub:
    """Listens to the jobs, thins out progress, keeps the log, wakes the readers."""

    def __init__(self, jobs: Jobs, clock: IReactorTime, *, capacity: int = CAPACITY) -> None:
        self.log = EventLog(capacity)
        self._clock = clock
        self._pending: dict[str, JobSnapshot] = {}
        self._flush_call: IDelayedCall | None = None
        self._wake_call: IDelayedCall | None = None
        self._readers: set[Callable[[], None]] = set()
        self._unsubscribe = jobs.subscribe(self._happened)

    def stop(self) -> None:
        """Listen no more."""
        self._unsubscribe()
        for call in (self._flush_call, self._wake_call):
            if call is not None and call.active():
                call.cancel()
        self._readers.clear()

    def attach(self, wake: Callable[[], None]) -> Callable[[], None]:
        """Call *wake* soon after there are new events, until the answer is called."""
        self._readers.add(wake)
        return lambda: self._readers.discard(wake)

    def _happened(self, event: JobEvent) -> None:
        job_id = event.snapshot.record.id
        if event.kind == "progress":
            self._pending[job_id] = event.snapshot
            self._schedule_flush()
        else:
            self._pending.pop(job_id, None)
            self._publish(event.kind, event.snapshot)

    def _schedule_flush(self) -> None:
        if self._flush_call is None:
            self._flush_call = self._clock.callLater(PROGRESS_INTERVAL, self._flush)

    def _flush(self) -> None:
        self._flush_call = None
        pending, self._pending = self._pending, {}
        for snapshot in pending.values():
            self._publish("job", snapshot)

    def _publish(self, kind: str, snapshot: JobSnapshot) -> None:
        self.log.append(kind, snapshot)
        if self._wake_call is None and self._readers:
            self._wake_call = self._clock.callLater(0, self._wake)

    def _wake(self) -> None:
        self._wake_call = None
        for wake in tuple(self._readers):
            wake()
