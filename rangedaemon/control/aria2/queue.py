"""
Places in the queue, which has no places: it runs by priority, then by age.

To put a job at a place the jobs that shall run before it are given a higher
priority than the job that shall run after it, and no more than needed.
"""

from __future__ import annotations

from collections.abc import Sequence

from rangedaemon.control.aria2.downloads import MAX_LISTED, WAITING_STATES
from rangedaemon.control.aria2.envelope import RpcError
from rangedaemon.control.ports import Jobs
from rangedaemon.core.jobs import JobChange, JobSnapshot


def new_priorities(
    others: Sequence[tuple[str, int]], job_id: str, place: int
) -> list[tuple[str, int]]:
    """
    Which priorities change so that *job_id* comes at *place* among *others*.

    Pure.  *others* are ids with priorities, as they run; all before the place are lifted
    alike, so that those of one priority keep their order by age.
    """
    before, after = others[:place], others[place:]
    if not after:
        lowest = before[-1][1] - 1 if before else 0
        return [(job_id, lowest)]
    floor = after[0][1] + 1
    lift = max(0, floor + 1 - before[-1][1]) if before else 0
    raised = [(other, priority + lift) for other, priority in before] if lift else []
    return [*raised, (job_id, floor)]


async def place(jobs: Jobs, snapshot: JobSnapshot, target: int, how: str = "POS_SET") -> int:
    """Move a waiting job; its new place. :raises RpcError: the queue is too long for that."""
    queue = await jobs.queue(states=WAITING_STATES, offset=0, limit=MAX_LISTED, backwards=False)
    ids = [job.record.id for job in queue]
    if snapshot.record.id not in ids:
        raise RpcError(f"GID#{snapshot.record.id} is too far back in the queue to be moved.")
    at = ids.index(snapshot.record.id)
    origin = {"POS_SET": 0, "POS_CUR": at, "POS_END": len(ids) - 1}[how]
    wanted = min(max(0, origin + target), len(ids) - 1)
    others = [(job.record.id, job.record.spec.priority) for job in queue]
    del others[at]
    if wanted != at:
        for job_id, priority in new_priorities(others, snapshot.record.id, wanted):
            await jobs.change(job_id, JobChange(priority=priority))
    return wanted
