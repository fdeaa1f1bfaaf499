"""
Asking of each file that is here already whether the origin still has it as it was.

One conditional request for each (`client.repeating`), whatever the listing says of sizes
and times.  Where an answer is a fault that is about the one file, that file's own job
finds out what it means, with all the patience that jobs have.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from http.cookiejar import CookieJar

from twisted.internet.task import deferLater

from rangedaemon.client.habits import Habits
from rangedaemon.client.mirror.together import together
from rangedaemon.client.repeating import is_there, is_unchanged
from rangedaemon.client.requests import request_for
from rangedaemon.client.workfile import finished_path
from rangedaemon.core.jobs import JobRecord, JobSpec
from rangedaemon.errors import OriginFault, Throttled, TimedOut, Unreachable

MOST_IN_ROW = 8
"""Faults one after the other until the host counts as one that cannot be reached."""
MOST_THROTTLED = 5
"""How often the host may ask for peace before the round is put off."""
LONGEST_REST = 300.0
"""Seconds that a round rests where the host asks for it."""


class Asking:
    """The conditional requests of one round."""

    def __init__(
        self, habits: Habits, spec: JobSpec, jar: CookieJar, goes_on: Callable[[], bool]
    ) -> None:
        """
        :param spec: the mirror's.
        :param goes_on: whether nobody has told the mirror to stop: a request that was cut short
            looks broken.
        """
        self._goes_on = goes_on
        self._habits = habits
        self._around = habits.around
        self._spec = spec
        self._jar = jar
        self._in_row = 0

    async def ask(
        self,
        records: Sequence[JobRecord],
        on_answer: Callable[[JobRecord, bool | None], None],
    ) -> None:
        """
        Ask about files that were complete.

        :param on_answer: called for each with whether it is unchanged; None: it cannot be told.
        :raises OriginFault: the host answers nobody for now.
        """
        there = await self._habits.in_thread(_are_there, records)
        missing = [record for record in records if record.id not in there]
        for record in missing:
            on_answer(record, False)

        async def ask(record: JobRecord) -> None:
            on_answer(record, await self._is_unchanged(record))

        present = [record for record in records if record.id in there]
        await together(self._spec.segments, present, ask)

    async def _is_unchanged(self, record: JobRecord) -> bool | None:
        request = request_for(self._spec, record.spec.urls[0], self._jar)
        for _ in range(MOST_THROTTLED):
            try:
                same = await is_unchanged(self._around, request, record.remembered)
            except Throttled as fault:
                rest = min(max(1.0, fault.retry_after or 0.0), LONGEST_REST)
                await deferLater(self._around.clock, rest)
            except OriginFault as fault:
                if not self._goes_on():
                    raise
                self._in_row += isinstance(fault, Unreachable | TimedOut)
                if self._in_row >= MOST_IN_ROW:
                    raise
                return None
            else:
                self._in_row = 0
                return same
        return None


def _are_there(records: Sequence[JobRecord]) -> frozenset[str]:
    """The ids of those whose files are on the disk; blocking."""
    return frozenset(
        record.id for record in records if is_there(finished_path(record), record.size)
    )
