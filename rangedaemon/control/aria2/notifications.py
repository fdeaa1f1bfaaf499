"""
Which event of a job is which notification of aria2's.

aria2 tells of a download that becomes active, and of how an active one ends; it
says nothing of progress, of the queue, or of what is removed while it waits.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from rangedaemon.control.ports import JobEvent
from rangedaemon.core.jobs import RUNNING, JobSnapshot, JobState

MAX_HALTED = 1000

_ENDS = {
    JobState.PAUSED: "aria2.onDownloadPause",
    JobState.COMPLETE: "aria2.onDownloadComplete",
    JobState.FAILED: "aria2.onDownloadError",
}


class Narrator:
    """Follows the jobs' events; tells the notifications and what was removed as it ran."""

    def __init__(
        self, notify: Callable[[str, str], None], removed: Callable[[JobSnapshot], None]
    ) -> None:
        self._notify = notify
        self._removed = removed
        self._running: set[str] = set()
        self._halted: OrderedDict[str, None] = OrderedDict()

    def happened(self, event: JobEvent) -> None:
        """An event of a job."""
        job_id = event.snapshot.record.id
        if event.kind == "removed":
            self._on_removed(job_id, event.snapshot)
        elif event.snapshot.record.state in RUNNING:
            self._on_running(job_id)
        elif job_id in self._running:
            self._on_ended(job_id, event.snapshot.record.state)

    def _on_running(self, job_id: str) -> None:
        if job_id not in self._running:
            self._running.add(job_id)
            self._halted.pop(job_id, None)
            self._notify("aria2.onDownloadStart", job_id)

    def _on_ended(self, job_id: str, state: JobState) -> None:
        self._running.discard(job_id)
        if state is JobState.PAUSED:
            self._remember(job_id)
        if state in _ENDS:
            self._notify(_ENDS[state], job_id)

    def _on_removed(self, job_id: str, snapshot: JobSnapshot) -> None:
        """A running job is halted before it is removed: to aria2's clients it was active."""
        was_active = job_id in self._running or job_id in self._halted
        self._running.discard(job_id)
        self._halted.pop(job_id, None)
        if was_active:
            self._removed(snapshot)
            self._notify("aria2.onDownloadStop", job_id)

    def _remember(self, job_id: str) -> None:
        self._halted[job_id] = None
        if len(self._halted) > MAX_HALTED:
            self._halted.popitem(last=False)
