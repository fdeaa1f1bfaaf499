"""
What control needs of the runner, as an interface.

`rangedaemon.client.runner.Runner` fulfils it; tests may put a small in-memory
one in its place.  Faults are those of `rangedaemon.errors`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import NamedTuple, Protocol

from rangedaemon.core.counters import Counters
from rangedaemon.core.jobs import (
    JobChange,
    JobEvent,
    JobPage,
    JobSnapshot,
    JobSpec,
    JobState,
    Limits,
    Remembered,
    SegmentSnapshot,
    Totals,
)

__all__ = ["JobEvent", "Jobs", "Place", "Totals"]


class Place(NamedTuple):
    """A served folder."""

    url: str
    uploads: bool = False
    """Whether it takes uploads."""


class Growing(Protocol):
    """A reader of a file that is still fetched."""

    identity: Remembered
    """What the origin said of the representation that is read."""
    generation: int
    """How often the file had changed at the origin when the reading began."""

    @property
    def length(self) -> int:
        """Complete length in octets."""

    @property
    def filename(self) -> str:
        """What the finished file will be called."""

    async def read(self, offset: int, most: int) -> bytes:
        """At least one octet from *offset* on; waits until it is there.

        :raises Fault: it will not come.
        """

    async def close(self) -> None:
        """Let go of it."""


class Jobs(Protocol):
    """The jobs of this daemon, as control sees them."""

    counters: Counters
    """What all of them add up to."""

    async def add(self, specs: Sequence[JobSpec]) -> list[JobSnapshot]:
        """Add jobs, all or none, durable when this returns.

        :raises InvalidInput, OutsideDirectory, NameTaken: the job cannot be taken.
        """

    async def get(self, job_id: str) -> JobSnapshot:
        """One job. :raises UnknownJob: there is none."""

    async def ids_from(self, prefix: str, *, limit: int) -> Sequence[str]:
        """At most *limit* ids that begin with *prefix*, which is lower-case hex digits."""

    async def list(
        self,
        *,
        state: JobState | None,
        limit: int,
        cursor: str | None,
        parent: str | None = None,
    ) -> JobPage:
        """A page of jobs, newest first; of those of one mirror, or where it is empty of none.

        :raises InvalidInput: not a cursor of ours.
        """

    async def queue(
        self, *, states: Collection[JobState], offset: int, limit: int, backwards: bool
    ) -> Sequence[JobSnapshot]:
        """Jobs in *states*, highest priority first, then oldest first; or from the other end."""

    def running_now(self) -> Sequence[JobSnapshot]:
        """The jobs that hold a slot, as they are at this moment, from memory."""

    async def change(self, job_id: str, change: JobChange) -> JobSnapshot:
        """Change wishes, while it runs too.

        :raises UnknownJob: there is none.
        :raises StateForbids: another place for a file that is begun already.
        """

    @property
    def limits(self) -> Limits:
        """What all jobs together may take now."""

    def set_limits(self, limits: Limits) -> None:
        """Other limits until the end of this run; jobs beyond ``max_active`` are queued again."""

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

    async def reader(self, job_id: str) -> Growing:
        """A reader of the file of a job that runs.

        :raises UnknownJob: there is none.
        :raises StateForbids: it does not run, or nothing of it is there yet.
        """

    async def totals(self) -> Totals:
        """Counts and rates of the whole."""

    def subscribe(self, listener: Callable[[JobEvent], None]) -> Callable[[], None]:
        """Call *listener* in the reactor thread on each event, until the answer is called."""
