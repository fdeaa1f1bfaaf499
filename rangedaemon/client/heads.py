"""
A bound on the head of an answer: a peer may not fill the memory with header fields.

Twisted's client keeps every field, however many come; only the time until the head is
whole is limited, and a gigabyte comes in a second.  Interim answers (1xx) count too, as
there may be any number of them before the final one.
"""

from __future__ import annotations

from typing import Any

MOST_HEAD = 256 * 1024
"""Octets of one answer's head, interim answers included, give or take one read."""
_IN_HEAD = ("STATUS", "HEADER")
"""What the parser calls its states before a body."""


def bound_head(protocol: Any) -> None:
    """Close the connection of *protocol*, an HTTP client's, where a head does not end.

    How far it is its parser tells by private attributes, so their absence only costs
    the bound.
    """
    receive = protocol.dataReceived
    came = 0

    def received(data: bytes) -> None:
        nonlocal came
        receive(data)
        parser = getattr(protocol, "_parser", None)
        came = came + len(data) if getattr(parser, "state", None) in _IN_HEAD else 0
        if came > MOST_HEAD:
            came = 0
            protocol.transport.abortConnection()

    protocol.dataReceived = received
