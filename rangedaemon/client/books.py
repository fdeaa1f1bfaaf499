"""What the journal knows of a running job: each change is saved, each move announced."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from rangedaemon.client.habits import Habits
from rangedaemon.core.jobs import JobRecord, JobSnapshot, Live
from rangedaemon.core.transfer import Trigger, move


class Books:
    """The record of one job."""

    def __init__(self, record: JobRecord, habits: Habits, live: Callable[[], Live]) -> None:
        """:param live: what only the running job knows, at the moment of the call."""
        self.record = record
        """What is to be true: the job itself goes by it while it is on its way to the disk."""
        self._habits = habits
        self._live = live
        self._told = record
        """What the journal has: others hear of nothing that a kill could take back."""

    def snapshot(self) -> JobSnapshot:
        """The job at this moment, as the journal knows it."""
        return JobSnapshot(self._told, self._live())

    async def move(self, trigger: Trigger, **changes: Any) -> None:
        """Change the state, in one transaction and one event.

        :raises StateForbids: the table has no such move.
        """
        await self.save(state=move(self.record.state, trigger), **changes)
        self.announce("job")

    async def end(self, trigger: Trigger, again: float | None, **changes: Any) -> None:
        """Come to an end, and where there is a next turn wait for it: one transaction.

        Everybody is told of the end first, unless nothing has changed.

        :param again: when that turn is, in seconds since the epoch; None: never.
        """
        if again is None:
            await self.move(trigger, **changes)
            return
        ended = replace(self.record, state=move(self.record.state, trigger), **changes)
        waits = move(ended.state, Trigger.POSTPONE)
        self.record = replace(ended, state=waits, retry_at=again, attempts=0)
        await self._keep()
        if trigger is not Trigger.UNCHANGED:
            self._habits.announce("job", JobSnapshot(ended, self._live()))
        self.announce("job")

    async def save(self, **changes: Any) -> None:
        """Change the record; durable when this returns."""
        self.record = replace(self.record, **changes)
        await self._keep()

    async def _keep(self) -> None:
        record = self.record
        try:
            await self._habits.store.save(record)
        finally:  # where the journal cannot take it, what is so is told all the same
            self._told = record

    def announce(self, kind: str) -> None:
        """Tell everybody."""
        self._habits.announce(kind, self.snapshot())
