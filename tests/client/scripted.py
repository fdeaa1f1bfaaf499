"""
An origin in memory, at the agent's seam: tests say what it answers, block by block.

An `Exchange` is one request and what becomes of it.  A script is called with each
new one; without a script the test answers by hand.  Cancelling behaves as the real
agent does: not with CancelledError, but with the failure of a connection.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IPushProducer
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import ResponseDone, ResponseFailed, ResponseNeverReceived
from twisted.web.http import PotentialDataLoss
from twisted.web.http_headers import Headers
from twisted.web.iweb import UNKNOWN_LENGTH, IAgent, IResponse
from zope.interface import implementer

from rangedaemon.core.intervals import ByteRange

FULL = "Sun, 06 Nov 1994 08:49:37 GMT"
HOUR_LATER = "Sun, 06 Nov 1994 09:49:37 GMT"


@implementer(IPushProducer)
class Connection:
    """The transport that a body's protocol sees."""

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def pauseProducing(self) -> None:
        """Nothing comes until it is resumed."""
        self._exchange.paused = True

    def resumeProducing(self) -> None:
        """What was held back comes now."""
        self._exchange.paused = False
        self._exchange.flow()

    def stopProducing(self) -> None:
        """The client closes the connection; it hears of the end a moment later."""
        self._exchange.close()


@dataclass
class _Asked:
    """What treq wants to know of a response's request."""

    absoluteURI: bytes  # noqa: N815
    method: bytes = b"GET"


@implementer(IResponse)
class Response:
    """The head of an answer."""

    version = (b"HTTP", 1, 1)
    phrase = b"scripted"
    previousResponse = None  # noqa: N815

    def __init__(
        self, exchange: Exchange, status: int, fields: dict[str, str], length: int | None
    ) -> None:
        self.code = status
        self.headers = Headers({name: [value] for name, value in fields.items()})
        self.length = UNKNOWN_LENGTH if length is None else length
        self.request = _Asked(exchange.url.encode("ascii"))
        self._exchange = exchange

    def deliverBody(self, protocol: IProtocol) -> None:
        """The body may come."""
        self._exchange.deliver_to(protocol)

    def setPreviousResponse(self, response: IResponse) -> None:
        """Nobody asks for it."""


class Exchange:
    """One request and its answer."""

    def __init__(self, clock: Clock, url: str, headers: Headers) -> None:
        self.url = url
        self.headers = headers
        self.head: Deferred[IResponse] = Deferred(self._cancelled)
        self.paused = False
        self.closed = False
        """Whether the client closed it."""
        self.ended = False
        self._clock = clock
        self._blocks: list[bytes] = []
        self._end: Failure | None = None
        self._protocol: IProtocol | None = None

    # -- what was asked ----------------------------------------------------------

    def asked(self, name: str) -> str | None:
        """The value of a request field."""
        values = self.headers.getRawHeaders(name)
        return None if values is None else ", ".join(values)

    @property
    def range(self) -> ByteRange | None:
        """The octets asked for, None where no Range was sent."""
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.asked("Range") or "")
        return ByteRange(int(match[1]), int(match[2]) + 1) if match else None

    # -- what is answered --------------------------------------------------------

    def answer(
        self, status: int, fields: dict[str, str] | None = None, length: int | None = None
    ) -> Exchange:
        """Send the head; *length* is the frame's, None: chunked."""
        self.head.callback(Response(self, status, fields or {}, length))
        return self

    def refuse(self, error: Exception) -> None:
        """No answer: the connection fails."""
        self.head.errback(Failure(error))

    def send(self, data: bytes) -> Exchange:
        """Octets of the body come."""
        self._blocks.append(data)
        self.flow()
        return self

    def finish(self) -> None:
        """The body ends as its frame says."""
        self._finish(ResponseDone())

    def hang_up(self) -> None:
        """A body without length or coding ends with the connection."""
        self._finish(PotentialDataLoss())

    def break_off(self) -> None:
        """The connection is lost in the middle."""
        self._finish(ResponseFailed([Failure(ConnectionLost())]))

    def _finish(self, error: Exception) -> None:
        self._end = Failure(error)
        self.flow()

    # -- how it flows ------------------------------------------------------------

    def deliver_to(self, protocol: IProtocol) -> None:
        """The client wants the body."""
        self._protocol = protocol
        protocol.makeConnection(Connection(self))  # type: ignore[arg-type]
        self.flow()

    def flow(self) -> None:
        """Bring what may come."""
        while self._protocol is not None and self._blocks and not (self.paused or self.closed):
            self._protocol.dataReceived(self._blocks.pop(0))
        if self._protocol is not None and self._end is not None and not self._blocks:
            protocol, self._protocol = self._protocol, None
            self.ended = True
            protocol.connectionLost(self._end)

    def close(self) -> None:
        """The client closes the connection."""
        if not (self.closed or self.ended):
            self.closed = True
            self._blocks.clear()
            self._end = Failure(ResponseFailed([Failure(ConnectionDone())]))
            self._clock.callLater(0, self.flow)

    def _cancelled(self, head: Deferred[IResponse]) -> None:
        self.closed = True
        head.errback(Failure(ResponseNeverReceived([Failure(CancelledError())])))


Script = Callable[[Exchange], object]


@implementer(IAgent)
class ScriptedOrigin:
    """Keeps every exchange, and lets the script answer it."""

    def __init__(self, clock: Clock, script: Script | None = None) -> None:
        self.exchanges: list[Exchange] = []
        self.script = script
        self._clock = clock

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: object = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        """As `IAgent.request`."""
        if method != b"GET":
            raise AssertionError(f"a client of ours sends no {method!r}")
        exchange = Exchange(self._clock, uri.decode("ascii"), headers or Headers())
        self.exchanges.append(exchange)
        if self.script is not None:
            self.script(exchange)
        return exchange.head

    @property
    def last(self) -> Exchange:
        """The newest exchange."""
        return self.exchanges[-1]

    @property
    def ranges(self) -> list[tuple[int, int] | None]:
        """The ranges that were asked for, in order."""
        return [(r.start, r.stop) if (r := x.range) else None for x in self.exchanges]

    def open_exchanges(self) -> Iterator[Exchange]:
        """Those whose answer has begun or may come, and that nobody has closed."""
        return (x for x in self.exchanges if not (x.closed or x.ended))


@dataclass
class File:
    """A representation and how its origin serves it; itself a script that answers at once."""

    content: bytes
    etag: str | None = '"v1"'
    modified: str | None = None
    date: str | None = HOUR_LATER
    ranges: bool = True
    extra: dict[str, str] = field(default_factory=dict)

    def __call__(self, exchange: Exchange) -> None:
        """The whole answer at once."""
        piece = self.begin(exchange)
        exchange.send(self.content[piece.start : piece.stop])
        exchange.finish()

    def begin(self, exchange: Exchange) -> ByteRange:
        """The head alone; which octets are to follow."""
        asked, length = exchange.range, len(self.content)
        if asked is None or not self.ranges or self._outdated(exchange):
            exchange.answer(200, self.fields(), length)
            return ByteRange(0, length)
        if asked.start >= length:
            exchange.answer(416, {"Content-Range": f"bytes */{length}"}, 0)
            return ByteRange(0, 0)
        piece = asked.clamp(ByteRange(0, length))
        told = {"Content-Range": f"bytes {piece.start}-{piece.stop - 1}/{length}"}
        exchange.answer(206, {**self.fields(), **self.told(piece), **told}, len(piece))
        return piece

    def told(self, piece: ByteRange) -> dict[str, str]:
        """Fields of the answer that brings just this part."""
        return {}

    def up_to(self, count: int, end: Callable[[Exchange], object] = Exchange.break_off) -> Script:
        """A script whose bodies end after *count* octets, in the middle."""

        def script(exchange: Exchange) -> None:
            piece = self.begin(exchange)
            exchange.send(self.content[piece.start : min(piece.stop, piece.start + count)])
            if count < len(piece):
                end(exchange)
            else:
                exchange.finish()

        return script

    def fields(self) -> dict[str, str]:
        """The fields of its representation."""
        told = {"ETag": self.etag, "Last-Modified": self.modified, "Date": self.date}
        return {**{k: v for k, v in told.items() if v is not None}, **self.extra}

    def _outdated(self, exchange: Exchange) -> bool:
        condition = exchange.asked("If-Range")
        return condition is not None and condition not in (self.etag, self.modified)


def stalling(_exchange: Exchange) -> None:
    """An end that does not come: the origin falls silent."""
