"""
An origin whose file changes, and that answers as it is told: well, badly, late, not at all.

What it sends are always octets of one of its versions, under the validators of that
version; only its manners are bad.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from enum import StrEnum
from itertools import count

from twisted.internet.error import ConnectionRefusedError as Refused

from rangedaemon.core.intervals import ByteRange
from tests.client.scripted import Exchange, File

OFFSETS = bytes(range(251)) * 512


class Validators(StrEnum):
    """What tells the versions of its file apart."""

    BOTH = "tag and date"
    TAG = "tag"
    DATE = "date"
    WEAK = "weak tag"
    YOUNG = "young date"
    VOLATILE = "another tag each time"
    NONE = "nothing"


TRUSTWORTHY = (Validators.BOTH, Validators.DATE)
"""Where versions may differ in a few octets only: samples need not find those."""


class Manner(StrEnum):
    """How a request is answered."""

    WELL = "as it should be"
    WHOLE = "200, whatever range was asked for"
    SHORTER = "206 with fewer octets than asked for"
    UNTOLD = "206 without the complete length"
    SHIFTED = "206 with other octets than asked for"
    BARE = "no validators"
    CHUNKED = "no length of the body"
    OLDER = "from a node that has the version before"
    BUSY = "503"
    MANY = "429, with Retry-After"
    MISSING = "404"
    FORBIDDEN = "403"
    BROKEN = "500"
    UNSATISFIED = "416, whatever range was asked for"
    REFUSED = "no connection"
    SILENT = "no answer"


STATUSES: dict[Manner, tuple[int, dict[str, str]]] = {
    Manner.BUSY: (503, {}),
    Manner.MANY: (429, {"Retry-After": "3"}),
    Manner.MISSING: (404, {}),
    Manner.FORBIDDEN: (403, {}),
    Manner.BROKEN: (500, {}),
    Manner.UNSATISFIED: (416, {}),
}


class Shifted(File):
    """Sends the octets before those that it was asked for, and says so."""

    def begin(self, exchange: Exchange) -> ByteRange:
        """The head alone; which octets are to follow."""
        asked, length = exchange.range, len(self.content)
        if asked is None or not 0 < asked.start < length:
            return super().begin(exchange)
        piece = ByteRange(asked.start - 1, min(asked.stop, length))
        told = {"Content-Range": f"bytes {piece.start}-{piece.stop - 1}/{length}"}
        exchange.answer(206, {**self.fields(), **told}, len(piece))
        return piece


@dataclass
class Body:
    """Octets that are on their way."""

    exchange: Exchange
    octets: bytes
    sent: bool = False

    @property
    def open(self) -> bool:
        """Whether anything may come of it."""
        return not (self.sent or self.exchange.closed or self.exchange.ended)

    def flow(self, most: int) -> None:
        """Send some octets, and the end behind the last."""
        block, self.octets = self.octets[:most], self.octets[most:]
        self.exchange.send(block)
        if not self.octets and self.open:
            self.sent = True
            self.exchange.finish()


@dataclass
class Nodes:
    """The origin."""

    validators: Validators
    versions: list[File] = field(default_factory=list)
    manners: list[Manner] = field(default_factory=list)
    """How the next requests are answered; well, when there are none left."""
    bodies: list[Body] = field(default_factory=list)
    mirrors: dict[str, Nodes] = field(default_factory=dict)
    """Other origins, by the address at which they have the file."""
    _numbers: Callable[[], int] = field(default_factory=lambda: count(1).__next__)

    def mirrored(self, url: str, validators: Validators, *, alike: bool) -> None:
        """Another place where the file is, or one that is as long but of other octets."""
        mirror = Nodes(validators, bodies=self.bodies)
        if not alike:
            mirror.versions.append(File(b""))  # the first shift would be ours
            mirror.rewrite(len(self.versions[-1].content))
            del mirror.versions[0]
        self.mirrors[url] = mirror
        if alike:
            self.update_mirrors()

    def update_mirrors(self) -> None:
        """The mirrors have the newest version too."""
        for mirror in self.mirrors.values():
            mirror.publish(self.versions[-1].content)

    def all_versions(self) -> list[bytes]:
        """What was at any of the addresses at any time."""
        places = [self, *self.mirrors.values()]
        return [version.content for place in places for version in place.versions]

    def publish(self, content: bytes) -> None:
        """There is another version now."""
        number = len(self.versions) + 1
        modified = f"Sun, {number % 28 + 1:02} Nov {1990 + number // 28} 08:49:37 GMT"
        strong = self.validators not in (Validators.YOUNG, Validators.NONE)
        tag = {Validators.WEAK: f'W/"{number}"'}.get(self.validators, f'"{number}"')
        tagged = self.validators in (Validators.BOTH, Validators.TAG, Validators.WEAK)
        dated = self.validators in (Validators.BOTH, Validators.DATE, Validators.YOUNG)
        self.versions.append(
            File(
                content,
                etag=tag if tagged else None,
                modified=modified if dated else None,
                date="Sun, 06 Nov 2022 08:49:37 GMT" if strong else modified,
            )
        )

    def edit(self, offset: int, count: int) -> None:
        """A version with a few other octets."""
        content = bytearray(self.versions[-1].content)
        offset = min(offset, max(0, len(content) - count))
        for at in range(offset, min(offset + count, len(content))):
            content[at] ^= 0xFF
        self.publish(bytes(content))

    def rewrite(self, length: int) -> None:
        """A version in which each octet is another."""
        shift = len(self.versions) + 1
        self.publish(bytes((octet + shift) % 256 for octet in OFFSETS[:length]))

    def flow(self, which: int, most: int) -> None:
        """Octets of one of the bodies come."""
        bodies = self._open_bodies()
        if bodies:
            bodies[which % len(bodies)].flow(most)

    def flow_all(self, most: int) -> None:
        """Octets of every body come."""
        for body in self._open_bodies():
            body.flow(most)

    def break_off(self, which: int) -> None:
        """One of the connections is lost."""
        bodies = self._open_bodies()
        if bodies:
            bodies[which % len(bodies)].exchange.break_off()

    def break_off_all(self) -> None:
        """Every connection is lost."""
        for body in self._open_bodies():
            body.exchange.break_off()

    def _open_bodies(self) -> list[Body]:
        self.bodies[:] = [body for body in self.bodies if body.open]
        return [*self.bodies]

    def __call__(self, exchange: Exchange) -> None:
        """A request comes: send the head of its answer."""
        if exchange.url in self.mirrors:
            self.mirrors[exchange.url](exchange)
            return
        manner = self.manners.pop(0) if self.manners else Manner.WELL
        if manner in STATUSES:
            status, fields = STATUSES[manner]
            exchange.answer(status, fields, 0).finish()
        elif manner is Manner.REFUSED:
            exchange.refuse(Refused())
        elif manner is not Manner.SILENT:
            self._serve(exchange, manner)

    def _serve(self, exchange: Exchange, manner: Manner) -> None:
        served = self._version(manner)
        length = len(served.content)
        asked = exchange.range
        if manner is Manner.SHORTER and asked is not None and len(asked) > 1:
            half = ByteRange(asked.start, asked.start + max(1, len(asked) // 2))
            exchange.headers.setRawHeaders("Range", [f"bytes={half.start}-{half.stop - 1}"])
        elif manner is Manner.UNTOLD and asked is not None and asked.start < length:
            piece = asked.clamp(ByteRange(0, length))
            told = {"Content-Range": f"bytes {piece.start}-{piece.stop - 1}/*"}
            exchange.answer(206, {**served.fields(), **told}, len(piece))
            self.bodies.append(Body(exchange, served.content[piece.start : piece.stop]))
            return
        elif manner is Manner.CHUNKED:
            exchange.answer(200, served.fields(), None)
            self.bodies.append(Body(exchange, served.content))
            return
        piece = served.begin(exchange)
        self.bodies.append(Body(exchange, served.content[piece.start : piece.stop]))

    def _version(self, manner: Manner) -> File:
        served = self.versions[-2:][0] if manner is Manner.OLDER else self.versions[-1]
        if manner is Manner.BARE:
            served = replace(served, etag=None, modified=None)
        elif self.validators is Validators.VOLATILE:
            served = replace(served, etag=f'"{self._numbers()}"')
        if manner is Manner.SHIFTED:
            return Shifted(**vars(served))
        return replace(served, ranges=manner is not Manner.WHOLE)
