"""Whether a whole part file is what was promised, and how strong the proof is."""

from __future__ import annotations

from collections.abc import Callable

from rangedaemon.client.workfile import Workfile
from rangedaemon.core.jobs import JobRecord, Verified
from rangedaemon.errors import ChecksumMismatch

HASHLIB_NAMES = {"sha-256": "sha256", "sha-512": "sha512", "sha-1": "sha1", "blake2b": "blake2b"}


async def verify(
    file: Workfile, record: JobRecord, length: int, go_on: Callable[[], bool]
) -> tuple[Verified, str | None] | None:
    """By what the file was verified and the digest that was; None where *go_on* said no.

    :raises ChecksumMismatch: it is not what was promised.
    """
    spec = record.spec
    if spec.checksum is None:
        return Verified.LENGTH, None
    algorithm, _, wanted = spec.checksum.partition("=")
    got = await file.digest(HASHLIB_NAMES.get(algorithm, algorithm), length, go_on)
    if got is None:
        return None
    if got != wanted.lower():
        raise ChecksumMismatch(
            f"{algorithm} is {got}, {wanted} was promised; the octets were thrown away",
            url=spec.urls[0],
        )
    return Verified.CHECKSUM, f"{algorithm}={got}"
