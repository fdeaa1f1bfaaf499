"""
An upload server in memory, at the seam of octets: three protocols, and what may go wrong.

It keeps the octets of tus and of the draft as they come and those of a segment when it is
whole, as real servers do.  Tests say which requests it refuses, and after how many octets
of bodies it breaks a connection.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

import h11
from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IProtocol, IProtocolFactory, IStreamClientEndpoint
from twisted.internet.task import Clock
from twisted.python.failure import Failure
from twisted.web.client import URI
from twisted.web.iweb import IAgentEndpointFactory
from zope.interface import implementer

from rangedaemon.core.intervals import ByteRange, IntervalSet

Fields = dict[str, str]
Answered = tuple[int, Fields, bytes]
ROOM = 64 * 1024
"""Octets that a connection holds before it asks its producer to pause."""


@dataclass
class Upload:
    """What came of one upload."""

    length: int
    octets: bytearray = field(default_factory=bytearray)
    there: IntervalSet = field(default_factory=IntervalSet)
    complete: bool = False
    partial: bool = False
    fields: Fields = field(default_factory=dict)


@dataclass
class Seen:
    """One request as the server saw it."""

    method: str
    path: str
    fields: Fields
    received: int = 0
    """Octets of its body."""
    host: str = ""


class Receiver:
    """The server behind all connections."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.uploads: dict[str, Upload] = {}
        self.seen: list[Seen] = []
        self.offer: Fields = {}
        """What OPTIONS is answered."""
        self.refusals: list[tuple[str, int, Fields]] = []
        """Method, status and fields of refusals to come, each for one request."""
        self.break_after: int | None = None
        """After so many more octets of bodies the connection breaks."""
        self.deaf = False
        """Whether it takes no octets of bodies, and says nothing."""
        self.reachable = True
        self.on_octets: Callable[[], None] = lambda: None
        """Called whenever octets of a body have come."""
        self.location = "/u/{}"
        self.takes_anything = False
        """Whether it takes every POST for a file of its own."""
        self.created_fields: Fields = {}
        """What a creation is answered besides."""

    # -- what tests ask -----------------------------------------------------------

    def asked(self, method: str) -> list[Seen]:
        """The requests by one method."""
        return [seen for seen in self.seen if seen.method == method]

    @property
    def received(self) -> int:
        """Octets of all bodies."""
        return sum(seen.received for seen in self.seen)

    def whole(self) -> list[bytes]:
        """The files that are complete."""
        return [bytes(u.octets) for u in self.uploads.values() if u.complete and not u.partial]

    # -- what connections tell ------------------------------------------------------

    def begun(self, seen: Seen) -> Answered | None:
        """A head has come; an answer where the body is not wanted."""
        self.seen.append(seen)
        for refusal in self.refusals:
            if refusal[0] in (seen.method, "*"):
                self.refusals.remove(refusal)
                return refusal[1], refusal[2], b"no\n"
        if seen.method == "PATCH":
            return self._insist_on_offset(seen)
        return None

    def _insist_on_offset(self, seen: Seen) -> Answered | None:
        upload = self.uploads.get(seen.path)
        if upload is None:
            return 404, {}, b""
        if int(seen.fields["upload-offset"]) != len(upload.octets):
            return 409, {"Upload-Offset": str(len(upload.octets))}, b"conflict"
        return None

    def data(self, seen: Seen, body: bytes) -> bool:
        """Octets of a body; whether the connection lives on."""
        kept = body
        if self.break_after is not None:
            kept = body[: self.break_after]
            self.break_after -= len(kept)
        seen.received += len(kept)
        if seen.method == "PATCH":
            upload = self.uploads[seen.path]
            upload.octets += kept
            if "tus-resumable" in seen.fields:
                upload.complete = len(upload.octets) == upload.length
        self.on_octets()
        if len(kept) < len(body) or self.break_after == 0:
            self.break_after = None
            return False
        return True

    def ended(self, seen: Seen, body: bytes) -> Answered:
        """A request has come as a whole."""
        if seen.method == "OPTIONS":
            return 204, self.offer, b""
        if seen.method == "DELETE":
            self.uploads.pop(seen.path, None)
            return 204, {}, b""
        if seen.method == "HEAD":
            return self._standing(self.uploads.get(seen.path))
        if seen.method == "PATCH":
            return self._appended(seen, self.uploads[seen.path])
        if self.takes_anything:
            return 200, {}, b"thanks"
        if "x-session-id" in seen.fields:
            return self._segment(seen, body)
        return self._created(seen)

    def _standing(self, upload: Upload | None) -> Answered:
        if upload is None:
            return 404, {}, b""
        told = {"Upload-Offset": str(len(upload.octets)), "Upload-Length": str(upload.length)}
        return 200, {**told, "Upload-Complete": "?1" if upload.complete else "?0"}, b""

    def _appended(self, seen: Seen, upload: Upload) -> Answered:
        last = seen.fields.get("upload-complete")
        if last is None:
            return 204, {"Upload-Offset": str(len(upload.octets))}, b""
        upload.complete = last == "?1"
        return (200 if upload.complete else 204), {"Upload-Complete": last}, b""

    def _created(self, seen: Seen) -> Answered:
        path = self.location.format(len(self.uploads))
        concat = seen.fields.get("upload-concat", "")
        upload = Upload(int(seen.fields.get("upload-length", 0)), fields=seen.fields)
        upload.partial = concat == "partial"
        upload.complete = upload.length == 0 and "tus-resumable" in seen.fields
        if concat.startswith("final;"):
            parts = [self.uploads[part] for part in _paths(concat)]
            upload.octets = bytearray(b"".join(part.octets for part in parts))
            upload.complete = all(len(part.octets) == part.length for part in parts)
        key = path.partition("://")[2]
        self.uploads["/" + key.partition("/")[2] if key else path] = upload
        return 201, {"Location": path, **self.created_fields}, b""

    def _segment(self, seen: Seen, body: bytes) -> Answered:
        upload = self.uploads.setdefault(seen.fields["x-session-id"], Upload(0))
        upload.fields = seen.fields
        if "x-content-range" not in seen.fields:
            upload.complete = True
            return 200, {}, b"done"
        span, _, total = seen.fields["x-content-range"].removeprefix("bytes ").partition("/")
        first, last = map(int, span.split("-"))
        upload.length = int(total)
        upload.octets.extend(bytes(max(0, last + 1 - len(upload.octets))))
        upload.octets[first : last + 1] = body
        upload.there = upload.there.add(ByteRange(first, last + 1))
        upload.complete = upload.there.total == upload.length
        if upload.complete:
            return 200, {}, b"done"
        text = ",".join(f"{a}-{b - 1}/{total}" for a, b in upload.there.to_pairs())
        return 201, {"Range": text}, text.encode()


def _paths(concat: str) -> list[str]:
    found = concat.removeprefix("final;").split()
    return ["/" + path.partition("://")[2].partition("/")[2] for path in found]


class Side:
    """One end of a connection in memory, as its protocol sees it."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.peer: Side
        self.protocol: Any = None
        self.frozen = False
        """Whether nothing is taken from it."""
        self._out: list[bytes] = []
        self._producer: Any = None
        self._paused = False
        self._closing = False
        self.closed = False

    def write(self, data: bytes) -> None:
        """Octets for the other end, a moment later."""
        if self.closed:
            return
        self._out.append(data)
        if self._producer is not None and not self._paused and self._waiting > ROOM:
            self._paused = True
            self._producer.pauseProducing()
        self.clock.callLater(0, self.flow)

    @property
    def _waiting(self) -> int:
        return sum(map(len, self._out))

    def flow(self) -> None:
        """Bring what waits to the other end."""
        if self.frozen or self.closed:
            return
        octets, self._out = b"".join(self._out), []
        if octets:
            self.peer.protocol.dataReceived(octets)
        if self._closing:
            self.end(ConnectionDone())
        elif self._paused and self._producer is not None:
            self._paused = False
            self._producer.resumeProducing()

    def registerProducer(self, producer: Any, streaming: bool) -> None:
        """As a transport does."""
        self._producer = producer

    def unregisterProducer(self) -> None:
        """As a transport does."""
        self._producer = None

    def loseConnection(self) -> None:
        """Close it after what is written."""
        self._closing = True
        self.clock.callLater(0, self.flow)

    def abortConnection(self) -> None:
        """Close it at once."""
        self.end(ConnectionLost())

    def end(self, reason: Exception) -> None:
        """Both ends hear of the end, a moment later."""
        for side in (self, self.peer):
            if not side.closed:
                side.closed = True
                self.clock.callLater(0, side.protocol.connectionLost, Failure(reason))


class Serving:
    """One connection, from the server's side."""

    def __init__(self, receiver: Receiver, side: Side, host: str) -> None:
        self._receiver = receiver
        self._side = side
        self._host = host
        self._http = h11.Connection(h11.SERVER)
        self._seen: Seen | None = None
        self._body = b""

    def dataReceived(self, data: bytes) -> None:
        """Octets of requests."""
        if self._receiver.deaf:
            self._side.peer.frozen = True
            return
        self._http.receive_data(data)
        while not self._side.closed:
            event = self._http.next_event()
            if event is h11.NEED_DATA or event is h11.PAUSED:
                return
            self._take(event)

    def connectionLost(self, reason: Failure) -> None:
        """It has ended."""

    def _take(self, event: Any) -> None:
        receiver = self._receiver
        if isinstance(event, h11.Request):
            fields = {name.decode(): value.decode("latin-1") for name, value in event.headers}
            self._body = b""
            self._seen = Seen(event.method.decode(), event.target.decode(), fields, host=self._host)
            refused = receiver.begun(self._seen)
            if refused is not None:
                self._answer(refused)
                self._side.loseConnection()
        elif isinstance(event, h11.Data):
            if self._http.our_state is h11.SEND_RESPONSE and self._seen is not None:
                self._body += event.data
                if not receiver.data(self._seen, bytes(event.data)):
                    self._side.abortConnection()
        elif self._http.our_state is h11.SEND_RESPONSE and self._seen is not None:
            self._answer(receiver.ended(self._seen, self._body))
            self._http.start_next_cycle()

    def _answer(self, answered: Answered) -> None:
        status, fields, body = answered
        if self._seen is not None and self._seen.method == "HEAD":
            body = b""
        length = {} if status == 204 else {"Content-Length": str(len(body))}
        head = h11.Response(status_code=status, headers=[*({**fields, **length}).items()])
        parts = [head, h11.Data(data=body), h11.EndOfMessage()]
        self._side.write(b"".join(self._http.send(part) or b"" for part in parts))


@implementer(IAgentEndpointFactory)
class MemoryEndpoints:
    """Every address leads to the receiver."""

    def __init__(self, receiver: Receiver) -> None:
        self._receiver = receiver
        self.connections = 0

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:
        """The way to it."""
        return cast("IStreamClientEndpoint", _Endpoint(self, self._receiver, uri))


@implementer(IStreamClientEndpoint)
class _Endpoint:
    def __init__(self, endpoints: MemoryEndpoints, receiver: Receiver, uri: URI) -> None:
        self._endpoints = endpoints
        self._receiver = receiver
        self._host = uri.netloc.decode()

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, at once."""
        if not self._receiver.reachable:
            return fail(ConnectError(string="refused"))
        self._endpoints.connections += 1
        clock = self._receiver.clock
        ours, theirs = Side(clock), Side(clock)
        ours.peer, theirs.peer = theirs, ours
        theirs.protocol = Serving(self._receiver, theirs, self._host)
        ours.protocol = cast("Any", factory.buildProtocol(cast("Any", None)))
        ours.protocol.makeConnection(ours)
        return succeed(ours.protocol)
