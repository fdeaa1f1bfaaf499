"""
The control API as a caller sees it: plain blocking requests over one kept connection.

Works over TCP, TLS and Unix sockets.  Every wait has an end and every answer a
bound; whatever goes wrong is a `CommandFault` whose sentence says what to do.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from http.client import HTTPConnection, HTTPException, HTTPResponse, IncompleteRead
from typing import Any, Self
from urllib.parse import quote, urlencode

from rangedaemon.control.cli.discovery import Target
from rangedaemon.control.cli.exits import (
    CommandFault,
    Exit,
    exit_of_problem,
    sentence_of_problem,
)
from rangedaemon.control.cli.picking import Job
from rangedaemon.control.cli.sse import LONGEST_LINE, Event, EventReader, MalformedStream
from rangedaemon.control.cli.transport import connect, naming, read_token

ANSWER_TIMEOUT = 30.0
SILENCE_TIMEOUT = 30.0
"""Seconds without an octet after which a stream of events counts as dead."""
LARGEST_ANSWER = 64 << 20
PAGE = 500
NEEDED = frozenset({"id", "state", "received", "size", "rate", "eta_s"})
"""The fields of a job object that nothing here works without."""
KEPT_FOR = 4.0
"""Seconds for which an idle connection is used again: less than any server keeps one."""
BLOCK = 1 << 18


class ApiClient:
    """Asks one daemon."""

    def __init__(self, target: Target, *, timeout: float = ANSWER_TIMEOUT) -> None:
        self.target = target
        self._timeout = timeout
        self._token = read_token(target.token_file)
        self._kept: HTTPConnection | None = None
        self._used = 0.0

    # -- what the API offers ---------------------------------------------------

    def status(self) -> dict[str, Any]:
        """``GET /status``."""
        return self._object("GET", "/api/v1/status")

    def add(self, body: Mapping[str, object]) -> Job:
        """``POST /jobs``."""
        return self._job(self._object("POST", "/api/v1/jobs", body))

    def add_all(self, bodies: Sequence[Mapping[str, object]]) -> list[Job]:
        """``POST /jobs`` of a list: all of them, or none."""
        answer = self._object("POST", "/api/v1/jobs", list(bodies))
        return [self._job(job) for job in answer.get("jobs", [])]

    def job(self, job_id: str) -> Job:
        """``GET /jobs/{id}``."""
        return self._job(self._object("GET", _path(job_id)))

    def jobs(self, *, state: str | None = None, parent: str | None = None) -> Iterator[Job]:
        """``GET /jobs``, page by page, newest first; *parent*: a mirror's id, or ``none``."""
        cursor: str | None = None
        while True:
            wishes = {"limit": str(PAGE), "state": state, "parent": parent, "cursor": cursor}
            query = urlencode({key: value for key, value in wishes.items() if value})
            page = self._object("GET", f"/api/v1/jobs?{query}")
            yield from map(self._job, page.get("jobs", []))
            before, cursor = cursor, page.get("next")
            if not cursor or cursor == before:
                return

    def act(self, job_id: str, verb: str) -> Job:
        """``POST /jobs/{id}/pause``, ``/resume`` or ``/retry``."""
        return self._job(self._object("POST", f"{_path(job_id)}/{verb}"))

    def change(self, job_id: str, wishes: Mapping[str, object]) -> Job:
        """``PATCH /jobs/{id}``."""
        return self._job(self._object("PATCH", _path(job_id), wishes))

    def remove(self, job_id: str, *, delete_files: bool) -> None:
        """``DELETE /jobs/{id}``."""
        self._call("DELETE", f"{_path(job_id)}?files={'delete' if delete_files else 'keep'}")

    def segments(self, job_id: str) -> dict[str, Any]:
        """``GET /jobs/{id}/segments``."""
        return self._object("GET", f"{_path(job_id)}/segments")

    def limits(self, wishes: Mapping[str, object]) -> dict[str, Any]:
        """``GET /limits``, or with *wishes* ``PATCH /limits``."""
        if wishes:
            return self._object("PATCH", "/api/v1/limits", wishes)
        return self._object("GET", "/api/v1/limits")

    def shutdown(self) -> None:
        """``POST /shutdown``."""
        self._call("POST", "/api/v1/shutdown")

    def plan(self) -> dict[str, Any]:
        """What a reload would make of the declared jobs."""
        return self._object("GET", "/api/v1/plan")

    def reload(self) -> dict[str, Any]:
        """Have it read its configuration again; what has changed."""
        return self._object("POST", "/api/v1/reload")

    def text(self, path: str) -> str:
        """An answer that is no JSON, such as ``/metrics``."""
        return self._call("GET", path).decode(errors="replace")

    def content(self, job_id: str) -> Iterator[bytes]:
        """``GET /jobs/{id}/content``, block by block; the first octets may take their time."""
        with (
            naming(self.target),
            closing(connect(self.target.address, SILENCE_TIMEOUT)) as connection,
        ):
            response = self._send(connection, "GET", f"{_path(job_id)}/content", None)
            self._check(response)
            expected, got = response.length, 0
            while block := response.read(BLOCK):
                got += len(block)
                yield block
        if expected is not None and got < expected:
            raise CommandFault(Exit.SERVER, f"the daemon closed after {got} of {expected} bytes")

    def events(self, last_id: str | None = None) -> EventStream:
        """``GET /events``, from after *last_id* on where the daemon still remembers it."""
        connection = connect(self.target.address, SILENCE_TIMEOUT)
        headers = {"Accept": "text/event-stream"}
        if last_id:
            headers["Last-Event-ID"] = last_id
        try:
            with naming(self.target):
                response = self._send(connection, "GET", "/api/v1/events", None, headers)
                self._check(response)
        except CommandFault:
            connection.close()
            raise
        return EventStream(connection, response, last_id)

    # -- how it is asked -------------------------------------------------------

    def _object(self, method: str, path: str, body: object = None) -> dict[str, Any]:
        """The JSON object that answers."""
        raw = self._call(method, path, body)
        try:
            answer = json.loads(raw)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise self._foreign()
        return answer

    def _job(self, answer: object) -> Job:
        """*answer*, where it is a job object."""
        if not isinstance(answer, dict) or not answer.keys() >= NEEDED:
            raise self._foreign()
        return answer

    def _foreign(self) -> CommandFault:
        """The fault of an answer that no rangedaemon gives."""
        where = self.target.address
        return CommandFault(Exit.SERVER, f"the answer of {where} is not one of rangedaemon")

    def job_of(self, event: Event) -> Job:
        """The job object in an event of kind ``job``."""
        return self._job(self._decoded(event))

    def removed_id(self, event: Event) -> str:
        """The id in an event of kind ``removed``."""
        told = self._decoded(event)
        if not isinstance(told, dict) or "id" not in told:
            raise self._foreign()
        return str(told["id"])

    def _decoded(self, event: Event) -> object:
        """The JSON value in an event."""
        try:
            value: object = json.loads(event.text)
        except ValueError:
            raise self._foreign() from None
        return value

    def _call(self, method: str, path: str, body: object = None) -> bytes:
        """The body of a good answer."""
        connection = self._connection()
        self._kept = None
        try:
            with naming(self.target):
                response = self._check(self._send(connection, method, path, body))
                answer = response.read(LARGEST_ANSWER + 1)
                if response.length and len(answer) <= LARGEST_ANSWER:
                    raise IncompleteRead(b"", response.length)
        except CommandFault:
            connection.close()
            raise
        if len(answer) > LARGEST_ANSWER:
            connection.close()
            raise CommandFault(Exit.SERVER, "the answer is larger than this client takes")
        self._kept, self._used = connection, time.monotonic()
        return answer

    def _connection(self) -> HTTPConnection:
        """The kept connection while it is fresh, else a new one."""
        if self._kept is not None and time.monotonic() - self._used <= KEPT_FOR:
            return self._kept
        self.close()
        return connect(self.target.address, self._timeout)

    def _send(
        self,
        connection: HTTPConnection,
        method: str,
        path: str,
        body: object,
        headers: Mapping[str, str] | None = None,
    ) -> HTTPResponse:
        """Send a request and wait for the head of its answer."""
        fields = {"Accept": "application/json", "Accept-Encoding": "identity", **(headers or {})}
        if self._token is not None:
            fields["Authorization"] = f"Bearer {self._token}"
        octets = None
        if body is not None:
            octets = json.dumps(body).encode()
            fields["Content-Type"] = "application/json"
        elif method in {"POST", "PATCH"}:
            octets = b""
        prefix = "" if self.target.address.scheme == "unix" else self.target.address.path
        connection.request(method, prefix + path, octets, fields)
        return connection.getresponse()

    def _check(self, response: HTTPResponse) -> HTTPResponse:
        """
        *response*, where it is a good one.

        :raises CommandFault: what the daemon says is wrong.
        """
        if 200 <= response.status < 300:
            return response
        problem = _problem(response)
        code = exit_of_problem(response.status, problem)
        if response.status == 401:
            raise CommandFault(code, _refused(self.target))
        raise CommandFault(code, sentence_of_problem(response.status, problem))

    def close(self) -> None:
        """Close the kept connection."""
        if self._kept is not None:
            self._kept.close()
            self._kept = None


def _path(job_id: str) -> str:
    """The path of a job."""
    return f"/api/v1/jobs/{quote(job_id, safe='')}"


def _problem(response: HTTPResponse) -> Mapping[str, object] | None:
    """The problem+json of an answer, None where it is something else."""
    try:
        problem = json.loads(response.read(1 << 20))
    except ValueError:
        return None
    return problem if isinstance(problem, dict) and "status" in problem else None


def _refused(target: Target) -> str:
    """What to do about a 401."""
    if target.token_file is None:
        return f"{target.address} wants a token; give --token-file, or -c with its configuration"
    return (
        f"{target.address} refuses the token in {target.token_file}; is it the file that"
        " control.token_file of that daemon names?"
    )


class StreamEnded(Exception):
    """The stream of events broke off; what came is still good."""


class EventStream:
    """Events as they come; closes itself at the end of a ``with``."""

    def __init__(
        self, connection: HTTPConnection, response: HTTPResponse, last_id: str | None
    ) -> None:
        self._connection = connection
        self._response = response
        self._reader = EventReader()
        self._reader.last_id = last_id

    @property
    def last_id(self) -> str | None:
        """The id to start again after."""
        return self._reader.last_id

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._response.close()
        self._connection.close()

    def __iter__(self) -> Iterator[Event]:
        """
        The events.

        :raises StreamEnded: the daemon closed it, fell silent or sent nonsense.
        """
        try:
            while raw := self._response.readline(LONGEST_LINE + 1):
                event = self._reader.line(raw)
                if event is not None:
                    yield event
        except (OSError, HTTPException, MalformedStream) as error:
            raise StreamEnded(str(error)) from error
        raise StreamEnded("the daemon closed the stream")
