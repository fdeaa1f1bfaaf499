"""The control API as a program outside sees it: plain HTTP, nothing of ours imported."""

from __future__ import annotations

import http.client
import json
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from tests.integration.waiting import PATIENCE, until

Job = dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """One whole answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)


class UnexpectedState(AssertionError):
    """A job ended otherwise than the test waits for."""


@dataclass(frozen=True)
class Api:
    """Requests to one daemon, with the token of its token file."""

    port: int
    token_file: Path

    def request(
        self,
        method: str,
        path: str,
        body: object = None,
        headers: Mapping[str, str] | None = None,
        *,
        timeout: float = PATIENCE,
    ) -> Reply:
        """Send one request on a connection of its own; *body* goes as JSON, bytes as they are."""
        fields = {"Authorization": f"Bearer {self.token}", **(headers or {})}
        if body is not None:
            fields.setdefault("Content-Type", "application/json")
        octets = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)) as wire:
            wire.request(method, path, octets, fields)
            response = wire.getresponse()
            return Reply(response.status, dict(response.headers.items()), response.read())

    @property
    def token(self) -> str:
        """What the token file holds; empty where there is none yet."""
        return self.token_file.read_text().strip() if self.token_file.exists() else ""

    def healthy(self) -> bool:
        """Whether the daemon says that it is ready."""
        try:
            return self.request("GET", "/healthz", timeout=PATIENCE).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def add(self, url: str | None = None, **wishes: object) -> Job:
        """Add a job, which must be accepted."""
        body = {**wishes} if url is None else {"url": url, **wishes}
        reply = self.request("POST", "/api/v1/jobs", body)
        if reply.status != 201:
            raise AssertionError(f"job refused: {reply.status} {reply.body!r}")
        job: Job = reply.json
        return job

    def job(self, job_id: str) -> Job:
        """One job, which must exist."""
        reply = self.request("GET", f"/api/v1/jobs/{quote(job_id)}")
        if reply.status != 200:
            raise AssertionError(f"no job {job_id}: {reply.status} {reply.body!r}")
        job: Job = reply.json
        return job

    def act(self, job_id: str, action: str) -> Reply:
        """``pause``, ``resume`` or ``retry``."""
        return self.request("POST", f"/api/v1/jobs/{quote(job_id)}/{action}")

    def jobs(self) -> list[Job]:
        """All jobs of the first page, newest first."""
        listed: list[Job] = self.request("GET", "/api/v1/jobs").json["jobs"]
        return listed

    def wait_for(self, job_id: str, *states: str, timeout: float = PATIENCE) -> Job:
        """Wait until the job is in one of *states*.

        :raises UnexpectedState: it ended in another.
        """
        ends = {"complete", "failed"} - set(states)

        def reached() -> Job | None:
            job = self.job(job_id)
            if job["state"] in ends:
                raise UnexpectedState(f"{job['state']}, not {states}: {job['error']}")
            return job if job["state"] in states else None

        return until(reached, f"job {job_id} {states}", timeout)

    def wait_received(self, job_id: str, octets: int, timeout: float = PATIENCE) -> Job:
        """Wait until the job has at least so many octets safely.

        :raises UnexpectedState: it ended before.
        """

        def reached() -> Job | None:
            job = self.job(job_id)
            if job["received"] >= octets:
                return job
            if job["state"] in ("complete", "failed"):
                raise UnexpectedState(f"{job['state']} at {job['received']}: {job['error']}")
            return None

        return until(reached, f"job {job_id} has {octets} octets", timeout)
