"""
The gate before all routes: judges every request, then hands it on.

Says no in the one form of the API's errors; counts what was answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast
from urllib.parse import unquote_to_bytes

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure
from twisted.web.resource import IResource, Resource, getChildForRequest
from twisted.web.server import NOT_DONE_YET, Request

from rangedaemon.control.access import Asked, Rules, judge
from rangedaemon.control.answers import Answer
from rangedaemon.control.intake import MAX_BODY, ControlRequest
from rangedaemon.control.metrics import Meters
from rangedaemon.control.problems import (
    BodyTooLarge,
    MalformedRequest,
    WrongToken,
    problem_answer,
)
from rangedaemon.control.routing import set_fields, write_head
from rangedaemon.control.slowdown import Slowdown, peer_at
from rangedaemon.core.patience import TooManyFailures
from rangedaemon.errors import Fault

SECURITY_FIELDS = {
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Gate(Resource):
    """The root resource of the control site."""

    isLeaf = True

    def __init__(
        self,
        rules: Rules,
        api: IResource,
        branches: Mapping[bytes, IResource],
        meters: Meters,
        slowdown: Slowdown,
        server: str,
    ) -> None:
        Resource.__init__(self)
        self._slowdown = slowdown
        self._rules = rules
        self._api = api
        self._branches = branches
        self._meters = meters
        self._fields = {"Server": server, **SECURITY_FIELDS}

    def render(self, request: ControlRequest) -> bytes | int:
        """Judge, then hand on."""
        self._meters.watch(request)
        set_fields(request, self._fields)
        try:
            judge(asked_by(request), self._rules)
        except WrongToken as fault:
            return self._refuse_slowly(request, fault)
        except Fault as fault:
            return refuse(request, fault)
        return self._hand_on(request)

    def _refuse_slowly(self, request: Request, fault: WrongToken) -> int:
        waited = Deferred.fromCoroutine(self._slowdown.wait(peer_at(request)))
        request.notifyFinish().addErrback(lambda _: waited.cancel())
        waited.addCallback(lambda _: _finish(request, fault))
        waited.addErrback(lambda failure: _hang_up(request, failure))
        return NOT_DONE_YET

    def _hand_on(self, request: Request) -> bytes | int:
        segments = request.postpath or [b""]
        branch = self._branches.get(segments[0])
        if branch is None:
            return cast("bytes | int", self._api.render(request))
        request.prepath = [segments.pop(0)]
        request.render(getChildForRequest(branch, request))
        return NOT_DONE_YET


def _finish(request: Request, fault: Fault) -> None:
    request.write(refuse(request, fault))
    request.finish()


def _hang_up(request: Request, failure: Failure) -> None:
    """Too many wait: say so, and let the next guess cost a connection."""
    if isinstance(failure.value, TooManyFailures):
        channel = request.channel
        _finish(request, failure.value)
        channel.loseConnection()
    else:
        failure.trap(CancelledError)


def refuse(request: Request, fault: Fault) -> bytes:
    """Answer *fault* at once."""
    answer: Answer = problem_answer(fault)
    return write_head(request, answer)


def asked_by(request: ControlRequest) -> Asked:
    """
    What the request says about itself.

    :raises MalformedRequest: its method or path is not text.
    :raises BodyTooLarge: its body is beyond the bound.
    """
    if request.overflowed:
        raise BodyTooLarge(f"at most {MAX_BODY} octets")
    if not request.path.startswith(b"/"):
        raise MalformedRequest("a request target starts with a slash (RFC 9112, 3.2.1)")
    try:
        path = unquote_to_bytes(request.path).decode("utf-8")
        method = request.method.decode("ascii")
    except UnicodeDecodeError as broken:
        raise MalformedRequest("the path must be UTF-8, the method ASCII") from broken
    return Asked(
        method=method,
        path=path,
        hosts=_lines(request, b"Host"),
        origins=_lines(request, b"Origin"),
        fetch_sites=_lines(request, b"Sec-Fetch-Site"),
        authorizations=_lines(request, b"Authorization"),
        content_types=_lines(request, b"Content-Type"),
        has_body=len(request.content.getbuffer()) > 0,
    )


def _lines(request: ControlRequest, name: bytes) -> list[str]:
    lines = request.requestHeaders.getRawHeaders(name, [])
    return [line.decode("latin-1") for line in lines]
