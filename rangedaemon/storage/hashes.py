"""Hash states, and who feeds them octets of a part file off the reactor thread."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Protocol

from twisted.internet.defer import Deferred

HASHLIB_NAMES = {
    "sha-256": "sha256",
    "sha-512": "sha512",
    "sha-1": "sha1",
    "sha": "sha1",
    "md5": "md5",
    "blake2b": "blake2b",
}


class HashState(Protocol):
    """What `hashlib` gives."""

    def update(self, data: bytes, /) -> None:
        """Take the next octets."""

    def copy(self) -> HashState:
        """Another one that goes on from here."""

    def hexdigest(self) -> str:
        """The digest of what it took."""


HashInto = Callable[[HashState, int, int], Deferred[None]]
"""``hash_into(state, start, stop)`` feeds *state* those octets of the part file."""


def new_hash(algorithm: str) -> HashState:
    """A fresh state of an algorithm by the name that digests are written with."""
    return hashlib.new(HASHLIB_NAMES[algorithm], usedforsecurity=False)
