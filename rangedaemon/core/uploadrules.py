"""
What may be done with an upload: pure rules over `rangedaemon.core.uploads`.

Octets in order go on where the upload ends (tus 1.0.0, core protocol, PATCH; IETF draft,
4.4); segments may come in any order, but two requests never write the same octet at the
same time (upload protocol of the nginx upload module).  A length, once told, never
changes (tus, creation-defer-length; IETF draft, 4.1.3).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from rangedaemon.core.disposition import safe_filename
from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.uploadfaults import (
    AlreadyFinished,
    LengthMismatch,
    NameRefused,
    NotAPart,
    NotWhole,
    OffsetMismatch,
    QuotaExceeded,
    TooLong,
    TooManyPieces,
    TooManyUploads,
    UnknownAlgorithm,
    UploadGone,
    busy_with,
)
from rangedaemon.core.uploads import Upload, UploadState

LONGEST = 2**50
"""Octets of an upload that nothing else bounds; thousands of them can still be added up."""
MOST_PIECES = 4096
"""Separate byte ranges of one upload: what a hostile sender can make the journal keep."""
DEEPEST = 32
"""Directories between a mount's root and a file that is uploaded."""

DIGEST_LENGTHS = {"md5": 32, "sha-1": 40, "sha-256": 64, "sha-512": 128}
"""The algorithms that octets are judged by, with the length of their digests in hex."""

_HEX = re.compile(r"[0-9a-f]+")


# -- names ------------------------------------------------------------------------


def final_name(wished: str, *, hidden_files: bool) -> str:
    """
    The name of the published file.

    :raises NameRefused: nothing usable is left of it, or it is hidden.
    """
    last = re.split(r"[/\\]", wished)[-1].strip()
    if last.startswith(".") and not hidden_files:
        raise NameRefused("names that begin with a dot are not taken here; choose another name")
    safe = safe_filename(last)
    if safe is None:
        raise NameRefused("the name has nothing in it that a file could be called; choose another")
    return safe if not last.startswith(".") else "." + safe


def check_directory(segments: Sequence[str], *, hidden_files: bool) -> None:
    """:raises NameRefused: a path that leaves the root, hides, or goes too deep."""
    if len(segments) > DEEPEST:
        raise NameRefused(f"more than {DEEPEST} directories above the file")
    for segment in segments:
        if segment in {"", ".", ".."} or not {"/", "\\", "\0"}.isdisjoint(segment):
            raise NameRefused("the path has a segment that is no directory's name")
        if segment.startswith(".") and not hidden_files:
            raise NameRefused("directories that begin with a dot are not taken here")


def parse_digest(told: str) -> tuple[str, str]:
    """
    Algorithm and hex of an ``algorithm=hex``.

    :raises UnknownAlgorithm: of another kind.
    """
    algorithm, _, digest = told.partition("=")
    digest = digest.lower()
    if algorithm not in DIGEST_LENGTHS:
        known = ", ".join(sorted(DIGEST_LENGTHS))
        raise UnknownAlgorithm(f"digests of that kind cannot be made; use one of {known}")
    if len(digest) != DIGEST_LENGTHS[algorithm] or not _HEX.fullmatch(digest):
        raise UnknownAlgorithm(f"that is no {algorithm} digest")
    return algorithm, digest


# -- lengths ----------------------------------------------------------------------


def check_length(length: int, max_size: int | None) -> None:
    """:raises TooLong: above what a mount takes. :raises LengthMismatch: below nothing."""
    if length < 0:
        raise LengthMismatch("a length cannot be negative")
    most = longest(max_size)
    if length > most:
        raise TooLong(f"{length} octets are more than the {most} that are taken here")


def longest(max_size: int | None) -> int:
    """Octets that an upload may have."""
    return LONGEST if max_size is None else min(max_size, LONGEST)


def with_length(upload: Upload, length: int, max_size: int | None) -> Upload:
    """
    The upload with its length told, which may be what is known.

    :raises LengthMismatch, TooLong, AlreadyFinished: it cannot have that length.
    """
    if upload.length == length:
        return upload
    check_takes_octets(upload)
    if upload.length is not None:
        raise LengthMismatch(
            f"the upload's length is {upload.length}, and {length} was told: it never changes"
        )
    check_length(length, max_size)
    end = end_of(upload.arrived)
    if length < end:
        raise LengthMismatch(f"a length of {length} was told, but {end} octets are there")
    return replace(upload, length=length, reserved=length)


def end_of(octets: IntervalSet) -> int:
    """The position behind the last octet of a set."""
    pairs = octets.to_pairs()
    return pairs[-1][1] if pairs else 0


# -- runs of octets -----------------------------------------------------------------


def check_takes_octets(upload: Upload) -> None:
    """:raises AlreadyFinished, UploadGone, NotAPart: it takes none, now or ever."""
    if upload.state in (UploadState.GONE, UploadState.KEPT):
        raise UploadGone("the upload is gone: begin a new one")
    if upload.state is not UploadState.OPEN:
        raise AlreadyFinished("the upload is whole and published; begin a new one")
    if upload.parts is not None:
        raise NotAPart("the upload is joined from others; it takes no octets itself")


def admit_run(
    upload: Upload,
    offset: int,
    count: int | None,
    *,
    max_size: int | None,
    writing: Sequence[ByteRange] = (),
) -> ByteRange:
    """
    The octets that a run from *offset* on may bring.

    :param count: octets that are announced; None: as many as there may be.
    :param writing: what other requests bring to this upload right now.
    :raises OffsetMismatch, TooLong, UploadBusy, TooManyPieces: none.
    :raises AlreadyFinished, UploadGone, NotAPart: the upload takes no octets.
    """
    check_takes_octets(upload)
    if upload.scope.protocol.in_order and offset != upload.offset:
        raise OffsetMismatch(upload.offset, offset)
    most = longest(max_size) if upload.length is None else upload.length
    stop = most if count is None else offset + count
    if offset < 0 or stop > most or offset > most:
        raise TooLong(f"octets {offset} to {stop} do not fit into {most}")
    run = ByteRange(offset, stop)
    for piece in writing:
        if piece.clamp(run):
            raise busy_with(piece)
    if run and len(upload.arrived.add(run).to_pairs()) + len(writing) > MOST_PIECES:
        raise TooManyPieces(
            f"the octets would lie in more than {MOST_PIECES} places; send them in order"
        )
    return run


def missing_of(run: ByteRange, arrived: IntervalSet) -> IntervalSet:
    """The octets of a run that are not there yet: what is acknowledged is never written again."""
    return arrived.gaps(run) if run else EMPTY


def joined_length(parts: Sequence[Upload]) -> int:
    """
    The length of partial uploads one behind the other.

    :raises NotAPart: one is not partial. :raises NotWhole: one is not whole.
    """
    for part in parts:
        if not part.partial:
            raise NotAPart(f"upload {part.id} was not created to be joined with others")
        if not part.whole:
            raise NotWhole(f"upload {part.id} is not whole; send the rest of it first")
    return sum(part.length or 0 for part in parts)


# -- quotas -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Limits:
    """What a mount allows; None: no limit."""

    quota: int | None = None
    quota_per_owner: int | None = None
    max_unfinished: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """What a mount's uploads take at present."""

    octets: int = 0
    of_owner: int = 0
    unfinished: int = 0


def check_quota(usage: Usage, more: int, limits: Limits) -> None:
    """:raises QuotaExceeded: *more* octets are too many."""
    if more <= 0:
        return
    for taken, limit, whose in (
        (usage.octets, limits.quota, "this mount"),
        (usage.of_owner, limits.quota_per_owner, "one user"),
    ):
        if limit is not None and taken + more > limit:
            raise QuotaExceeded(
                f"{more} octets more are above the quota of {whose}: {taken} of {limit} are taken; "
                "finish or remove others first"
            )


def check_unfinished(usage: Usage, limits: Limits) -> None:
    """:raises TooManyUploads: not one more."""
    if limits.max_unfinished is not None and usage.unfinished >= limits.max_unfinished:
        raise TooManyUploads(
            f"{usage.unfinished} uploads are unfinished here, and no more are taken; "
            "finish or remove some, or come back later"
        )
