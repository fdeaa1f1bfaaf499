"""
Resumable Uploads for HTTP: what its requests ask for, and what its answers say.

draft-ietf-httpbis-resumable-upload in the editor's copy of 2026-07-01 (interop version
8).  Its fields are Structured Fields (RFC 9651); one that is not what it should be is
ignored, as if it had not been sent.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import http_sf

from rangedaemon.core.receiving.asks import Ask, Refusal
from rangedaemon.core.responses import Field

INTEROP_VERSION = 8
APPENDABLE = "application/partial-upload"
PROBLEM = "application/problem+json"
_PROBLEMS = "https://iana.org/assignments/http-problem-types#"
_MOST_OCTETS = 1000


# -- fields ----------------------------------------------------------------------------


def read_integer(text: str | None) -> int | None:
    """An Integer that is not negative; None for anything else."""
    value = _item(text)
    return value if type(value) is int and value >= 0 else None


def read_boolean(text: str | None) -> bool | None:
    """A Boolean; None for anything else."""
    value = _item(text)
    return value if isinstance(value, bool) else None


def _item(text: str | None) -> object:
    if text is None or len(text) > _MOST_OCTETS:
        return None
    try:
        item = http_sf.parse(text.encode("latin-1"), tltype="item")
    except ValueError:
        return None
    return item[0] if isinstance(item, tuple) else None


@dataclass(frozen=True, slots=True)
class Limits:
    """What a server takes: octets, and seconds; None is no limit."""

    max_size: int | None = None
    max_age: int | None = None


def format_limits(limits: Limits) -> str:
    """An ``Upload-Limit``; where there is no limit, one that says so."""
    members = [("max-size", limits.max_size), ("max-age", limits.max_age)]
    told = [f"{name}={value}" for name, value in members if value is not None]
    return ", ".join(told) or "min-size=0"


def format_boolean(value: bool) -> str:
    """A Boolean."""
    return "?1" if value else "?0"


# -- what is asked for -------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Creation:
    """A new upload, with its first octets or with none."""

    complete: bool
    """Whether they are all."""
    length: int | None
    interim: bool
    """Whether the client understands interim answers of ours."""


@dataclass(frozen=True, slots=True)
class Append:
    """More octets of an upload."""

    offset: int
    complete: bool
    length: int | None
    interim: bool


def is_spoken(ask: Ask) -> bool:
    """Whether a request is one of this protocol."""
    return any(
        ask.get(name) is not None
        for name in ("upload-complete", "upload-draft-interop-version")
    )  # fmt: skip


def read_creation(ask: Ask) -> Creation:
    """
    What a request with content asks for.

    :raises Refusal: the lengths that it tells contradict each other.
    """
    complete = read_boolean(ask.get("upload-complete"))
    if complete is None:
        raise Refusal(400, "Upload-Complete has to be ?1 or ?0.")
    length = agreed_length(ask, 0, complete, None)
    return Creation(complete, length, _understands_interim(ask))


def read_append(ask: Ask, offset: int, known: int | None) -> Append:
    """
    What a PATCH of an upload asks for that stands at *offset*.

    :param known: its complete length, as far as it was told before.
    :raises Refusal: fields are missing, the offset is another, or the lengths differ.
    """
    if ask.media_type != APPENDABLE:
        raise Refusal(415, f"Octets of an upload come as {APPENDABLE}.")
    complete = read_boolean(ask.get("upload-complete"))
    begin = read_integer(ask.get("upload-offset"))
    if complete is None or begin is None:
        raise Refusal(400, "Upload-Offset and Upload-Complete are needed.")
    if begin != offset:
        raise Mismatch(expected=offset, provided=begin)
    length = agreed_length(ask, offset, complete, known)
    return Append(begin, complete, length, _understands_interim(ask))


def _understands_interim(ask: Ask) -> bool:
    return read_integer(ask.get("upload-draft-interop-version")) == INTEROP_VERSION


def agreed_length(ask: Ask, offset: int, complete: bool, known: int | None) -> int | None:
    """
    The complete length by all that tells of it; None where nothing does.

    :raises Inconsistent: two sources differ, or there is more than that.
    """
    end = None if ask.length is None else offset + ask.length
    told = {known, read_integer(ask.get("upload-length")), end if complete else None} - {None}
    if len(told) > 1:
        raise Inconsistent("The lengths that were told of this upload differ.")
    length = told.pop() if told else None
    if length is not None and length < (offset if end is None else end):
        raise Inconsistent("There is more than the length that was told of this upload.")
    return length


# -- what is said ------------------------------------------------------------------------


class Mismatch(Refusal):
    """The octets begin elsewhere than the upload stands."""

    def __init__(self, *, expected: int, provided: int) -> None:
        super().__init__(
            409,
            f"The upload stands at {expected}.",
            ("Upload-Offset", str(expected)),
            ("Upload-Complete", "?0"),
        )
        self.expected = expected
        self.provided = provided


class Inconsistent(Refusal):
    """Lengths that cannot all be true."""

    def __init__(self, sentence: str) -> None:
        super().__init__(400, sentence)


def problem(refusal: Refusal, title: str) -> bytes:
    """The body that explains a refusal (RFC 9457)."""
    told: dict[str, object] = {"type": "about:blank", "title": title}
    match refusal:
        case Mismatch():
            told["type"] = _PROBLEMS + "mismatching-upload-offset"
            told["expected-offset"] = refusal.expected
            told["provided-offset"] = refusal.provided
        case Inconsistent():
            told["type"] = _PROBLEMS + "inconsistent-upload-length"
    told |= {"status": refusal.http_status, "detail": refusal.detail}
    return json.dumps(told).encode() + b"\n"


def supported(location: str, limits: Limits) -> bytes:
    """The interim answer that tells where an upload can be resumed."""
    fields = [("Location", location), ("Upload-Limit", format_limits(limits))]
    return _interim(fields)


def advanced(offset: int) -> bytes:
    """The interim answer that tells what is safe."""
    return _interim([("Upload-Offset", str(offset))])


def _interim(fields: list[Field]) -> bytes:
    lines = [("Upload-Draft-Interop-Version", str(INTEROP_VERSION)), *fields]
    text = "".join(f"{name}: {value}\r\n" for name, value in lines)
    return f"HTTP/1.1 104 Upload Resumption Supported\r\n{text}\r\n".encode("latin-1")


def standing(offset: int, complete: bool, length: int | None, limits: Limits) -> list[Field]:
    """What a HEAD tells."""
    fields = [
        ("Upload-Offset", str(offset)),
        ("Upload-Complete", format_boolean(complete)),
        ("Upload-Limit", format_limits(limits)),
        ("Cache-Control", "no-store"),
    ]
    return fields if length is None else [*fields, ("Upload-Length", str(length))]


def progress(offset: int, complete: bool) -> list[Field]:
    """What is told after octets were taken."""
    return [("Upload-Complete", format_boolean(complete)), ("Upload-Offset", str(offset))]
