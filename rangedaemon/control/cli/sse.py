"""
Server-Sent Events as the daemon sends them (HTML Living Standard, section 9.2.6).

Pure: lines in, events out.  Lines and events are bounded, since what is read here
comes from the network.
"""

from __future__ import annotations

from dataclasses import dataclass

LONGEST_LINE = 4 << 20
LARGEST_EVENT = 8 << 20


class MalformedStream(Exception):
    """The stream breaks a bound, or is not text."""


@dataclass(frozen=True, slots=True)
class Event:
    """One event: its kind, its text and the id to start again after."""

    kind: str
    text: str
    id: str | None = None


class EventReader:
    """Puts events together of the lines of one stream."""

    def __init__(self) -> None:
        self._kind = ""
        self._lines: list[str] = []
        self._octets = 0
        self.last_id: str | None = None

    def line(self, raw: bytes) -> Event | None:
        """
        Take one line with or without its end; the event where the line ends one.

        :raises MalformedStream: over a bound, or not UTF-8.
        """
        if len(raw) > LONGEST_LINE or self._octets > LARGEST_EVENT:
            raise MalformedStream("an event is larger than this client takes")
        try:
            text = raw.decode().rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise MalformedStream("the events are not UTF-8") from error
        if not text:
            return self._finish()
        self._field(*text.partition(":"))
        return None

    def _field(self, name: str, _: str, value: str) -> None:
        """Keep what one field says; comments and unknown fields say nothing."""
        value = value.removeprefix(" ")
        if name == "event":
            self._kind = value
        elif name == "data":
            self._lines.append(value)
            self._octets += len(value)
        elif name == "id" and "\0" not in value:
            self.last_id = value

    def _finish(self) -> Event | None:
        """The event that an empty line ends; none where there was no data."""
        kind, lines = self._kind or "message", self._lines
        self._kind, self._lines, self._octets = "", [], 0
        return Event(kind, "\n".join(lines), self.last_id) if lines else None
