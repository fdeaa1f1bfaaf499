"""
An answer as a value, and the right one for a scene: the correct range server.

Rules: RFC 9110, 13.2.2 (order of preconditions), 14.2 (Range), 15.3.7 (206),
15.5.17 (416).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from email.utils import formatdate, parsedate_to_datetime
from time import time

from tests.hostile.asks import Ask
from tests.hostile.content import content
from tests.hostile.scenes import Scene


@dataclass(frozen=True)
class Answer:
    """What goes out: head, octets, and how the transport behaves meanwhile."""

    status: int
    fields: tuple[tuple[str, str], ...] = ()
    seed: int = 0
    start: int = 0
    stop: int = 0
    """The octets of the content that the body holds."""
    body: bytes | None = None
    """A body that is no content; wins over seed, start and stop."""
    framing: str = "length"
    """``length``, ``chunked`` or ``close``."""
    declared: int | None = None
    """Another Content-Length than the true one."""
    http10: bool = False
    raw: bytes | None = None
    """Octets to send in place of any answer."""
    rate: int | None = None
    cut: int | None = None
    """Close after so many octets of the body."""
    reset: bool = False
    """Close by a reset instead of a FIN."""
    stall: int | None = None
    """Fall silent after so many octets of the body."""
    gate: tuple[str, int] | None = None
    """Wait at this gate once the whole path has sent so many octets."""
    flip: int | None = None
    """Offset of an octet that is damaged on the way."""
    close: bool = False

    @property
    def length(self) -> int:
        """Octets of the body as it will go out."""
        return len(self.body) if self.body is not None else self.stop - self.start

    def read(self, at: int, count: int) -> bytes:
        """Octets ``[at, at + count)`` of the body."""
        if self.body is not None:
            return self.body[at : at + count]
        offset = self.start + at
        piece = bytearray(content(self.seed, offset, min(count, self.length - at)))
        if self.flip is not None and offset <= self.flip < offset + len(piece):
            piece[self.flip - offset] ^= 0xFF
        return bytes(piece)

    def get(self, name: str) -> str | None:
        """The value of a field."""
        return next((v for n, v in self.fields if n.lower() == name.lower()), None)

    def with_field(self, name: str, value: str | None) -> Answer:
        """The answer with that field set to *value*, or without it."""
        kept = tuple(pair for pair in self.fields if pair[0].lower() != name.lower())
        return replace(self, fields=kept if value is None else (*kept, (name, value)))


def text(status: int, words: str = "") -> Answer:
    """A short answer that has nothing to do with the file."""
    return Answer(status, (("Content-Type", "text/plain"),), body=f"{status} {words}\n".encode())


def right_answer(scene: Scene, ask: Ask) -> Answer:
    """What a correct server sends."""
    failed = _precondition(scene, ask)
    if failed is not None:
        return replace(Answer(failed, _validators(scene)), body=b"")
    wanted = ask.range_of(scene.size) if scene.ranges and _if_range(scene, ask) else None
    if wanted is None:
        return _found(200, scene, 0, scene.size)
    start, stop = wanted
    if start == stop:
        return text(416).with_field("Content-Range", f"bytes */{scene.size}")
    answer = _found(206, scene, start, stop)
    return answer.with_field("Content-Range", f"bytes {start}-{stop - 1}/{scene.size}")


def _found(status: int, scene: Scene, start: int, stop: int) -> Answer:
    fields = [*_validators(scene), ("Content-Type", "application/octet-stream"), *scene.fields]
    if scene.ranges:
        fields.append(("Accept-Ranges", "bytes"))
    return Answer(status, tuple(fields), seed=scene.seed, start=start, stop=stop)


def _validators(scene: Scene) -> tuple[tuple[str, str], ...]:
    fields = {"ETag": scene.etag, "Last-Modified": scene.last_modified}
    present = [(name, value) for name, value in fields.items() if value is not None]
    return (("Date", formatdate(time(), usegmt=True)), *present)


def _precondition(scene: Scene, ask: Ask) -> int | None:
    """The status of a precondition that failed, None where all hold."""
    match, unmodified = ask.fields.get("if-match"), ask.fields.get("if-unmodified-since")
    if match is not None:
        if match != "*" and (scene.etag is None or scene.etag not in _tags(match)):
            return 412
    elif unmodified is not None and _newer(scene, unmodified):
        return 412
    none, modified = ask.fields.get("if-none-match"), ask.fields.get("if-modified-since")
    if none is not None:
        return 304 if none == "*" or scene.etag in _tags(none) else None
    return 304 if modified is not None and not _newer(scene, modified) else None


def _tags(value: str) -> list[str]:
    return [tag.strip() for tag in value.split(",") if not tag.strip().startswith("W/")]


def _newer(scene: Scene, date: str) -> bool:
    """Whether the representation is newer than the date of a precondition."""
    return scene.modified is not None and int(scene.modified) > _seconds(date)


def _seconds(date: str) -> float:
    return parsedate_to_datetime(date).timestamp()


def _if_range(scene: Scene, ask: Ask) -> bool:
    """Whether If-Range lets the range through."""
    value = ask.fields.get("if-range")
    if value is None or scene.if_range == "ignored":
        return True
    if scene.if_range == "never":
        return False
    if '"' in value[:3]:
        return scene.if_range == "right" and value == scene.etag and not value.startswith("W/")
    return value == scene.last_modified
