"""A job's octets as a row of segments: what is there, what comes, what is missing."""

from __future__ import annotations

from collections.abc import Iterable

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import SegmentSnapshot
from rangedaemon.core.plan import OPEN_END, Claim


def segments_of(
    length: int | None, covered: IntervalSet, claims: Iterable[tuple[Claim, str]] = ()
) -> list[SegmentSnapshot]:
    """The segments of a representation in ascending order, without overlap.

    :param length: complete length in octets; None where it is not known: what lies
        behind the last known octet is left out.
    :param claims: what is being fetched now, each with the address it comes from.
    """
    whole = ByteRange(0, OPEN_END if length is None else length)
    rest = IntervalSet([whole])
    rows: list[SegmentSnapshot] = []
    for claim, url in sorted(claims, key=lambda pair: pair[0].start):
        span = ByteRange(claim.start, claim.position if claim.stop == OPEN_END else claim.stop)
        for piece in IntervalSet([span]) & rest:
            there = len(ByteRange(claim.start, claim.position).clamp(piece))
            rows.append(SegmentSnapshot(piece.start, piece.stop, there, "active", url))
        rest = rest.remove(span)
    rows += [SegmentSnapshot(p.start, p.stop, len(p), "done") for p in covered & rest]
    if length is not None:
        rows += [SegmentSnapshot(p.start, p.stop, 0, "missing") for p in rest - covered]
    return sorted(rows, key=lambda row: row.start)
