"""
Whether an answer's octets may be kept, and where they go.

One pure function for every answer of every segment: status, Content-Range, length
and coding against what was asked (RFC 9110 14.4, 15.3.7, 15.5.17; RFC 9112 6.3).
What it returns says what the octets are; what cannot be used is raised as the
fault it is.  Validators are compared by `core.validators`, not here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from rangedaemon.core.intervals import ByteRange
from rangedaemon.core.ranges import parse_content_range
from rangedaemon.core.retry import RetryClass, class_of_status, parse_retry_after
from rangedaemon.errors import (
    BadResponse,
    Changed,
    Missing,
    NoRanges,
    OriginFault,
    Refused,
    ServerError,
    Throttled,
    TimedOut,
    Unauthorized,
)


@dataclass(frozen=True, slots=True)
class Answer:
    """The head of an answer, as far as we judge it; texts are raw field values."""

    status: int
    url: str
    """The address that answered, after redirects."""
    content_length: int | None = None
    """Octets that the message frame promises; None: chunked or until close."""
    content_range: str | None = None
    content_type: str | None = None
    content_encoding: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    date: str | None = None
    retry_after: str | None = None
    disposition: str | None = None
    repr_digest: str | None = None
    content_digest: str | None = None
    digest: str | None = None
    """``Digest`` of RFC 3230."""
    content_md5: str | None = None
    links: str | None = None
    """All ``Link`` fields as one."""


@dataclass(frozen=True, slots=True)
class Partial:
    """A 206: exactly these octets of a representation of *length* octets follow."""

    range: ByteRange
    length: int | None


@dataclass(frozen=True, slots=True)
class Whole:
    """A 200: the whole representation follows, from its first octet."""

    length: int | None


@dataclass(frozen=True, slots=True)
class Unsatisfiable:
    """A 416: the origin's representation has *length* octets, or it does not say."""

    length: int | None


Acceptance = Partial | Whole | Unsatisfiable


def judge(answer: Answer, asked: ByteRange | None, length: int | None, *, now: float) -> Acceptance:
    """What the octets of *answer* are.

    :param asked: the range that was asked for; None: no Range was sent.
    :param length: the complete length as far as known; not compared for a 200.
    :param now: seconds since the epoch, for Retry-After dates.
    :raises OriginFault: the answer's octets must not be kept; the class says why.
    """
    if answer.status in (200, 206):
        _refuse_coding(answer)
    if answer.status == 206:
        return _judge_partial(answer, asked, length)
    if answer.status == 200:
        return Whole(answer.content_length)
    if answer.status == 416 and asked is not None:
        return Unsatisfiable(_unsatisfied_length(answer))
    raise fault_of_status(answer, now)


def _refuse_coding(answer: Answer) -> None:
    coding = (answer.content_encoding or "").strip().lower()
    if coding not in ("", "identity"):
        raise BadResponse(
            f"the origin sends the file coded as {coding!r} though identity was asked for",
            url=answer.url,
        )


def _judge_partial(answer: Answer, asked: ByteRange | None, length: int | None) -> Partial:
    if asked is None:
        raise BadResponse("206 though no range was asked for", url=answer.url)
    if (answer.content_type or "").lower().startswith("multipart/byteranges"):
        raise NoRanges("multipart/byteranges in answer to a single range", url=answer.url)
    given = parse_content_range(answer.content_range) if answer.content_range else None
    if given is None or given.range is None:
        raise BadResponse(
            f"206 with an unusable Content-Range ({answer.content_range!r})", url=answer.url
        )
    piece, total = given.range, given.complete_length
    if piece.start != asked.start or piece.stop > asked.stop:
        raise NoRanges(
            f"asked for octets {asked.start}-{asked.stop - 1}, offered {answer.content_range}",
            url=answer.url,
        )
    if length is not None and total is not None and total != length:
        raise Changed(f"the length was {length}, now it is {total}", url=answer.url)
    if answer.content_length is not None and answer.content_length != len(piece):
        raise BadResponse(
            f"Content-Length {answer.content_length} does not fit {answer.content_range}",
            url=answer.url,
        )
    return Partial(piece, total)


def _unsatisfied_length(answer: Answer) -> int | None:
    given = parse_content_range(answer.content_range) if answer.content_range else None
    return given.complete_length if given is not None and given.range is None else None


class Refusal(Protocol):
    """What there is of any answer that says no."""

    @property
    def status(self) -> int:
        """The status code."""

    @property
    def url(self) -> str:
        """The address that answered."""

    @property
    def retry_after(self) -> str | None:
        """The raw Retry-After field."""


def fault_of_status(answer: Refusal, now: float) -> OriginFault:
    """The fault that a status stands for which is neither a success nor a redirect.

    :param now: seconds since the epoch, for Retry-After dates.
    """
    fault = _named(answer, f"the origin answered {answer.status}", now)
    fault.answered = answer.status
    return fault


def _named(answer: Refusal, text: str, now: float) -> OriginFault:
    status, url = answer.status, answer.url
    if class_of_status(status) is RetryClass.THROTTLED:
        after = parse_retry_after(answer.retry_after, now=now) if answer.retry_after else None
        return Throttled(text, url=url, retry_after=after)
    if status in _BY_STATUS:
        return _BY_STATUS[status](text, url=url)
    if status == 412:
        return Changed("the origin says that the file changed (412)", url=url)
    hopeful = class_of_status(status) is RetryClass.TRANSIENT
    return (ServerError if hopeful else Refused)(text, url=url)


_BY_STATUS: Mapping[int, type[OriginFault]] = {
    **dict.fromkeys((401, 403, 407), Unauthorized),
    **dict.fromkeys((404, 410), Missing),
    408: TimedOut,
}
