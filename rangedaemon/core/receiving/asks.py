"""
What of a request decides about an upload before its first octet is looked at.

Field names are lower case, values are latin-1 with repeated lines joined (RFC 9110, 5.3),
so a field that may stand once and came twice is malformed for whoever reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from rangedaemon.core.grammar import OWS, TOKEN, parse_digits
from rangedaemon.core.responses import Field
from rangedaemon.errors import ClientFault

LARGEST = (1 << 63) - 1
"""What an offset or a length may be: more than any file system takes."""

_MEDIA_TYPE = re.compile(rf"({TOKEN}/{TOKEN})[ \t]*(?:;.*)?", re.DOTALL)


class Refusal(ClientFault):
    """A request that is not followed; *status* and *fields* are those of its answer."""

    code = "upload-refused"
    title = "The upload is refused"

    def __init__(self, status: int, sentence: str, *fields: Field) -> None:
        super().__init__(sentence)
        self.http_status = status
        self.fields = fields


@dataclass(frozen=True, slots=True)
class Ask:
    """The head of a request."""

    method: str
    fields: Mapping[str, str] = field(default_factory=dict)
    length: int | None = 0
    """Octets of the body; None where only its end will tell."""

    def get(self, name: str) -> str | None:
        """A field's value."""
        return self.fields.get(name)

    @property
    def media_type(self) -> str | None:
        """The media type of the body, lower case and without parameters; None: no or a bad one."""
        match = _MEDIA_TYPE.fullmatch(self.fields.get("content-type", "").strip(OWS))
        return match[1].lower() if match else None

    def number(self, name: str) -> int | None:
        """
        A field that is a count of octets; None where it is absent.

        :raises Refusal: it is something else.
        """
        text = self.fields.get(name)
        if text is None:
            return None
        value = parse_digits(text.strip(OWS))
        if value is None or value > LARGEST:
            raise Refusal(400, f"{name.title()} has to be a number of octets.")
        return value
