"""The route of a job's file; ranges and all, once the file is finished."""

from __future__ import annotations

from twisted.web.resource import IResource

from rangedaemon.control.answers import Answer
from rangedaemon.control.ports import Jobs
from rangedaemon.control.routes.jobs import BASE, job_id
from rangedaemon.control.routing import Incoming, Route
from rangedaemon.core.jobs import JobState
from rangedaemon.errors import StateForbids


class ContentRoutes:
    """``GET /api/v1/jobs/{id}/content``."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def table(self) -> list[Route]:
        """The one row."""
        return [
            Route(
                "GET", BASE + "/{id}/content", self.content, "The job's file, with ranges.",
                media_type="application/octet-stream", refusals=(404, 409, 412, 416),
            )
        ]  # fmt: skip

    async def content(self, incoming: Incoming) -> Answer | IResource:
        """The file of a finished job."""
        snapshot = await self._jobs.get(job_id(incoming))
        if snapshot.record.state is not JobState.COMPLETE:
            raise StateForbids("the file is not finished yet")
        raise StateForbids("this daemon does not serve finished files here")
