"""
One connection to an upload server, as octets and events of HTTP/1.1 (h11).

Twisted's own client tells nobody of an answer that comes before the request is sent as a
whole, nor of any 1xx.  An upload needs both: a refusal is told while most of the body is
still ours, and then not another octet should leave.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import aclosing, suppress
from typing import Any, cast

import h11
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IPushProducer, IReactorTime
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rangedaemon.client.push.body import Body
from rangedaemon.errors import BadResponse, Fault, TimedOut, Unreachable

MOST_UNSENT = 256 * 1024
"""Octets that the kernel takes from us ahead of the network."""
MOST_TEXT = 4096
"""Octets of an answer's body that are kept."""
MOST_BODY = 256 * 1024
"""Octets of an answer's body that are read for the sake of its connection."""


class Heard:
    """A final answer as it comes in."""

    def __init__(self, head: h11.Response, *, early: bool) -> None:
        self.head = head
        self.body = b""
        self.length = 0
        self.early = early
        """Whether it came before the request had been sent as a whole."""


@implementer(IPushProducer)
class Wire(Protocol):
    """One connection; one request at a time."""

    def __init__(self, clock: IReactorTime, *, stall_timeout: float, answer_timeout: float) -> None:
        """
        :param stall_timeout: seconds for which the peer may take nothing.
        :param answer_timeout: seconds from the end of a request to the end of its answer.
        """
        self.idle: Callable[[], None] = lambda: None
        """Called when the peer closes, or says something, while nothing was asked."""
        self._clock = clock
        self._stall_timeout = stall_timeout
        self._answer_timeout = answer_timeout
        self._http = h11.Connection(h11.CLIENT, max_incomplete_event_size=64 * 1024)
        self._answer: Deferred[Heard] | None = None
        self._heard: Heard | None = None
        self._room: Deferred[None] | None = None
        self._full = False
        self._timer: IDelayedCall | None = None

    # -- one request ------------------------------------------------------------------

    async def ask(self, request: h11.Request, body: Body | None) -> Heard:
        """
        Send a request; its final answer.

        :raises Unreachable, TimedOut, BadResponse: none came.
        :raises Fault: the body's octets could not be had.
        """
        self._heard = None
        answer = self._answer = Deferred()
        try:
            self._write(self._http.send(request))
            if body is not None:
                await self._pump(body)
            if not self._over:
                self._write(self._http.send(h11.EndOfMessage()))
            self._watch(self._answer_timeout, "no answer")
            return await answer
        except BaseException:
            answer.addErrback(lambda _failure: None)  # it is told of already, or not wanted
            self.abort()
            raise
        finally:
            self._answer = None
            self._unwatch()

    async def _pump(self, body: Body) -> None:
        """Send the body's octets as the peer takes them, until it has answered."""
        transport = cast("Any", self.transport)
        transport.registerProducer(self, True)
        try:
            async with aclosing(body.blocks()) as blocks:
                async for block in blocks:
                    if self._over:
                        break
                    self._write(self._http.send(h11.Data(data=block)))
                    await self._taken()
                    body.taken(len(block))
        finally:
            transport.unregisterProducer()

    async def _taken(self) -> None:
        """Return when the peer has taken most of what was written."""
        if not self._full or self._over:
            return
        self._watch(self._stall_timeout, "nothing taken")
        self._room = Deferred()
        try:
            await self._room
        finally:
            self._room = None
            self._unwatch()

    @property
    def _waiting(self) -> bool:
        """Whether an answer is due."""
        return self._answer is not None and not self._answer.called

    @property
    def _over(self) -> bool:
        """Whether it makes no sense to send on."""
        return self._heard is not None or not self._waiting

    @property
    def reusable(self) -> bool:
        """Whether another request may follow; makes it ready for that one."""
        try:
            self._http.start_next_cycle()
        except h11.LocalProtocolError:
            return False
        return self.connected == 1

    def abort(self) -> None:
        """Close at once, whatever is on its way."""
        if self.transport is not None:
            cast("Any", self.transport).abortConnection()

    # -- back-pressure and silence ----------------------------------------------------

    def pauseProducing(self) -> None:
        """The transport has enough for now."""
        self._full = True

    def resumeProducing(self) -> None:
        """It wants more."""
        self._full = False
        self._go_on()

    def stopProducing(self) -> None:
        """The connection is gone; `connectionLost` tells more."""

    def _go_on(self) -> None:
        if self._room is not None and not self._room.called:
            self._room.callback(None)

    def _watch(self, seconds: float, what: str) -> None:
        self._unwatch()
        self._timer = self._clock.callLater(seconds, self._silent, what, seconds)

    def _unwatch(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None

    def _silent(self, what: str, seconds: float) -> None:
        self._fail(TimedOut(f"{what} within {seconds:g} s"))

    # -- what comes in ----------------------------------------------------------------

    def connectionMade(self) -> None:
        """Let the kernel take little ahead, so that what it took is what the peer takes."""
        option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
        handle = getattr(self.transport, "getHandle", None)
        if option is not None and handle is not None:
            with suppress(OSError, AttributeError):  # a Unix socket, say
                handle().setsockopt(socket.IPPROTO_TCP, option, MOST_UNSENT)

    def dataReceived(self, data: bytes) -> None:
        """Octets of an answer."""
        if self._answer is None:
            self.abort()  # nobody asked
            return
        self._http.receive_data(data)
        self._read_events()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The end of the connection ends an answer without length, and breaks any other."""
        if self._waiting and self._heard is not None:
            self._http.receive_data(b"")
            self._read_events()
        if self._waiting and self._heard is not None and self._heard.early:
            self._finish()  # its head says all that matters
        self._fail(Unreachable(f"the connection broke: {reason.getErrorMessage()}"))
        self.idle()

    def _read_events(self) -> None:
        try:
            while self._waiting:
                event = self._http.next_event()
                if event is h11.NEED_DATA or event is h11.PAUSED:
                    return
                self._take(event)
        except h11.RemoteProtocolError as error:
            if self._heard is None:
                self._fail(BadResponse(f"the answer is not HTTP: {error}"))

    def _take(self, event: object) -> None:
        match event:
            case h11.InformationalResponse():
                pass  # a piece is short: its final answer tells soon enough what arrived
            case h11.Response():
                self._heard = Heard(event, early=self._http.our_state is h11.SEND_BODY)
                self._go_on()
            case h11.Data():
                self._keep(bytes(event.data))
            case h11.EndOfMessage():
                self._finish()
            case _:
                self._fail(Unreachable("the server closed the connection"))

    def _keep(self, data: bytes) -> None:
        heard = self._heard
        if heard is None:
            return
        heard.length += len(data)
        heard.body += data[: MOST_TEXT - len(heard.body)]
        if heard.length > MOST_BODY:
            self._finish()  # a page for people; its connection is not worth the rest

    def _finish(self) -> None:
        if self._answer is not None and self._heard is not None and self._waiting:
            self._answer.callback(self._heard)

    def _fail(self, fault: Fault) -> None:
        self._go_on()
        if self._answer is not None and self._waiting:
            self._answer.errback(fault)

    def _write(self, octets: bytes | None) -> None:
        if octets and self.transport is not None:
            self.transport.write(octets)
