"""
Fewer, larger reads over TLS.

A TLS record holds 16 KiB, and each would go through every layer of HTTP by itself.  All
records of one read of the socket are handed up together instead.
"""

from __future__ import annotations

from typing import Any

from twisted.protocols.tls import TLSMemoryBIOProtocol


class Gathering:
    """Between the TLS protocol of one connection and the protocol above it."""

    def __init__(self, tls: Any, above: Any) -> None:
        self._decrypt = tls.dataReceived
        self._deliver = above.dataReceived
        self._records: list[bytes] = []

    def received(self, data: bytes) -> None:
        """The socket brought *data*: decrypt all of it, then hand up what that gave."""
        self._decrypt(data)
        records, self._records = self._records, []
        if records:
            self._deliver(records[0] if len(records) == 1 else b"".join(records))

    def decrypted(self, record: bytes) -> None:
        """One record's octets."""
        self._records.append(record)


def gather(protocol: Any) -> None:
    """Let *protocol*, where it speaks TLS, get the records of one read at once."""
    tls = protocol.transport
    if isinstance(tls, TLSMemoryBIOProtocol):
        gathering = Gathering(tls, protocol)
        tls.dataReceived = gathering.received  # type: ignore[method-assign]
        protocol.dataReceived = gathering.decrypted
