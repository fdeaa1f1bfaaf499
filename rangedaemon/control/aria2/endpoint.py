"""``/jsonrpc``: aria2's RPC by POST, by GET (with JSONP) and by WebSocket, on one path."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.resource import Resource
from twisted.web.server import Request

from rangedaemon import __version__
from rangedaemon.control.answers import Answer
from rangedaemon.control.aria2.dispatch import Dispatcher
from rangedaemon.control.aria2.downloads import Downloads
from rangedaemon.control.aria2.envelope import (
    Batch,
    Broken,
    Call,
    callback_name,
    http_status,
    read,
    read_query,
)
from rangedaemon.control.aria2.methods import Methods
from rangedaemon.control.aria2.notifications import Narrator
from rangedaemon.control.aria2.options import Defaults
from rangedaemon.control.aria2.questions import Questions
from rangedaemon.control.aria2.sessions import Sessions
from rangedaemon.control.intake import cut_off
from rangedaemon.control.ports import Jobs
from rangedaemon.control.problems import (
    MalformedRequest,
    MethodRefused,
    NotReady,
    UnknownPath,
    problem_answer,
)
from rangedaemon.control.routing import answer_with, finish_now, set_fields, write_head
from rangedaemon.control.slowdown import Slowdown
from rangedaemon.control.tokens import Keyring
from rangedaemon.core.patience import TooManyFailures
from rangedaemon.errors import Fault

if TYPE_CHECKING:
    from rangedaemon.control.aria2.sockets import BoundedWebSocketResource

MEDIA_TYPE = "application/json-rpc"
SHUTDOWN_DELAY = 1.0
"""Seconds between the answer and the stop, so that the answer arrives."""

_KEY_FIELD = b"Sec-WebSocket-Key"
_KEY = re.compile(rb"[A-Za-z0-9+/]{22}==")

_log = Logger()


class Endpoint(Resource):
    """The resource at ``/jsonrpc``."""

    isLeaf = True

    def __init__(self, dispatcher: Dispatcher, sessions: Sessions) -> None:
        Resource.__init__(self)
        self._dispatcher = dispatcher
        self._sessions = sessions

    def render(self, request: Request) -> bytes | int:
        """Answer, by whichever way it came."""
        _share(request)
        if request.postpath:
            return _refuse(request, UnknownPath("there is nothing below /jsonrpc"))
        if request.method == b"OPTIONS":
            return write_head(request, Answer(status=204, media_type=None))
        if request.method == b"POST":
            body: Any = request.content
            return self._call(request, read(body.read()), None)
        if request.method != b"GET":
            allowed = ("GET", "OPTIONS", "POST")
            return _refuse(request, MethodRefused("send POST, or open a WebSocket", allowed))
        if request.requestHeaders.hasHeader(b"Upgrade"):
            return self._upgrade(request)
        query = _query(request)
        return self._call(request, read_query(query), callback_name(query))

    def _upgrade(self, request: Request) -> bytes | int:
        if request.requestHeaders.getRawHeaders(b"Sec-WebSocket-Version", []) != [b"13"]:
            version = {"Sec-WebSocket-Version": "13"}
            return write_head(request, Answer(426, b"", "text/plain", version))
        if not _KEY.fullmatch(b",".join(request.requestHeaders.getRawHeaders(_KEY_FIELD, []))):
            return _refuse(request, MalformedRequest("Sec-WebSocket-Key is 16 octets in base64"))
        if self._sessions.full:
            return _refuse(request, NotReady("too many WebSocket sessions"))
        return self._socket.render_GET(request)

    @cached_property
    def _socket(self) -> BoundedWebSocketResource:
        from rangedaemon.control.aria2.sockets import (  # noqa: PLC0415 - for the first session
            BoundedWebSocketResource,
        )

        return BoundedWebSocketResource(self._sessions)

    def _call(self, request: Request, asked: Call | Broken | Batch, callback: str | None) -> int:
        return answer_with(
            request,
            self._answer(request, asked, callback),
            lambda answer: finish_now(request, write_head(request, answer)),
            lambda failure: _broke(request, failure),
        )

    async def _answer(
        self, request: Request, asked: Call | Broken | Batch, callback: str | None
    ) -> Answer:
        value = await self._dispatcher.answer(asked, self._sessions.session_of(request))
        text = json.dumps(value, separators=(",", ":"))
        kind = MEDIA_TYPE
        if callback is not None:
            text, kind = f"{callback}({text})", "text/javascript"
        return Answer(http_status(value), text.encode(), kind)


def _broke(request: Request, failure: Failure) -> None:
    channel: Any = request.channel
    if isinstance(failure.value, TooManyFailures):
        request.write(_refuse(request, failure.value))
        request.finish()
        channel.loseConnection()
    else:
        _log.failure("an RPC could not be answered", failure)
        cut_off(request)


def _refuse(request: Request, fault: Fault) -> bytes:
    return write_head(request, problem_answer(fault))


def _share(request: Request) -> None:
    """An Origin that the gate has let in may read the answer (Fetch, CORS protocol)."""
    origins = request.requestHeaders.getRawHeaders(b"Origin", [])
    if origins:
        fields = {
            "Access-Control-Allow-Origin": origins[0].decode("latin-1"),
            "Access-Control-Allow-Methods": "POST, GET, OPTIONS",
            "Access-Control-Allow-Headers": "content-type, authorization",
            "Access-Control-Max-Age": "86400",
            "Cross-Origin-Resource-Policy": "cross-origin",
            "Vary": "Origin",
        }
        set_fields(request, fields)


def _query(request: Request) -> dict[str, str]:
    return {
        name.decode("latin-1"): values[-1].decode("utf-8", "replace")
        for name, values in request.args.items()
    }


def build_endpoint(
    jobs: Jobs,
    *,
    keyring: Keyring,
    slowdown: Slowdown,
    defaults: Defaults,
    clock: IReactorTime,
    session_id: str,
    shutdown: Callable[[], None],
    notify_strangers: bool = False,
) -> tuple[Endpoint, Callable[[], None]]:
    """The resource, and what ends its sessions and stops it from listening to *jobs*."""

    def shut_down_soon() -> None:
        clock.callLater(SHUTDOWN_DELAY, shutdown)

    downloads = Downloads(jobs)
    methods = Methods(jobs, downloads, defaults, shut_down_soon)
    questions = Questions(jobs, downloads, defaults, session_id=session_id, version=__version__)
    table = {**methods.table(), **questions.table()}
    dispatcher = Dispatcher(table, keyring, slowdown, methods.add_many)
    sessions = Sessions(dispatcher, keyring, notify_strangers=notify_strangers)
    narrator = Narrator(sessions.notify, downloads.remember)
    unsubscribe = jobs.subscribe(narrator.happened)

    def stop() -> None:
        unsubscribe()
        sessions.close()

    return Endpoint(dispatcher, sessions), stop
