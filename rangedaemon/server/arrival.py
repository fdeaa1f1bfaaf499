"""
How the octets of a request's body arrive: block by block, as fast as they are taken.

twisted.web would keep a body until its last octet and only then show the request; here
whoever answers is asked when the head is there, and takes the body as it comes.  While
it takes nothing the transport is paused, so a body never holds more memory than one
read.  A client that waits for ``100 Continue`` gets it when somebody wants the octets,
and not before (RFC 9110, 10.1.1).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, Protocol, runtime_checkable

from twisted.internet import tcp
from twisted.internet.defer import Deferred
from twisted.web.http import Request

from rangedaemon.errors import Fault
from rangedaemon.storage.lanes import Hauled, Hauler, Lanes, Store, haul_plain

READ_SIZE: Final = 1024 * 1024
"""Octets of one read of a plain socket, where a body has at least so many or does not tell."""
TRIFLE: Final = 64 * 1024
"""Octets that are rather read and dropped than that their connection is given up."""


class BodyCut(Fault):
    """The connection ended before the body did, or the body was no HTTP."""

    code = "cut-short"
    title = "The connection was lost in the middle of the request"


class Taker(Protocol):
    """Where a body's octets go."""

    @property
    def full(self) -> bool:
        """Whether nothing more should come for now."""

    def push(self, block: bytes) -> None:
        """Take the next octets."""


@runtime_checkable
class Haulable(Protocol):
    """A taker whose octets may go past this process, see `rangedaemon.storage.lanes`."""

    def wanted(self) -> int:
        """How many octets may go there next by that way; 0: none."""

    async def haul(self, move: Callable[[Store, int], int], then: Callable[[int], None]) -> None:
        """Let *move* put the next octets where they belong; *then* is told how many."""


class _Nowhere:
    """Takes everything and keeps nothing."""

    full = False

    def push(self, block: bytes) -> None:
        """Drop it."""


class Body:
    """
    The octets of one request that are still to come.

    :param length: how many; None where the body is chunked.
    """

    def __init__(self, request: Request, length: int | None) -> None:
        self.length = length
        self.received = 0
        self._channel: Any = request.channel
        self._expects = _expects_continue(request)
        self._taker: Taker | None = None
        self._early: list[bytes] = []
        self._ended = length == 0
        self._fault: Fault | None = None
        """Why there will be no octets any more."""
        self._refusal: Fault | None = None
        """Why they are not wanted any more."""
        self._done: Deferred[None] | None = None
        self._hauler: Hauler | None = None
        self.held = False
        """Whether the peer is kept from sending more."""

    @property
    def ended(self) -> bool:
        """Whether the last octet was there."""
        return self._ended

    @property
    def busy(self) -> bool:
        """Whether octets that are there wait for us."""
        return self.held or (self._hauler is not None and self._hauler.under_way)

    @property
    def over(self) -> bool:
        """Whether nothing comes any more, one way or the other."""
        return self._ended or self._fault is not None

    @property
    def trifling(self) -> bool:
        """Whether what is still to come is worth being read although nobody wants it."""
        if self._ended:
            return True
        left = None if self.length is None else self.length - self.received
        return left is not None and left <= TRIFLE and not self._expects

    def into(self, taker: Taker) -> Deferred[None]:
        """
        Have the octets go to *taker*; fires when the last one went there.

        Fails with `BodyCut`, or with what `stop` is told.
        """
        done: Deferred[None] = Deferred()
        self._done, self._taker = done, taker
        self._ask()
        early, self._early = self._early, []
        for block in early:
            taker.push(block)
        why = self._fault or self._refusal
        if why is not None:
            self.stop(why)
        self._settle()
        self._have_hauled()
        self.drained()
        return done

    def _have_hauled(self) -> None:
        """Let a lane take the octets where they can go that way."""
        if isinstance(self._taker, Haulable) and self.length is not None and self._channel:
            self._hauler = hauler_on(self._channel, self._channel.site.lanes)
            if self._hauler is not None:
                self._hauler.serve(self)

    def _haul_no_more(self) -> None:
        hauler, self._hauler = self._hauler, None
        if hauler is not None:
            hauler.serve(None)

    # -- what the hauler asks ---------------------------------------------------------

    @property
    def paused(self) -> bool:
        """Whether the peer is held back."""
        return self.held

    def wanted(self) -> int:
        """How many octets may be hauled next."""
        if not isinstance(self._taker, Haulable) or self.length is None:
            return 0
        return min(self.length - self.received, self._taker.wanted())

    async def haul(
        self, move: Callable[[Store, int], int], deliver: Callable[[Hauled], None]
    ) -> None:
        """Have octets moved to the taker, then counted as if they had come."""
        if isinstance(self._taker, Haulable):
            await self._taker.haul(move, lambda count: deliver(Hauled(count)))

    async def dropped(self) -> None:
        """Wait for the end of octets that nobody wants; raises `BodyCut`."""
        self._expects, self._refusal = False, None
        await self.into(_Nowhere())

    def drained(self) -> None:
        """The taker takes more."""
        if self.held and (self._taker is None or not self._taker.full):
            self.held = False
            self._channel.read_on()

    def stop(self, fault: Fault) -> None:
        """Give the octets to nobody any more: whoever waits for their end gets *fault*."""
        self._taker, self._refusal = None, fault
        self._haul_no_more()
        done, self._done = self._done, None
        if done is not None:
            done.errback(fault)

    # -- what the request is told ---------------------------------------------------

    def arrived(self, block: bytes | Hauled) -> None:
        """The next octets came; those that were hauled are where they belong already."""
        self.received += len(block)
        if isinstance(block, Hauled):
            return
        if self._taker is None:
            self._early.append(block)
            self._hold()
            return
        self._taker.push(block)
        if self._taker is not None and self._taker.full:
            self._hold()

    def end(self) -> None:
        """The last octet was there."""
        self._ended = True
        self._haul_no_more()
        if self._channel is not None:
            narrow(self._channel.transport)
        self._settle()
        if self.held:
            self.held = False
            self._channel.read_on()

    def lost(self) -> None:
        """The connection is gone."""
        self.held = False
        self._channel = None
        if not self._ended and self._fault is None:
            self._fault = BodyCut("the connection was lost in the middle of the request")
            self.stop(self._fault)

    def _settle(self) -> None:
        if self._ended and self._taker is not None:
            self._taker = None
            done, self._done = self._done, None
            if done is not None:
                done.callback(None)

    def _hold(self) -> None:
        if not self.held and not self._ended and self._channel is not None:
            self.held = True
            self._channel.read_no_more()

    def _ask(self) -> None:
        """Tell a client that waits that its octets are wanted."""
        if self._channel is None:
            return
        if self._expects and not self.received:
            self._channel.tell(b"HTTP/1.1 100 Continue\r\n\r\n")
        self._expects = False
        if self.length is None or self.length >= READ_SIZE:
            widen(self._channel.transport)


def hauler_on(channel: Any, lanes: Lanes) -> Hauler | None:
    """The hauler of a connection, made with its first large body; None where there can be none."""
    line = channel.transport
    if isinstance(line, tcp.Connection) and not line.TLS and not hasattr(line, "hauler"):
        haul_plain(channel, lanes)
    found = getattr(line, "hauler", None)
    return found if isinstance(found, Hauler) else None


def widen(transport: object) -> None:
    """Read much at once from a plain socket."""
    if isinstance(transport, tcp.Connection) and not transport.TLS:
        transport.bufferSize = READ_SIZE


def narrow(transport: object) -> None:
    """Read as much at once as everywhere."""
    if isinstance(transport, tcp.Connection):
        transport.__dict__.pop("bufferSize", None)


def _expects_continue(request: Request) -> bool:
    """Whether the client sends no octet before it is told to."""
    told = request.requestHeaders.getRawHeaders(b"Expect") or [b""]
    return told[0].lower() == b"100-continue" and request.clientproto == b"HTTP/1.1"
