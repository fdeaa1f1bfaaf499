"""
What an origin promises of its octets: digests, read from four generations of fields.

``Repr-Digest`` and ``Content-Digest`` (RFC 9530) are dictionaries of structured
fields; ``Digest`` (RFC 3230) and ``Content-MD5`` (RFC 1864) are what came before.  A
promise is kept as ``algorithm=hex``.  Only the active algorithms of RFC 9530 tell
representations apart or vouch for joined parts; the others find accidents.
"""

from __future__ import annotations

import binascii
from base64 import b64decode
from collections.abc import Mapping

import http_sf

from rangedaemon.core.acceptance import Answer
from rangedaemon.core.grammar import OWS
from rangedaemon.core.jobs import ACTIVE
from rangedaemon.core.ranges import parse_content_range

LENGTHS = {"sha-512": 64, "sha-256": 32, "sha-1": 20, "md5": 16}
"""Octets of the digests that we check, the most convincing first."""
_OTHER_NAMES = {"sha": "sha-1"}
_MAX_LENGTH = 4000


def parse_digest_field(text: str | None) -> dict[str, bytes]:
    """The digests of a ``Repr-Digest`` or ``Content-Digest`` that we can check.

    :returns: by algorithm; empty where the field is absent or broken.
    """
    if text is None or len(text) > _MAX_LENGTH:
        return {}
    try:
        members = http_sf.parse(text.encode("latin-1"), tltype="dictionary")
    except ValueError:
        return {}
    items = members.items() if isinstance(members, dict) else ()
    return _sound({name: _octets_of(member) for name, member in items})


def parse_legacy_digest(text: str | None) -> dict[str, bytes]:
    """The digests of a ``Digest`` field: names in any case, unquoted base64."""
    if text is None or len(text) > _MAX_LENGTH:
        return {}
    pairs = (element.strip(OWS).partition("=") for element in text.split(","))
    return _sound({name.lower(): _from_base64(value) for name, _, value in pairs})


def parse_content_md5(text: str | None) -> dict[str, bytes]:
    """The digest of a ``Content-MD5`` field."""
    if text is None or len(text) > _MAX_LENGTH:
        return {}
    return _sound({"md5": _from_base64(text.strip(OWS))})


def _octets_of(member: object) -> bytes:
    value = member[0] if isinstance(member, tuple) else None
    return bytes(value) if isinstance(value, bytes | bytearray) else b""


def _from_base64(text: str) -> bytes:
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error):
        return b""


def _sound(found: Mapping[str, bytes]) -> dict[str, bytes]:
    """Those of known algorithms whose length is right; the first of each name counts."""
    sound: dict[str, bytes] = {}
    for name, octets in found.items():
        algorithm = _OTHER_NAMES.get(name, name)
        if LENGTHS.get(algorithm) == len(octets):
            sound.setdefault(algorithm, octets)
    return sound


def best(promised: Mapping[str, bytes]) -> str | None:
    """The most convincing of *promised* as ``algorithm=hex``; SHA-256 is quick and enough."""
    for algorithm in ("sha-256", *LENGTHS):
        if algorithm in promised:
            return f"{algorithm}={promised[algorithm].hex()}"
    return None


def is_active(digest: str | None) -> bool:
    """Whether *digest* (``algorithm=hex``) may tell representations apart."""
    return digest is not None and digest.partition("=")[0] in ACTIVE


def promised_whole(answer: Answer) -> str | None:
    """What *answer* promises of the whole representation.

    ``Digest`` in a part's answer is ambiguous, as some hash the part: there it counts
    only beside links to duplicates, which demand the whole file's (RFC 6249, 6).
    ``Content-MD5`` never counts there.
    """
    whole = _is_whole(answer)
    promised = parse_digest_field(answer.repr_digest)
    if not promised and (whole or offers_duplicates(answer)):
        promised = parse_legacy_digest(answer.digest)
    if not promised and whole:
        promised = parse_digest_field(answer.content_digest)
    if not promised and whole:
        promised = parse_content_md5(answer.content_md5)
    return best(promised)


def promised_content(answer: Answer) -> str | None:
    """What the answer of a part promises of that part's octets.

    Servers that put the whole file's digest there, though they send a part, meant
    ``Repr-Digest``; such a field says nothing of the body.  What an answer of the whole
    promises is `promised_whole`'s.
    """
    content = parse_digest_field(answer.content_digest)
    if _is_whole(answer) or content == parse_digest_field(answer.repr_digest):
        return None
    return best(content)


def offers_duplicates(answer: Answer) -> bool:
    """Whether *answer* links to other places of the same file (RFC 6249)."""
    return answer.links is not None and "duplicate" in answer.links.lower()


def _is_whole(answer: Answer) -> bool:
    if answer.status == 200:
        return True
    given = parse_content_range(answer.content_range) if answer.content_range else None
    if answer.status != 206 or given is None or given.range is None:
        return False
    return given.range.start == 0 and given.range.stop == given.complete_length
