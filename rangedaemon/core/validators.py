"""
What may be resumed: is the representation that answers the one that we have a part of?

Partial answers may be joined only where they share a strong validator (RFC 9110
15.3.7.3); a date is strong where the answer that carried it is at least a minute
younger (RFC 9110 8.8.2.2).  The answer is *same*, *changed* or *cannot tell*, with
the reason in words; who gets *cannot tell* must prove it by the octets (an
overlap, a digest) or begin again, and never takes it for *same*.  A digest of the
whole representation that the origin promises with its answers (RFC 9530) is as good
as a strong tag, and better: it is of the octets.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rangedaemon.core.dates import parse_http_date
from rangedaemon.core.etags import EntityTag, parse_entity_tag
from rangedaemon.core.jobs import ACTIVE, Remembered

STRONG_DATE_AGE = 60
"""Seconds between Last-Modified and Date that make the former a strong validator."""


class Verdict(StrEnum):
    """The three answers."""

    SAME = "same"
    CHANGED = "changed"
    CANNOT_TELL = "cannot tell"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the sentence that explains it."""

    verdict: Verdict
    reason: str


def strong_etag(remembered: Remembered) -> EntityTag | None:
    """The entity tag where there is a strong one."""
    tag = parse_entity_tag(remembered.etag) if remembered.etag is not None else None
    return tag if tag is not None and not tag.weak else None


def strong_date(remembered: Remembered) -> bool:
    """Whether Last-Modified is old enough, by the origin's own clock, to be strong."""
    if remembered.last_modified is None or remembered.date is None:
        return False
    date = parse_http_date(remembered.date, now=0)
    modified = parse_http_date(remembered.last_modified, now=0)
    return date is not None and modified is not None and date - modified >= STRONG_DATE_AGE


def is_strong(remembered: Remembered) -> bool:
    """Whether ranges of this representation may be joined by its validator alone."""
    promised = strong_digest(remembered) is not None
    return promised or strong_etag(remembered) is not None or strong_date(remembered)


def strong_digest(remembered: Remembered) -> tuple[str, str] | None:
    """The promised digest where its algorithm may tell representations apart."""
    algorithm, _, digest = (remembered.digest or "").partition("=")
    return (algorithm, digest) if algorithm in ACTIVE else None


def compare(remembered: Remembered, seen: Remembered) -> Judgement:
    """Whether *seen* is the representation *remembered*.

    A validator that an answer leaves out says nothing by itself, except that a 206
    to If-Range may leave out Last-Modified (RFC 9110 15.3.7); a tag that stays
    while the date moves, or moves while the date stays, is for the octets to decide.
    """
    if _lengths_differ(remembered, seen):
        return Judgement(
            Verdict.CHANGED, f"the length was {remembered.length}, now it is {seen.length}"
        )
    promised, promised_now = strong_digest(remembered), strong_digest(seen)
    if promised and promised_now and promised[0] == promised_now[0]:
        return _compare_digests(promised, promised_now)
    if remembered.etag is not None and seen.etag is not None:
        return _compare_tags(remembered, seen)
    if remembered.etag is not None:
        return Judgement(Verdict.CANNOT_TELL, "the entity tag is gone from the answer")
    return _compare_dates(remembered, seen)


def _compare_digests(remembered: tuple[str, str], seen: tuple[str, str]) -> Judgement:
    if remembered == seen:
        return Judgement(Verdict.SAME, f"the promised {seen[0]} is the same")
    return Judgement(Verdict.CHANGED, f"another {seen[0]} is promised now")


def _lengths_differ(remembered: Remembered, seen: Remembered) -> bool:
    return None not in (remembered.length, seen.length) and remembered.length != seen.length


def _date_moved(remembered: Remembered, seen: Remembered) -> bool:
    dates = (remembered.last_modified, seen.last_modified)
    return None not in dates and dates[0] != dates[1]


def _compare_tags(remembered: Remembered, seen: Remembered) -> Judgement:
    ours, theirs = strong_etag(remembered), strong_etag(seen)
    moved = _date_moved(remembered, seen)
    if ours is not None and theirs is not None and ours.strong_equal(theirs):
        if moved:
            return Judgement(Verdict.CANNOT_TELL, "the tag stayed but Last-Modified moved")
        return Judgement(Verdict.SAME, "the strong entity tag is the same")
    if remembered.etag == seen.etag:
        return _same_weak_tag(remembered, seen)
    if moved:
        return Judgement(
            Verdict.CHANGED,
            f"the tag was {remembered.etag}, now it is {seen.etag}, and it is dated anew",
        )
    return Judgement(
        Verdict.CANNOT_TELL,
        f"the tag was {remembered.etag}, now it is {seen.etag}, undated or dated alike",
    )


def _same_weak_tag(remembered: Remembered, seen: Remembered) -> Judgement:
    if strong_date(remembered) and remembered.last_modified == seen.last_modified:
        return Judgement(Verdict.SAME, "the weak tag and the strong date are the same")
    return Judgement(Verdict.CANNOT_TELL, "a weak entity tag does not vouch for the octets")


def _compare_dates(remembered: Remembered, seen: Remembered) -> Judgement:
    if remembered.last_modified is None or seen.last_modified is None:
        return Judgement(Verdict.CANNOT_TELL, "the answer carries no validator that we know")
    if remembered.last_modified != seen.last_modified:
        return Judgement(
            Verdict.CHANGED,
            f"Last-Modified was {remembered.last_modified}, now it is {seen.last_modified}",
        )
    if strong_date(remembered):
        return Judgement(Verdict.SAME, "the strong date is the same")
    return Judgement(Verdict.CANNOT_TELL, "the date is too young to vouch for the octets")
