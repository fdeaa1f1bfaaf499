"""Forgetting the jobs of a mirror's files, which may be very many, and what they fetched."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rangedaemon.client.habits import Habits
from rangedaemon.client.workfile import final_path
from rangedaemon.core.jobs import JobRecord, JobSnapshot, JobSpec
from rangedaemon.core.mirroring import path_here
from rangedaemon.storage.confined import delete_below
from rangedaemon.storage.ledger import remove_logs
from rangedaemon.storage.partfile import discard, part_path

PAGE = 500


async def forget_all(habits: Habits, mirror: JobRecord, *, delete: bool) -> None:
    """Forget the jobs of all files of a mirror, of which none runs.

    :param delete: whether the files go, too.
    """
    while records := await habits.store.children(mirror.id, after=0, limit=PAGE):
        await forget(habits, mirror.spec, records, delete=delete)


async def forget(
    habits: Habits, mirror: JobSpec, records: Sequence[JobRecord], *, delete: bool
) -> int:
    """Forget the jobs of some files of a mirror; how many finished files were deleted."""
    deleted: int = await habits.in_thread(_forget, habits.state_dir, mirror, records, delete)
    await habits.store.delete_all([record.id for record in records])
    for record in records:
        habits.announce("removed", JobSnapshot(record))
    return deleted


def _forget(state_dir: Path, mirror: JobSpec, records: Sequence[JobRecord], delete: bool) -> int:
    for record in records:
        remove_logs(state_dir, record.id)
        if delete and record.filename is not None and record.verified is None:
            discard(part_path(final_path(record)))
    finished = [path_here(mirror, record) for record in records if record.verified is not None]
    return delete_below(Path(mirror.directory), finished) if delete else 0
