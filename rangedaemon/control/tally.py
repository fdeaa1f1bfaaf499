"""What the events of jobs add up to: retries, changed files, octets that a resume saved."""

from __future__ import annotations

from collections import Counter

from rangedaemon.control.ports import JobEvent
from rangedaemon.core.jobs import FINISHED, RUNNING, JobRecord, JobState


class Tally:
    """A listener for `Jobs.subscribe`; remembers the states of running and waiting jobs only."""

    def __init__(self) -> None:
        self.retries: Counter[str] = Counter()
        """By the word of the fault."""
        self.ended: Counter[str] = Counter()
        """By the state in which they ended."""
        self.changed = 0
        self.resumed = 0
        """Octets that were there already when a job began to run."""
        self._states: dict[str, JobState] = {}

    def happened(self, event: JobEvent) -> None:
        """An event of a job."""
        record = event.snapshot.record
        if event.kind == "changed":
            self.changed += 1
        elif event.kind == "removed":
            self._states.pop(record.id, None)
        elif event.kind == "job" and self._states.get(record.id) is not record.state:
            self._moved(record)

    def _moved(self, record: JobRecord) -> None:
        before, state = self._states.get(record.id), record.state
        if state is JobState.WAITING and before is not None and record.attempts:
            self.retries[record.error.code if record.error else "unknown"] += 1
        if state is JobState.PROBING and before not in RUNNING:
            self.resumed += record.covered.total
        if state in FINISHED and before is not None:
            self.ended[state.value] += 1
        if state in RUNNING or state is JobState.WAITING:
            self._states[record.id] = state
        else:
            self._states.pop(record.id, None)
