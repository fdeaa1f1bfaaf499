"""
WebSocket sessions: requests in their order, notifications to those who showed a token.

twisted.web.websocket sets no bound on a message, so one is set here on what comes
between two whole ones.  A session that does not read is cut off.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IPushProducer
from twisted.logger import Logger
from twisted.python.failure import Failure
from twisted.web.server import Request
from zope.interface import implementer

from rangedaemon.control.access import bearer
from rangedaemon.control.aria2.dispatch import Dispatcher, Session
from rangedaemon.control.aria2.envelope import notification, read
from rangedaemon.control.intake import MAX_BODY, cut_off
from rangedaemon.control.slowdown import peer_at
from rangedaemon.control.tokens import Keyring
from rangedaemon.core.patience import TooManyFailures

if TYPE_CHECKING:
    from twisted.web.websocket import WebSocketTransport

MAX_SESSIONS = 200
MAX_BACKLOG = 2 * MAX_BODY
"""Octets of requests of one session that may wait for their turn."""

_log = Logger()


def session_of(request: Request, keyring: Keyring) -> Session:
    """A session for *request*; a bearer token in it holds for all of its calls."""
    lines = request.requestHeaders.getRawHeaders(b"Authorization", [])
    token = bearer([line.decode("latin-1") for line in lines])
    principal = keyring.admit(token) if token is not None else None
    return Session(principal, shown=principal, peer=peer_at(request))


class Sessions:
    """All open sessions; the factory of `WebSocketResource`."""

    def __init__(
        self, dispatcher: Dispatcher, keyring: Keyring, *, notify_strangers: bool = False
    ) -> None:
        self._dispatcher = dispatcher
        self._keyring = keyring
        self._notify_strangers = notify_strangers
        self._open: set[SocketSession] = set()

    @property
    def full(self) -> bool:
        """Whether one more session would be too many."""
        return len(self._open) >= MAX_SESSIONS

    def buildProtocol(self, request: Request) -> SocketSession:
        """A session for *request*."""
        session = self.session_of(request)
        return SocketSession(request, session, self._dispatcher, self._open)

    def session_of(self, request: Request) -> Session:
        """Who asks by *request*."""
        return session_of(request, self._keyring)

    def notify(self, method: str, gid: str) -> None:
        """Tell every session that has shown a token (or all of them, if so configured)."""
        message = notification(method, gid)
        for each in tuple(self._open):
            if self._notify_strangers or self._knows(each.session):
                each.tell(message)

    def _knows(self, session: Session) -> bool:
        return session.shown is not None and self._keyring.holds(session.shown)

    def close(self) -> None:
        """End every session: the daemon stops."""
        for each in tuple(self._open):
            each.close()


@implementer(IPushProducer)
class SocketSession:
    """One WebSocket connection."""

    _transport: WebSocketTransport

    def __init__(
        self,
        request: Request,
        session: Session,
        dispatcher: Dispatcher,
        registry: set[SocketSession],
    ) -> None:
        self.session = session
        self._request = request
        self._dispatcher = dispatcher
        self._registry = registry
        self._backlog: deque[str] = deque()
        self._waiting = 0
        self._busy = False
        self._paused = False
        self._gone = False
        self.unfinished = 0
        """Octets that came since the last whole message."""

    # -- the connection -----------------------------------------------------------

    def negotiationStarted(self, transport: WebSocketTransport) -> None:  # noqa: N802
        """The handshake is under way."""
        self._transport = transport

    def negotiationFinished(self) -> None:  # noqa: N802
        """The connection is open."""
        self._registry.add(self)
        self._request.registerProducer(self, True)

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002
        """The connection is gone."""
        self._gone = True
        self._registry.discard(self)
        self._backlog.clear()

    def pongReceived(self, payload: bytes) -> None:
        """Nothing hangs on it."""

    def close(self) -> None:
        """End it properly."""
        if not self._gone:
            self._gone = True
            self._registry.discard(self)
            self._quietly(lambda: self._transport.loseConnection(1001))

    def cut(self) -> None:
        """End it at once."""
        self._gone = True
        self._registry.discard(self)
        self._backlog.clear()
        cut_off(self._request)

    def pauseProducing(self) -> None:
        """The peer does not read."""
        self._paused = True

    def resumeProducing(self) -> None:
        """It reads again."""
        self._paused = False
        self._work()

    def stopProducing(self) -> None:
        """The connection is lost."""
        self._gone = True

    # -- messages -------------------------------------------------------------------

    def arrived(self, count: int) -> bool:
        """Count octets as they come; False (and cut off) where a message has no end."""
        self.unfinished += count
        if self.unfinished > MAX_BODY:
            self.cut()
        return not self._gone

    def textMessageReceived(self, message: str) -> None:
        """A request."""
        self.unfinished = 0
        self._waiting += len(message)
        self._backlog.append(message)
        if self._waiting > MAX_BACKLOG:
            self.cut()
        self._work()

    def bytesMessageReceived(self, data: bytes | bytearray) -> None:
        """A request in a binary frame, which aria2 takes too."""
        self.textMessageReceived(bytes(data).decode("utf-8", "replace"))

    def tell(self, message: str) -> None:
        """Send a notification; whoever does not read is cut off rather than buffered for."""
        if self._paused:
            self.cut()
        elif not self._gone:
            self._quietly(lambda: self._transport.sendTextMessage(message))

    def _work(self) -> None:
        if not (self._busy or self._paused or self._gone) and self._backlog:
            self._busy = True
            done = Deferred.fromCoroutine(self._answer_all())
            done.addErrback(lambda failure: _log.failure("a session broke", failure))

    async def _answer_all(self) -> None:
        """One request after the other; no more while the peer does not read."""
        try:
            while self._backlog and not (self._paused or self._gone):
                message = self._backlog.popleft()
                self._waiting -= len(message)
                await self._answer(message)
        finally:
            self._busy = False

    async def _answer(self, message: str) -> None:
        request = read(message.encode("utf-8", "surrogatepass"))
        try:
            answer = await self._dispatcher.answer(request, self.session)
        except TooManyFailures:
            self.cut()
            return
        text = json.dumps(answer, separators=(",", ":"))
        if not self._gone:
            self._quietly(lambda: self._transport.sendTextMessage(text))

    def _quietly(self, send: Callable[[], None]) -> None:
        """Send; a connection that is closing takes nothing any more, and need not."""
        from wsproto.utilities import LocalProtocolError  # noqa: PLC0415 - see `sockets`

        try:
            send()
        except LocalProtocolError:
            self._gone = True
            self._registry.discard(self)
