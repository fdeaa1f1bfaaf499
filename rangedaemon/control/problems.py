"""
Faults as HTTP answers: ``application/problem+json`` (RFC 9457).

The one place that maps `rangedaemon.errors` to the wire.  What nobody foresaw
becomes a bare 500; its traceback goes to the log, never to the caller.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

from pydantic import BaseModel

from rangedaemon.control.answers import PROBLEM, Answer, json_octets
from rangedaemon.control.redaction import shown
from rangedaemon.core.patience import TooManyFailures
from rangedaemon.errors import ClientFault, Complaint, Fault, InvalidInput


class ProblemError(BaseModel):
    """One thing wrong with the input."""

    loc: str
    msg: str


class Problem(BaseModel):
    """The problem object of RFC 9457, with the fault's word and the input's faults."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    errors: list[ProblemError] | None = None


class MalformedJSON(ClientFault):
    """A body that is not the JSON text that was promised."""

    code = "malformed-json"
    title = "The body is not JSON"


class MalformedRequest(ClientFault):
    """A request that cannot be understood as HTTP."""

    code = "malformed-request"
    title = "Malformed request"


class UnknownPath(ClientFault):
    """Nothing is there."""

    code = "unknown-path"
    title = "No such path"
    status = 404


class MethodRefused(ClientFault):
    """The path is there, but not for this method."""

    code = "method-not-allowed"
    title = "Method not allowed"
    status = 405

    def __init__(self, message: str, allowed: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allowed = allowed


class BodyTooLarge(ClientFault):
    """More octets than a request to the control API may have."""

    code = "body-too-large"
    title = "The body is too large"
    status = 413


class WrongMediaType(ClientFault):
    """A body of another media type than ``application/json``."""

    code = "wrong-media-type"
    title = "The body must be application/json"
    status = 415


class NotAuthenticated(ClientFault):
    """No token, or one that we did not give out."""

    code = "not-authenticated"
    title = "A valid token is needed"
    status = 401


class WrongToken(NotAuthenticated):
    """A token was shown that we did not give out: perhaps a guess."""


class Forbidden(ClientFault):
    """Asked from where, or for what, the caller may not."""

    code = "forbidden"
    title = "Not allowed"
    status = 403


class NotReady(Fault):
    """The daemon is starting or stopping."""

    code = "not-ready"
    title = "Starting or stopping"
    status = 503


def problem_answer(fault: Fault) -> Answer:
    """The answer that tells *fault* to the caller."""
    problem = Problem(
        type=f"urn:rangedaemon:problem:{fault.code}",
        title=fault.title,
        status=fault.status,
        detail=shown(fault.detail),
        code=fault.code,
        errors=_errors(fault),
    )
    body = problem.model_dump_json(exclude_none=True).encode()
    return Answer(fault.status, body, PROBLEM, _fields(fault))


def unforeseen_answer() -> Answer:
    """500 without details, for what no fault of ours describes."""
    status = HTTPStatus.INTERNAL_SERVER_ERROR
    body = {
        "type": "about:blank",
        "title": status.phrase,
        "status": status.value,
        "detail": "An unforeseen error; the daemon's log has the details.",
        "code": "internal",
    }
    return Answer(status.value, json_octets(body), PROBLEM)


def _errors(fault: Fault) -> list[ProblemError] | None:
    if not isinstance(fault, InvalidInput):
        return None
    return [_error(complaint) for complaint in fault.complaints]


def _error(complaint: Complaint) -> ProblemError:
    return ProblemError(loc=shown(complaint.loc), msg=shown(complaint.msg))


def _fields(fault: Fault) -> Mapping[str, str]:
    match fault:
        case NotAuthenticated():
            return {"WWW-Authenticate": 'Bearer realm="rangedaemon"'}
        case MethodRefused():
            return {"Allow": ", ".join(fault.allowed)}
        case NotReady():
            return {"Retry-After": "1"}
        case TooManyFailures():
            return {"Retry-After": "30"}
    return {}
