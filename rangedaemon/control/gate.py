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
from rangedaemon.control.intake import MAX_BODY, ControlRequest, cut_off
from rangedaemon.control.metrics import Meters
from rangedaemon.control.problems import (
    BodyTooLarge,
    MalformedRequest,
    NotReady,
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
        self._crowd = Unanswered()
        self._closed = False
        self._api = api
        self._branches = branches
        self._meters = meters
        self._fields = {"Server": server, **SECURITY_FIELDS}

    def render(self, request: ControlRequest) -> bytes | int:
        """Judge, then hand on."""
        request.notifyFinish().addBoth(lambda _: self._answered(request))
        set_fields(request, self._fields)
        try:
            self._insist_on_being_open()
            judge(asked_by(request), self._rules)
        except WrongToken as fault:
            return self._refuse_slowly(request, fault)
        except Fault as fault:
            return refuse(request, fault)
        self._crowd.enter(request)
        return self._hand_on(request)

    def _answered(self, request: ControlRequest) -> None:
        """Its answer is whole, or its caller has gone."""
        self._meters.count(request)
        self._crowd.leave(request)

    def _insist_on_being_open(self) -> None:
        """:raises NotReady: the daemon stops."""
        if self._closed:
            raise NotReady("the daemon is stopping")

    def change(self, rules: Rules) -> None:
        """
        Judge by *rules* from now on, also those who were let in before and still read.

        A change that was begun with a token that was valid then is answered.
        """
        self._rules = rules
        for request in self._crowd.requests:
            if request.method in (b"GET", b"HEAD") and not self._lets_in(request):
                cut_off(request)

    def _lets_in(self, request: ControlRequest) -> bool:
        try:
            judge(asked_by(request), self._rules)
        except Fault:
            return False
        return True

    def cut_off_all(self) -> None:
        """Answer nobody any more."""
        for request in self._crowd.requests:
            cut_off(request)

    def close(self) -> Deferred[None]:
        """Let nobody in any more; fires when all who were let in have their answers."""
        self._closed = True
        return self._crowd.gone()

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


class Unanswered:
    """The requests that were let in and have no whole answer yet (WebSockets never have one)."""

    def __init__(self) -> None:
        self._requests: set[ControlRequest] = set()
        self._waiters: list[Deferred[None]] = []

    @property
    def requests(self) -> list[ControlRequest]:
        """All of them."""
        return list(self._requests)

    def enter(self, request: ControlRequest) -> None:
        """One was let in."""
        if not request.requestHeaders.hasHeader(b"Upgrade"):
            self._requests.add(request)

    def leave(self, request: ControlRequest) -> None:
        """One has its answer, or was never let in."""
        self._requests.discard(request)
        self._tell()

    def gone(self) -> Deferred[None]:
        """Fires when there are none."""
        waiter: Deferred[None] = Deferred()
        self._waiters.append(waiter)
        self._tell()
        return waiter

    def _tell(self) -> None:
        while self._waiters and not self._requests:
            self._waiters.pop().callback(None)


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
