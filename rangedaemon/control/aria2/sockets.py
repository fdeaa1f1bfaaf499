"""
The resource that opens WebSocket sessions.

In a module of its own because the protocol's libraries take memory for which a daemon
without such a session has no use: `endpoint` imports it for the first one.
"""

from __future__ import annotations

from typing import Any

from twisted.web.server import NOT_DONE_YET, Request
from twisted.web.websocket import WebSocketResource

from rangedaemon.control.aria2.sessions import Sessions, SocketSession


class BoundedWebSocketResource(WebSocketResource):
    """Opens sessions, and counts what they send."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__(self)
        self._sessions = sessions

    def buildProtocol(self, request: Request) -> SocketSession:
        """A session, kept at hand for the counting."""
        self._latest = self._sessions.buildProtocol(request)
        return self._latest

    def render_GET(self, request: Request) -> bytes | int:
        """The handshake; from then on the octets go past the bound."""
        channel: Any = request.channel
        answer = super().render_GET(request)
        if answer is NOT_DONE_YET:
            session, deliver = self._latest, channel.dataReceived

            def bounded(octets: bytes) -> None:
                if session.arrived(len(octets)):
                    deliver(octets)

            channel.dataReceived = bounded
        return answer
