"""The route of a job's file; ranges and all, once the file is finished."""

from __future__ import annotations

from rangedaemon.control.growing import serve_growing
from rangedaemon.control.ports import Jobs
from rangedaemon.control.routes.jobs import BASE, job_id
from rangedaemon.control.routing import Incoming, Route, set_fields
from rangedaemon.core.disposition import format_disposition
from rangedaemon.core.jobs import JobRecord, JobState
from rangedaemon.server.answering import Surroundings, open_settled, serve_open_file
from rangedaemon.storage.tree import OpenFile, ServedTree

CONTENT_POLICY = "sandbox; default-src 'none'; media-src 'self'; style-src 'unsafe-inline'"
"""A downloaded page must not act as a page of ours, which holds the token."""


class ContentRoutes:
    """``GET /api/v1/jobs/{id}/content``."""

    def __init__(self, jobs: Jobs, files: Surroundings) -> None:
        self._jobs = jobs
        self._files = files

    def table(self) -> list[Route]:
        """The one row."""
        return [
            Route(
                "GET", BASE + "/{id}/content", self.content, "The job's file, with ranges.",
                media_type="application/octet-stream", refusals=(404, 409, 412, 416),
            )
        ]  # fmt: skip

    async def content(self, incoming: Incoming) -> None:
        """
        The file of a finished job, or of one that is being fetched: what is asked for first.

        A job that repeats has its last one until another is begun.

        :raises StateForbids: it is neither.
        :raises NoSuchFile: it is not there any more.
        """
        record = (await self._jobs.get(job_id(incoming))).record
        if not _is_finished(record):
            reader = await self._jobs.reader(record.id)
            set_fields(incoming.request, {"Content-Security-Policy": CONTENT_POLICY})
            await serve_growing(incoming.request, record.id, reader, self._files)
            return
        opened = await open_settled(self._files, lambda: open_finished(record))
        set_fields(incoming.request, {"Content-Security-Policy": CONTENT_POLICY})
        named = ("Content-Disposition", format_disposition("attachment", opened.name))
        await serve_open_file(incoming.request, opened, self._files, described=[named])


def _is_finished(record: JobRecord) -> bool:
    """Whether there is a file under the final name: that of this turn, or of the last."""
    return record.filename is not None and (
        record.state is JobState.COMPLETE or record.verified is not None
    )


def open_finished(record: JobRecord) -> OpenFile:
    """Open the finished file of a job; blocking. :raises NoSuchFile: it is gone."""
    tree = ServedTree(record.spec.directory, hidden_files=True)
    return tree.open([record.filename or ""])
