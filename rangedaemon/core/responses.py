"""
What a request for a representation is answered: status, fields and octets, as a value.

RFC 9110: preconditions before ranges (13.2.2), 206 and its fields (15.3.7),
``multipart/byteranges`` (14.6), 304 (15.4.5), 412, 416 (15.5.17).  ``Range`` means
something for GET only, so HEAD is answered as a GET without it.

All fields of the 200 are on a 206 too.  With ``If-Range`` they SHOULD NOT be
repeated, for economy; but there are clients that take a Last-Modified that is
missing from one part for a change of the file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rangedaemon.core.dates import format_http_date
from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.preconditions import (
    NO_VALIDATORS,
    UNCONDITIONAL,
    Conditions,
    Validators,
    Verdict,
    evaluate,
    range_counts,
)
from rangedaemon.core.ranges import (
    format_content_range,
    format_unsatisfied_range,
    select_ranges,
)

Field = tuple[str, str]
"""A field's name and value."""

Part = bytes | ByteRange
"""A piece of a body: octets as they are, or octets of the representation."""


@dataclass(frozen=True, slots=True)
class RequestFacts:
    """What of a request decides its answer."""

    method: str
    """``GET`` or ``HEAD``."""
    range: str | None = None
    """Joined lines of ``Range``, None where there is none."""
    conditions: Conditions = UNCONDITIONAL


@dataclass(frozen=True, slots=True)
class Representation:
    """What there is to send."""

    length: int
    media_type: str
    validators: Validators = NO_VALIDATORS
    kept: tuple[Field, ...] = ()
    """Fields that a 304 repeats: Cache-Control, Content-Location, Expires, Vary."""
    described: tuple[Field, ...] = ()
    """Further fields of the 200: Content-Disposition, Content-Encoding, Link, …"""


@dataclass(frozen=True, slots=True)
class ResponsePlan:
    """A whole answer; the parts' octets add up to its Content-Length."""

    status: int
    fields: tuple[Field, ...]
    parts: tuple[Part, ...] = ()

    @property
    def body_length(self) -> int:
        """Octets of the body."""
        return sum(len(part) for part in self.parts)


def plan_response(
    request: RequestFacts, representation: Representation, *, now: float, boundary: str
) -> ResponsePlan:
    """
    The answer to a request for *representation*.

    :param now: the present, in seconds since the epoch.
    :param boundary: what delimits the parts of a multipart answer: token characters
        that nobody can guess, so that no file can hold them.
    """
    verdict = evaluate(request.method, request.conditions, representation.validators, now=now)
    if verdict is Verdict.FAILED:
        return plan_error(412, "The file is not the one that the request is about.")
    if verdict is Verdict.NOT_MODIFIED:
        return ResponsePlan(304, _validator_fields(representation, bare=True))
    if request.method == "HEAD":
        return ResponsePlan(200, _whole_fields(representation))
    selected = _selected(request, representation, now)
    if selected is None:
        whole = ByteRange(0, representation.length)
        return ResponsePlan(200, _whole_fields(representation), (whole,) if whole else ())
    if not selected:
        return _unsatisfiable(representation)
    if len(selected) == 1:
        return _single(representation, selected[0])
    return _multipart(representation, selected, boundary)


def plan_error(status: int, sentence: str, fields: Sequence[Field] = ()) -> ResponsePlan:
    """A short answer in words."""
    body = f"{sentence}\n".encode()
    own = (("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))))
    return ResponsePlan(status, (*fields, *own), (body,))


def _selected(
    request: RequestFacts, representation: Representation, now: float
) -> tuple[ByteRange, ...] | None:
    if request.range is None:
        return None
    if not range_counts(request.conditions.if_range, representation.validators, now=now):
        return None
    return select_ranges(request.range, representation.length)


def _validator_fields(representation: Representation, *, bare: bool = False) -> tuple[Field, ...]:
    """ETag and Last-Modified (*bare*: that only where there is no ETag), and what 304 keeps."""
    fields: list[Field] = []
    validators = representation.validators
    if validators.etag is not None:
        fields.append(("ETag", str(validators.etag)))
    if validators.last_modified is not None and not (bare and fields):
        fields.append(("Last-Modified", format_http_date(validators.last_modified)))
    return (*fields, *representation.kept)


def _content_fields(representation: Representation, kind: str, length: int) -> tuple[Field, ...]:
    return (
        ("Accept-Ranges", "bytes"),
        *_validator_fields(representation),
        *representation.described,
        ("Content-Type", kind),
        ("Content-Length", str(length)),
    )


def _whole_fields(representation: Representation) -> tuple[Field, ...]:
    return _content_fields(representation, representation.media_type, representation.length)


def _unsatisfiable(representation: Representation) -> ResponsePlan:
    fields = (
        ("Accept-Ranges", "bytes"),
        ("Content-Range", format_unsatisfied_range(representation.length)),
    )
    return plan_error(416, f"The file has {representation.length} bytes.", fields)


def _single(representation: Representation, piece: ByteRange) -> ResponsePlan:
    position = ("Content-Range", format_content_range(piece, representation.length))
    fields = _content_fields(representation, representation.media_type, len(piece))
    return ResponsePlan(206, (*fields, position), (piece,))


def _multipart(
    representation: Representation, pieces: Sequence[ByteRange], boundary: str
) -> ResponsePlan:
    parts: list[Part] = []
    delimiter = f"--{boundary}\r\n"
    for piece in pieces:
        head = (
            f"{delimiter}Content-Type: {representation.media_type}\r\n"
            f"Content-Range: {format_content_range(piece, representation.length)}\r\n\r\n"
        )
        parts += [head.encode("latin-1"), piece]
        delimiter = f"\r\n--{boundary}\r\n"
    parts.append(f"\r\n--{boundary}--\r\n".encode("latin-1"))
    kind = f"multipart/byteranges; boundary={boundary}"
    fields = _content_fields(representation, kind, sum(len(part) for part in parts))
    return ResponsePlan(206, fields, tuple(parts))
