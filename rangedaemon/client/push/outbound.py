"""What all uploads of a daemon share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rangedaemon.client.pacing import Pacer
from rangedaemon.client.push.sender import Sender
from rangedaemon.core.access import Access
from rangedaemon.storage.localfile import Allowed


@dataclass(frozen=True, slots=True)
class Outbound:
    """Connections, what may be read, and how fast it may leave."""

    sender: Sender
    access: Access
    """What goes along to whom, and by which route."""
    allowed: Allowed
    pacer: Pacer
    """The rates that all uploads share."""
    new_token: Callable[[], str]
    """A fresh text that nobody guesses, of the characters 0-9 a-f."""
