"""
Preconditions: whether a request goes on, and whether its ``Range`` counts.

The order is that of RFC 9110, section 13.2.2.  Fields that cannot be understood:
an ``If-Match`` matches nothing, an ``If-None-Match`` neither, a date other than
``If-Range``'s is ignored, an ``If-Range`` is not fulfilled.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rangedaemon.core.dates import parse_http_date
from rangedaemon.core.etags import EntityTag, parse_entity_tag, parse_tag_list

STRONG_DATE_AGE = 60
"""
Seconds after which a Last-Modified counts as strong (8.8.2.2).

A file may change twice in the second that its date names; a minute later, with
clocks that agree so far, it cannot any more.
"""


@dataclass(frozen=True, slots=True)
class Conditions:
    """The conditional fields of a request: joined values as latin-1 text, None where absent."""

    if_match: str | None = None
    if_unmodified_since: str | None = None
    if_none_match: str | None = None
    if_modified_since: str | None = None
    if_range: str | None = None


UNCONDITIONAL = Conditions()
"""No conditional field at all."""


@dataclass(frozen=True, slots=True)
class Validators:
    """What tells the current representation from others; None for what it has not."""

    etag: EntityTag | None = None
    last_modified: int | None = None
    """Whole seconds since the epoch, as sent."""


NO_VALIDATORS = Validators()
"""Nothing to tell it by."""


class Verdict(Enum):
    """What the preconditions say of a request."""

    GO_ON = "go on"
    NOT_MODIFIED = "304"
    FAILED = "412"


def evaluate(method: str, asked: Conditions, current: Validators, *, now: float) -> Verdict:
    """Steps 1 to 4 of section 13.2.2, for a target that exists."""
    if _must_stop(asked, current, now):
        return Verdict.FAILED
    safe = method in {"GET", "HEAD"}
    if asked.if_none_match is not None:
        tags = parse_tag_list(asked.if_none_match)
        if tags is not None and tags.has_weak(current.etag):
            return Verdict.NOT_MODIFIED if safe else Verdict.FAILED
    elif safe and _unmodified_since(asked.if_modified_since, current, now):
        return Verdict.NOT_MODIFIED
    return Verdict.GO_ON


def _must_stop(asked: Conditions, current: Validators, now: float) -> bool:
    if asked.if_match is not None:
        tags = parse_tag_list(asked.if_match)
        return tags is None or not tags.has_strong(current.etag)
    return _unmodified_since(asked.if_unmodified_since, current, now) is False


def _unmodified_since(field: str | None, current: Validators, now: float) -> bool | None:
    """Whether nothing changed after the date in *field*; None where that cannot be said."""
    if field is None or current.last_modified is None:
        return None
    date = parse_http_date(field, now=now)
    return None if date is None else current.last_modified <= date


def range_counts(if_range: str | None, current: Validators, *, now: float) -> bool:
    """
    Step 5 of section 13.2.2: whether a ``Range`` is honoured (13.1.5).

    It is where the client's validator is the current one by the strong comparison;
    a date must be the very same and old enough to be strong.
    """
    if if_range is None:
        return True
    if '"' in if_range[:3]:
        tag = parse_entity_tag(if_range)
        return tag is not None and current.etag is not None and tag.strong_equal(current.etag)
    date = parse_http_date(if_range, now=now)
    if date is None or date != current.last_modified:
        return False
    return now - date >= STRONG_DATE_AGE
