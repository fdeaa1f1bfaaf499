"""
How wrong tokens are slowed down: pure bookkeeping, time is an argument.

A peer may be wrong a few times for nothing; then its refusals are held back, each
longer than the one before.  So many are held at once for a peer and for all
together; whoever wants more is told so at once and loses the connection.  A right
token is never held up: on a shared address (loopback) a stranger's guesses must
not lock its owner out, and what is guessed at has 96 bits and more.
"""

from __future__ import annotations

import ipaddress
import math
from collections import OrderedDict
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache

from rangedaemon.errors import ClientFault

FREE = 5
"""Wrong tokens that cost nothing."""
LONGEST = 8.0
"""Seconds that a refusal is held back, at most."""
FORGIVEN_AFTER = 30.0
"""Seconds after which one wrong token is forgotten."""
HELD_PER_PEER = 4
HELD_IN_ALL = 64
PEERS = 1024
"""Peers that are remembered; the one that has been quiet the longest goes first."""


class TooManyFailures(ClientFault):
    """More wrong tokens at once than are held back."""

    code = "too-many-failures"
    title = "Too many wrong tokens"
    status = 429


@dataclass(slots=True)
class _Peer:
    failures: float = 0.0
    at: float = 0.0
    held: int = 0


@lru_cache(256)
def peer_of(host: str | None) -> str:
    """Who *host* is to us: an address, the /64 of an IPv6 one; all of a Unix socket are one."""
    with suppress(ValueError):
        address = ipaddress.ip_address((host or "").partition("%")[0])
        if isinstance(address, ipaddress.IPv6Address):
            mapped = address.ipv4_mapped
            return str(mapped or ipaddress.ip_network((address, 64), strict=False))
        return str(address)
    return host or "local"


def delay(failures: int) -> float:
    """Seconds that the refusal of the so manieth wrong token is held back."""
    over = failures - FREE
    return min(LONGEST, 2.0 ** min(over - 1, 10)) if over > 0 else 0.0


class Patience:
    """Who was wrong how often, and whose refusals are held back now."""

    def __init__(self) -> None:
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self._held = 0

    def hold(self, name: str, now: float, fixed: float | None = None) -> float:
        """
        Count a wrong token of the peer *name*.

        :param fixed: so many seconds, whatever came before.
        :returns: seconds to hold the refusal back; call `release` afterwards, also for 0.
        :raises TooManyFailures: it cannot be held; do not call `release`.
        """
        peer = self._known(name, now)
        peer.failures += 1
        if peer.held >= HELD_PER_PEER or self._held >= HELD_IN_ALL:
            raise TooManyFailures("too many wrong tokens; wait a while, and look at the token")
        peer.held += 1
        self._held += 1
        return delay(math.ceil(peer.failures)) if fixed is None else fixed

    def release(self, name: str) -> None:
        """A refusal that was held back is sent, or its caller is gone."""
        self._held -= 1
        self._peers[name].held -= 1

    def _known(self, name: str, now: float) -> _Peer:
        peer = self._peers.setdefault(name, _Peer(at=now))
        self._peers.move_to_end(name)
        peer.failures = max(0.0, peer.failures - (now - peer.at) / FORGIVEN_AFTER)
        peer.at = now
        while len(self._peers) > PEERS:
            self._forget_oldest()
        return peer

    def _forget_oldest(self) -> None:
        """There are fewer held peers than remembered ones, so some peer is always idle."""
        del self._peers[next(name for name, peer in self._peers.items() if not peer.held)]
