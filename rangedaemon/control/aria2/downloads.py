"""
Finding downloads as aria2's methods do: by the start of a GID, by offset and number.

The queue is every job that waits, in the order in which it would run; what is
stopped is listed oldest first.  What was removed while it ran is remembered for a
while, in memory, as aria2 does.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Sequence

from rangedaemon.control.aria2.envelope import RpcError
from rangedaemon.control.ports import Jobs
from rangedaemon.core.jobs import FINISHED, JobSnapshot, JobState
from rangedaemon.errors import UnknownJob

WAITING_STATES = frozenset({JobState.QUEUED, JobState.WAITING, JobState.PAUSED})
MAX_REMOVED = 1000
MAX_LISTED = 1000
"""A longer listing is cut: nobody reads it, and it is made anew every second."""

_GID = re.compile(r"[0-9a-f]{1,16}")
_SCAN = 1000


class Downloads:
    """The jobs, by aria2's ways of naming them."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        self._removed: OrderedDict[str, JobSnapshot] = OrderedDict()

    # -- by name ----------------------------------------------------------------

    async def expand(self, gid: str) -> str:
        """The whole GID that *gid* is the start of, and of no other."""
        text = gid.lower()
        if not _GID.fullmatch(text):
            raise RpcError(f"Invalid GID {gid[:100]}")
        if len(text) == 16 or text in self._removed:
            return text
        found = [known for known in self._removed if known.startswith(text)]
        found += await self._jobs.ids_from(text, limit=2)
        if len(found) > 1:
            raise RpcError(f"GID {gid} is not unique")
        if not found:
            raise RpcError(f"GID {gid} is not found")
        return found[0]

    async def find(self, gid: str) -> tuple[JobSnapshot, bool]:
        """The job, and whether it is only remembered as removed."""
        job_id = await self.expand(gid)
        if job_id in self._removed:
            return self._removed[job_id], True
        try:
            return await self._jobs.get(job_id), False
        except UnknownJob as unknown:
            raise RpcError(f"No such download for GID#{job_id}") from unknown

    # -- by place ---------------------------------------------------------------

    async def waiting(self, offset: int, number: int) -> list[JobSnapshot]:
        """A stretch of the queue; a negative offset counts from its end, backwards."""
        return await self._stretch(WAITING_STATES, offset, number)

    async def stopped(self, offset: int, number: int) -> list[tuple[JobSnapshot, bool]]:
        """A stretch of what is finished, or was removed while it ran."""
        removed = [(snapshot, True) for snapshot in self._removed.values()]
        if offset < 0:
            gone = [*reversed(removed)][-offset - 1 :][:number]
            skip = max(0, -offset - 1 - len(removed))
            rest = await self._stretch(FINISHED, -1 - skip, number - len(gone))
            return [*gone, *((snapshot, False) for snapshot in rest)]
        kept = await self._stretch(FINISHED, offset, number)
        listed = [(snapshot, False) for snapshot in kept]
        counts = (await self._jobs.totals()).counts
        before = sum(counts.get(state, 0) for state in FINISHED)
        skip = max(0, offset - before)
        return [*listed, *removed[skip : skip + number - len(listed)]]

    async def _stretch(
        self, states: frozenset[JobState], offset: int, number: int
    ) -> list[JobSnapshot]:
        if number <= 0:
            return []
        backwards = offset < 0
        start = -offset - 1 if backwards else offset
        number = min(number, MAX_LISTED)
        found = await self._jobs.queue(
            states=states, offset=start, limit=number, backwards=backwards
        )
        return list(found)

    # -- what is remembered -------------------------------------------------------

    def remember(self, snapshot: JobSnapshot) -> None:
        """*snapshot* was removed while it ran."""
        self._removed[snapshot.record.id] = snapshot
        while len(self._removed) > MAX_REMOVED:
            self._removed.popitem(last=False)

    def forget(self, job_id: str) -> bool:
        """Remember it no more; whether it was remembered."""
        return self._removed.pop(job_id, None) is not None

    def forget_all(self) -> None:
        """Remember nothing."""
        self._removed.clear()

    @property
    def remembered(self) -> int:
        """How many are remembered."""
        return len(self._removed)


async def all_of(jobs: Jobs, states: frozenset[JobState]) -> Sequence[str]:
    """The ids of every job in *states*, page by page."""
    found: list[str] = []
    for state in states:
        cursor: str | None = None
        while True:
            page = await jobs.list(state=state, limit=_SCAN, cursor=cursor)
            found += [snapshot.record.id for snapshot in page.jobs]
            cursor = page.next_cursor
            if cursor is None:
                break
    return found
