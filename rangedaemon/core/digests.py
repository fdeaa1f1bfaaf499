"""
Digests of a representation: what is wanted, and how they are written (RFC 9530).

Only algorithms that the registry calls active are offered; the others protect
against accidents at best.
"""

from __future__ import annotations

from base64 import b64encode

import http_sf

ALGORITHMS = ("sha-256", "sha-512")
"""Those that we make, the one that we would rather make first."""

_MAX_LENGTH = 1000


def wanted_algorithm(want: str | None) -> str | None:
    """
    The algorithm of ours that a ``Want-Repr-Digest`` likes best (RFC 9530, 4).

    :returns: None where the field is absent or broken, or wants none of ours.
    """
    if want is None or len(want) > _MAX_LENGTH:
        return None
    try:
        members = http_sf.parse(want.encode("latin-1"), tltype="dictionary")
    except ValueError:
        return None
    if not isinstance(members, dict):
        return None
    weights = {name: _weight(members.get(name)) for name in ALGORITHMS}
    best = max(ALGORITHMS, key=lambda name: weights[name])
    return best if weights[best] > 0 else None


def _weight(member: object) -> int:
    """An integer from 0 (not acceptable) to 10; anything else counts as 0."""
    value = member[0] if isinstance(member, tuple) else None
    return value if type(value) is int and 0 <= value <= 10 else 0


def format_digest(algorithm: str, digest: bytes) -> str:
    """A ``Repr-Digest`` of one algorithm."""
    return f"{algorithm}=:{b64encode(digest).decode()}:"
