"""The routes of jobs: add, list, show, change, steer, remove."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Sequence

from twisted.web.resource import IResource

from rangedaemon.control.answers import NO_CONTENT, Answer, json_answer
from rangedaemon.control.bodies import parse_json, validated
from rangedaemon.control.jobobjects import AddedJobs, JobList, JobObject
from rangedaemon.control.mirroring import NewMirror, mirror_of
from rangedaemon.control.models import ChangedJob, NewJob, NewUpload, Nothing, SegmentList
from rangedaemon.control.picked import PICKED, picked
from rangedaemon.control.ports import Jobs
from rangedaemon.control.pushing import Pushes
from rangedaemon.control.routing import Incoming, Route
from rangedaemon.control.views import job_list, job_object, segment_list
from rangedaemon.control.wishes import CALENDAR, calendar_of, spec_of
from rangedaemon.core.jobs import JobChange, JobSnapshot, JobSpec, JobState
from rangedaemon.errors import Complaint, InvalidInput, UnknownJob

BASE = "/api/v1/jobs"
MAX_PAGE = 1000
DEFAULT_PAGE = 100
MAX_BATCH = 1000

_ID = re.compile(r"[0-9a-f]{16}")


class JobRoutes:
    """The rows of the API's table that are about jobs."""

    def __init__(self, jobs: Jobs, pushes: Pushes, *, directory: str, segments: int) -> None:
        self._jobs = jobs
        self._pushes = pushes
        self._directory = directory
        self._segments = segments

    def table(self) -> list[Route]:
        """Every row but the content's."""
        return [*self._collection(), *self._one(), *self._steering()]

    def _collection(self) -> list[Route]:
        return [
            Route(
                "POST", BASE, self.add, "Add a job (or a list of jobs, all or none).",
                answer=JobObject, status=201, body=NewJob, many=True,
                other_bodies=(NewUpload, NewMirror),
                refusals=(403, 409),
            ),
            Route(
                "GET", BASE, self.list, "List jobs, newest first.", answer=JobList,
                query={
                    "state": {"type": "string", "enum": [state.value for state in JobState]},
                    "limit": {"type": "integer", "minimum": 1, "maximum": MAX_PAGE},
                    "cursor": {"type": "string"},
                    "parent": {"type": "string", "pattern": "^(none|[0-9a-f]{16})$"},
                },
            ),
        ]  # fmt: skip

    def _one(self) -> list[Route]:
        at = BASE + "/{id}"
        return [
            Route("GET", at, self.show, "Show a job.", answer=JobObject, refusals=(404,)),
            Route(
                "PATCH", at, self.change, "Change wishes, while it runs too.",
                answer=JobObject, body=ChangedJob, refusals=(404, 409),
            ),
            Route(
                "DELETE", at, self.remove, "Forget a job, with or without its files.",
                status=204, refusals=(404, 409),
                query={"files": {"type": "string", "enum": ["keep", "delete"]}},
            ),
            Route(
                "GET", at + "/segments", self.segments, "Show who fetches what.",
                answer=SegmentList, refusals=(404,),
            ),
        ]  # fmt: skip

    def _steering(self) -> list[Route]:
        verbs = [
            ("pause", self._jobs.pause, "Stop it, keep what came."),
            ("resume", self._jobs.resume, "Queue a paused job again."),
            ("retry", self._jobs.retry, "Queue a failed or waiting job again at once."),
        ]
        return [self._verb(*verb) for verb in verbs]

    def _verb(
        self, name: str, method: Callable[[str], Awaitable[JobSnapshot]], summary: str
    ) -> Route:
        async def steer(incoming: Incoming) -> Answer:
            if incoming.body:
                validated(Nothing, parse_json(incoming.body))
            return json_answer(job_object(await method(job_id(incoming))))

        path = f"{BASE}/{{id}}/{name}"
        return Route("POST", path, steer, summary, answer=JobObject, refusals=(404, 409))

    async def add(self, incoming: Incoming) -> Answer:
        """201 and the job; for a list or a folder, the jobs in the order given."""
        value = parse_json(incoming.body)
        if isinstance(value, list):
            return await self._add_many(await self._listed(value))
        specs = await self._specs(value)
        if isinstance(value, dict) and "folder" in value:
            return await self._add_many(specs)
        [added] = await self._jobs.add(specs)
        return json_answer(job_object(added), 201, Location=f"{BASE}/{added.record.id}")

    async def _add_many(self, specs: Sequence[JobSpec]) -> Answer:
        added = await self._jobs.add(specs)
        return json_answer(AddedJobs(jobs=[job_object(job) for job in added]), 201)

    async def _listed(self, values: Sequence[object]) -> Sequence[JobSpec]:
        """The jobs of a list, all or none."""
        specs: list[JobSpec] = []
        for at, value in enumerate(values):
            try:
                specs += await self._specs(value)
            except InvalidInput as invalid:
                placed = [Complaint(f"{at}.{c.loc}".rstrip("."), c.msg) for c in invalid.complaints]
                raise InvalidInput(placed) from invalid
            if len(specs) > MAX_BATCH:
                break
        if not 1 <= len(specs) <= MAX_BATCH:
            raise InvalidInput([Complaint("", f"a list holds 1 to {MAX_BATCH} jobs")])
        return specs

    async def _specs(self, value: object) -> list[JobSpec]:
        """The job, or the jobs of a folder, that one object asks for."""
        if isinstance(value, dict) and value.get("kind") == "upload":
            return await self._pushes.specs(validated(NewUpload, value))
        if isinstance(value, dict) and value.get("kind") == "mirror":
            mirror = validated(NewMirror, value)
            return [mirror_of(mirror, base=self._directory, segments=self._segments)]
        wish = validated(NewJob, value)
        return [spec_of(wish, wish.addresses, base=self._directory, segments=self._segments)]

    async def list(self, incoming: Incoming) -> Answer:
        """A page, newest first."""
        query = incoming.query
        page = await self._jobs.list(
            state=_state(query.get("state")),
            limit=_limit(query.get("limit")),
            cursor=query.get("cursor"),
            parent=_parent(query.get("parent")),
        )
        return json_answer(job_list(page))

    async def show(self, incoming: Incoming) -> Answer:
        """The job."""
        return json_answer(job_object(await self._jobs.get(job_id(incoming))))

    async def change(self, incoming: Incoming) -> Answer:
        """The job after the change."""
        wish = validated(ChangedJob, parse_json(incoming.body))
        given = wish.model_fields_set
        change = JobChange(
            priority=wish.priority if "priority" in given else None,
            segments=wish.segments if "segments" in given else None,
            rate_limit=wish.rate_limit,
            set_rate_limit="rate_limit" in given,
            login=wish.login,
            urls=None if wish.urls is None else tuple(dict.fromkeys(wish.urls)),
            calendar=calendar_of(wish, given & CALENDAR),
            mirror=picked(wish, given & PICKED),
        )
        return json_answer(job_object(await self._jobs.change(job_id(incoming), change)))

    async def remove(self, incoming: Incoming) -> Answer:
        """204."""
        files = incoming.query.get("files", "keep")
        if files not in ("keep", "delete"):
            raise InvalidInput([Complaint("query.files", "keep or delete")])
        await self._jobs.remove(job_id(incoming), delete_files=files == "delete")
        return NO_CONTENT

    async def segments(self, incoming: Incoming) -> Answer | IResource:
        """Who fetches what."""
        return json_answer(segment_list(await self._jobs.segments(job_id(incoming))))


def job_id(incoming: Incoming) -> str:
    """The id in the path. :raises UnknownJob: no job can have such an id."""
    text = incoming.path["id"]
    if not _ID.fullmatch(text):
        raise UnknownJob("a job's id is 16 lower-case hex digits")
    return text


def _state(text: str | None) -> JobState | None:
    if text is None:
        return None
    try:
        return JobState(text)
    except ValueError as unknown:
        known = ", ".join(JobState)
        raise InvalidInput([Complaint("query.state", f"one of {known}")]) from unknown


def _parent(text: str | None) -> str | None:
    """The files of a mirror; ``none``: jobs that are no mirror's file."""
    if text is None or _ID.fullmatch(text):
        return text
    if text == "none":
        return ""
    raise InvalidInput([Complaint("query.parent", "the id of a mirror, or none")])


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_PAGE
    if not re.fullmatch("[0-9]{1,4}", text) or not 1 <= int(text) <= MAX_PAGE:
        raise InvalidInput([Complaint("query.limit", f"a number from 1 to {MAX_PAGE}")])
    return int(text)
