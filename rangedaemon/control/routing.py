"""
Routes: from a table of our own to Klein, and from `Answer` to the wire.

The only import of Klein.  A handler is a coroutine from `Incoming` to an `Answer`
(or to a resource that answers by itself).  What a handler has begun it finishes,
even where the caller hangs up: Klein cancels, and half a change would be left.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from klein import Klein
from pydantic import BaseModel
from twisted.internet.defer import CancelledError, Deferred
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource
from twisted.web.server import NOT_DONE_YET, Request
from werkzeug.exceptions import HTTPException, MethodNotAllowed

from rangedaemon.control.answers import Answer
from rangedaemon.control.intake import ControlRequest, cut_off
from rangedaemon.control.problems import (
    MalformedRequest,
    MethodRefused,
    NotReady,
    UnknownPath,
    problem_answer,
    unforeseen_answer,
)
from rangedaemon.errors import Complaint, Fault, InvalidInput

T = TypeVar("T")
_log = Logger()


@dataclass(frozen=True, slots=True)
class Incoming:
    """A request that was let in: the parameters of its path, its query, its body."""

    path: Mapping[str, str]
    query: Mapping[str, str]
    body: bytes
    request: ControlRequest


Handler = Callable[[Incoming], Awaitable[Answer | IResource | None]]
"""None: the handler has answered by itself."""


@dataclass(frozen=True, slots=True)
class Route:
    """One row of the API's table; what is said here is what the description says."""

    method: str
    path: str
    handler: Handler
    summary: str
    answer: type | None = None
    status: int = 200
    body: type[BaseModel] | None = None
    other_bodies: Sequence[type[BaseModel]] = ()
    """What the body may be in place of *body*."""
    many: bool = False
    """Whether the body may be a list of them too."""
    query: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    """JSON Schema of each query parameter; others are refused."""
    media_type: str = "application/json"
    refusals: Sequence[int] = ()
    """The statuses that it may refuse with, besides those that any row may."""


class Router:
    """Klein, typed; paths without parameters are answered without looking through its rules."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self._app: Any = Klein()
        self._app.url_map.merge_slashes = False
        self._app.url_map.strict_slashes = False
        for number, route in enumerate(routes):
            self._add(f"r{number}", route)
        plain = (route for route in routes if "{" not in route.path)
        self._plain = {(route.method.encode(), route.path.encode()): route for route in plain}
        for kind, on_error in _ON_ERROR:
            self._app.handle_errors(kind)(on_error)

    def resource(self) -> IResource:
        """The leaf that answers all paths."""
        return Shortcut(self._plain, self._app.resource())

    def _add(self, name: str, route: Route) -> None:
        def endpoint(request: ControlRequest, **path: str) -> Deferred[bytes | IResource | None]:
            # A plain function: Klein keeps the Deferred, and `shielded` guards the coroutine.
            return shielded(Deferred.fromCoroutine(_run(route, request, path)))

        path = route.path.replace("{", "<").replace("}", ">")
        self._app.route(path, methods=[route.method], endpoint=name)(endpoint)


class Shortcut(Resource):
    """What Klein would do for paths without parameters, at a third of the cost."""

    isLeaf = True

    def __init__(self, plain: Mapping[tuple[bytes, bytes], Route], others: Any) -> None:
        Resource.__init__(self)
        self._plain = plain
        self._others = others

    def render(self, request: ControlRequest) -> bytes | int:
        """Answer by the route of this very path, or let Klein find one."""
        route = self._plain.get((request.method, request.path))
        if route is None:
            return cast("bytes | int", self._others.render(request))
        return answer_with(
            request,
            _run(route, request, {}),
            lambda outcome: _send(request, outcome),
            lambda failure: _send(request, _on_failure(request, failure)),
        )


def _send(request: Any, outcome: bytes | IResource | None) -> None:
    """Send what is left to be sent."""
    if isinstance(outcome, bytes):
        finish_now(request, outcome)
    elif outcome is not None:
        request.render(outcome)


def finish_now(request: Any, octets: bytes) -> None:
    """Write the last octets of an answer; the caller has them before we clear up."""
    request.channel.write_together(request.write, octets)
    request.finish()


def _on_failure(request: ControlRequest, failure: Failure) -> bytes | None:
    on_error = next(act for kind, act in _ON_ERROR if failure.check(kind))
    return on_error(request, failure)


async def _run(
    route: Route, request: ControlRequest, path: Mapping[str, str]
) -> bytes | IResource | None:
    incoming = Incoming(path, query_of(request, route), request.content.read(), request)
    answer = await route.handler(incoming)
    return write_head(request, answer) if isinstance(answer, Answer) else answer


def query_of(request: ControlRequest, route: Route) -> Mapping[str, str]:
    """The query, each name known and once. :raises InvalidInput: otherwise."""
    wrong: list[Complaint] = []
    found: dict[str, str] = {}
    for name, values in request.args.items():
        text = name.decode("utf-8", "replace")
        if text not in route.query:
            wrong.append(Complaint(f"query.{text[:100]}", "unknown parameter"))
        elif len(values) != 1:
            wrong.append(Complaint(f"query.{text}", "there more than once"))
        else:
            found[text] = values[0].decode("utf-8", "replace")
    if wrong:
        raise InvalidInput(wrong[:20])
    return found


def write_head(request: Request, answer: Answer) -> bytes:
    """Set status and fields; returns the octets that are still to be written."""
    request.setResponseCode(answer.status)
    if answer.media_type is not None:
        request.setHeader("Content-Type", answer.media_type)
        request.setHeader("Content-Length", str(len(answer.body)))
    set_fields(request, answer.fields)
    return answer.body


def set_fields(request: Request, fields: Mapping[str, str]) -> None:
    """Set response fields."""
    for name, value in fields.items():
        request.setHeader(name, value)


def answer_with(
    request: Request,
    work: Coroutine[Any, Any, T],
    send: Callable[[T], None],
    refuse: Callable[[Failure], None],
) -> int:
    """
    Do *work*, then *send* what it comes to, or *refuse*.

    What was begun is finished even where the caller hangs up; then nobody is answered.
    """

    def done(outcome: T | Failure) -> None:
        if getattr(request, "channel", None) is None:
            _note_unforeseen(outcome)
        elif isinstance(outcome, Failure):
            refuse(outcome)
        else:
            send(outcome)

    Deferred.fromCoroutine(work).addBoth(done)
    return NOT_DONE_YET


def _note_unforeseen(outcome: object) -> None:
    if isinstance(outcome, Failure) and not outcome.check(Fault, CancelledError):
        _log.failure("Failed after the caller had hung up", outcome)


def shielded(inner: Deferred[T]) -> Deferred[T]:
    """A Deferred that may be cancelled without cancelling *inner*."""
    outer: Deferred[T] = Deferred()

    def pass_on(result: T | Failure) -> None:
        if not outer.called:
            outer.callback(result)  # a Failure becomes an errback
        else:
            _note_unforeseen(result)

    inner.addBoth(pass_on)
    return outer


def _on_fault(request: ControlRequest, failure: Failure) -> bytes | None:
    fault = failure.value
    if not isinstance(fault, Fault):
        raise TypeError(fault)
    if fault.status >= 500 and not isinstance(fault, NotReady):
        _log.warn("{method} {path} failed: {fault}", **_told(request), fault=fault.detail)
    return _refuse(request, problem_answer(fault))


def _on_unrouted(request: ControlRequest, failure: Failure) -> bytes | None:
    fault: Fault
    match failure.value:
        case MethodNotAllowed() as refused:
            allowed = tuple(sorted(refused.valid_methods or ()))
            fault = MethodRefused(f"this path takes {', '.join(allowed)}", allowed)
        case HTTPException(code=404):
            fault = UnknownPath("there is nothing at this path")
        case _:
            fault = MalformedRequest("this request cannot be routed")
    return _refuse(request, problem_answer(fault))


def _on_unforeseen(request: ControlRequest, failure: Failure) -> bytes | None:
    told = _told(request)
    _log.failure("{method} {path} failed", failure, method=told["method"], path=told["path"])
    return _refuse(request, unforeseen_answer())


def _refuse(request: ControlRequest, answer: Answer) -> bytes | None:
    """Say no; where an answer has begun already all that is left is to cut it off."""
    if request.startedWriting:
        cut_off(request)
        return None
    return write_head(request, answer)


def _told(request: ControlRequest) -> dict[str, str]:
    return {
        "method": request.method.decode("ascii", "replace"),
        "path": request.path.decode("ascii", "replace"),
    }


_ON_ERROR: Sequence[tuple[type[Exception], Callable[..., bytes | None]]] = (
    (Fault, _on_fault),
    (HTTPException, _on_unrouted),
    (Exception, _on_unforeseen),
)
"""Klein asks them in this order."""
