"""
What control needs of the runner, as an interface.

`rangedaemon.client.runner.Runner` fulfils it; tests may put a small in-memory
one in its place.  Faults are those of `rangedaemon.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Protocol

from rangedaemon.core.jobs import (
    JobChange,
    JobEvent,
    JobPage,
    JobSnapshot,
    JobSpec,
    JobState,
    SegmentSnapshot,
    Totals,
)

__all__ = ["JobEvent", "Jobs", "Totals"]


class Jobs(Protocol):
    """The jobs of this daemon, as control sees them."""

    async def add(self, specs: Sequence[JobSpec]) -> list[JobSnapshot]:
        """Add jobs, all or none, durable when this returns.

        :raises InvalidInput, OutsideDirectory, NameTaken: the job cannot be taken.
        """

    async def get(self, job_id: str) -> JobSnapshot:
        """One job. :raises UnknownJob: there is none."""

    async def list(self, *, state: JobState | None, limit: int, cursor: str | None) -> JobPage:
        """A page of jobs, newest first. :raises InvalidInput: not a cursor of ours."""

    async def queue(
        self, *, states: Collection[JobState], offset: int, limit: int, backwards: bool
    ) -> Sequence[JobSnapshot]:
        """Jobs in *states*, highest priority first, then oldest first; or from the other end."""

    def running_now(self) -> Sequence[JobSnapshot]:
        """The jobs that hold a slot, as they are at this moment, from memory."""

    async def change(self, job_id: str, change: JobChange) -> JobSnapshot:
        """Change wishes, while it runs too. :raises UnknownJob: there is none."""

    async def pause(self, job_id: str) -> JobSnapshot:
        """Stop it, keep what came. :raises UnknownJob, StateForbids:"""

    async def resume(self, job_id: str) -> JobSnapshot:
        """Queue a paused job again. :raises UnknownJob, StateForbids:"""

    async def retry(self, job_id: str) -> JobSnapshot:
        """Queue a failed or waiting job again at once. :raises UnknownJob, StateForbids:"""

    async def remove(self, job_id: str, *, delete_files: bool) -> None:
        """Forget a job; with *delete_files* its part and finished file go too.

        :raises UnknownJob: there is none.
        """

    async def segments(self, job_id: str) -> Sequence[SegmentSnapshot]:
        """Its segments in ascending order. :raises UnknownJob: there is none."""

    async def totals(self) -> Totals:
        """Counts and rates of the whole."""

    def subscribe(self, listener: Callable[[JobEvent], None]) -> Callable[[], None]:
        """Call *listener* in the reactor thread on each event, until the answer is called."""
