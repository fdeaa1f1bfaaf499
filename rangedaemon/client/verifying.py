"""
Whether a whole part file is what was promised, and how strong the proof is.

The strongest promise is checked: the checksum that was asked for, else the digest
that the origin told, else the pieces of a metalink, else the length alone.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from rangedaemon.core.jobs import JobRecord, Verified
from rangedaemon.errors import ChecksumMismatch

Digest = Callable[[str], Awaitable[str | None]]
"""The hex digest of the whole part file by an algorithm; None: it was stopped."""


@dataclass(frozen=True, slots=True)
class Proof:
    """By what a file was verified."""

    by: Verified
    digest: str | None = None
    """The digest that was checked, ``algorithm=hex``."""


def promise_of(record: JobRecord) -> tuple[Verified, str] | None:
    """The digest of the whole that is to be checked, and who promised it."""
    if record.spec.checksum is not None:
        return Verified.CHECKSUM, record.spec.checksum
    if record.remembered.digest is not None:
        return Verified.REPR_DIGEST, record.remembered.digest
    return None


def told_by_origin(record: JobRecord) -> str | None:
    """The digest that is to be checked where the origin alone told it; None: it was wished for.

    It belongs to the version that it was told of, and may outlive that.
    """
    promise, before = promise_of(record), record.spec.unlinked
    if promise is None or promise[0] is Verified.REPR_DIGEST:
        return promise and promise[1]
    return promise[1] if before is not None and promise[1] != before["checksum"] else None


async def verify(record: JobRecord, length: int, digest: Digest, *, pieces: bool) -> Proof | None:
    """By what the file was verified; None where *digest* was stopped.

    :param length: octets that came.
    :param pieces: whether every piece of it has the hash that was promised.
    :raises ChecksumMismatch: it is not what was promised.
    """
    size = record.spec.size
    if size not in (None, length):
        raise _mismatch(record, f"the file has {length} octets, {size} were promised")
    promise = promise_of(record)
    told = record.spec.pieces
    if told is not None and length and told.fits(length) and not pieces:
        raise _mismatch(record, "not every piece has the hash that was promised")
    if promise is None:
        return Proof(Verified.PIECES if pieces else Verified.LENGTH)
    by, promised = promise
    algorithm, _, wanted = promised.partition("=")
    got = await digest(algorithm)
    if got is None:
        return None
    if got != wanted.lower():
        who = "was promised" if by is Verified.CHECKSUM else "the origin promised"
        raise _mismatch(record, f"{algorithm} is {got}, {who} {wanted}")
    return Proof(by, f"{algorithm}={got}")


def _mismatch(record: JobRecord, what: str) -> ChecksumMismatch:
    url = record.remembered.url or record.spec.urls[0]
    return ChecksumMismatch(f"{what}; the octets were thrown away", url=url)
