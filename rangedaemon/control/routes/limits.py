"""The routes of the limits that all jobs are under together: look, and change for this run."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rangedaemon.control.answers import Answer, json_answer
from rangedaemon.control.bodies import parse_json, validated
from rangedaemon.control.models import ChangedLimits, LimitsObject, Schedule
from rangedaemon.control.ports import Jobs
from rangedaemon.control.routing import Incoming, Route
from rangedaemon.core.jobs import Limits
from rangedaemon.core.timetable import Rate, timetable, told
from rangedaemon.errors import Complaint, InvalidInput

PATH = "/api/v1/limits"


class LimitRoutes:
    """``/api/v1/limits``."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def table(self) -> list[Route]:
        """Both rows."""
        return [
            Route("GET", PATH, self.show, "What all jobs may take together.", answer=LimitsObject),
            Route(
                "PATCH", PATH, self.change,
                "Change limits at once, until the daemon ends; jobs beyond max_active are queued.",
                answer=LimitsObject, body=ChangedLimits,
            ),
        ]  # fmt: skip

    async def show(self, _: Incoming) -> Answer:
        """The limits in force."""
        return json_answer(limits_object(self._jobs.limits))

    async def change(self, incoming: Incoming) -> Answer:
        """The limits after the change."""
        wish = validated(ChangedLimits, parse_json(incoming.body))
        given = {name: getattr(wish, name) for name in wish.model_fields_set}
        changes: dict[str, Any] = {name: _rate(name, value) for name, value in given.items()}
        self._jobs.set_limits(replace(self._jobs.limits, **changes))
        return await self.show(incoming)


def limits_object(limits: Limits) -> LimitsObject:
    """The limits as they are shown."""
    return LimitsObject(
        max_active=limits.max_active,
        rate_limit=told(limits.rate_limit),
        rate_limit_now=limits.rate_now,
        rate_limit_per_host=told(limits.rate_limit_per_host),
        connections_per_host=limits.connections_per_host,
    )


def _rate(name: str, value: Schedule) -> Rate:
    """:raises InvalidInput: a timetable without a window, or with a name that is none."""
    if not isinstance(value, dict):
        return value
    try:
        return timetable(value)
    except ValueError as wrong:
        raise InvalidInput([Complaint(name, str(wrong))]) from wrong
