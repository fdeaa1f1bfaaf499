"""
What an upload server's answer means: octets acknowledged, ask again, begin again, give up.

Pure.  Common to the protocols: RFC 9110 15 (status codes), RFC 4918 11.3 (423), RFC 6585
4 (429).  What only one protocol knows is in its own module beside this one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import http_sf

from rangedaemon.core.acceptance import fault_of_status
from rangedaemon.errors import (
    BadResponse,
    Locked,
    Missing,
    NoUploads,
    OffsetConflict,
    OriginFault,
    TooLarge,
    UploadGone,
)

_OFFSET = re.compile(r"[0-9]{1,18}")


@dataclass(frozen=True, slots=True)
class Answer:
    """A final answer: its head, and the beginning of its body."""

    status: int
    url: str
    """The address that may be told of: the endpoint, never an upload's own."""
    fields: Mapping[str, str]
    """By lower-case name; repeated ones joined by commas."""
    body: str = ""
    whole: bool = True
    """Whether it came in answer to a request that had been sent as a whole."""

    @property
    def ok(self) -> bool:
        """Whether it is a 2xx."""
        return 200 <= self.status < 300

    @property
    def retry_after(self) -> str | None:
        """The raw Retry-After field."""
        return self.fields.get("retry-after")


def refusal(answer: Answer, now: float, *, begun: bool) -> OriginFault:
    """The fault that an answer which is no success stands for.

    :param now: seconds since the epoch.
    :param begun: whether an upload of ours was asked for, and not the endpoint.
    """
    fault = _refusal(answer, now, begun=begun)
    fault.answered = answer.status
    return fault


def _refusal(answer: Answer, now: float, *, begun: bool) -> OriginFault:
    text, url = f"the server answered {answer.status}", answer.url
    if answer.status == 409:
        return OffsetConflict(text, url=url)
    if answer.status == 412:
        return NoUploads(f"{text}: it speaks another version of the protocol", url=url)
    if answer.status == 413:
        return TooLarge(f"{text}: it does not take so much", url=url)
    if answer.status == 423:
        return Locked(f"{text}: the upload is locked", url=url)
    if answer.status == 460:
        return BadResponse(f"{text}: the octets arrived damaged", url=url)
    fault = fault_of_status(answer, now)
    if begun and isinstance(fault, Missing):
        return UploadGone(text, url=url)
    return fault


def offset_of(answer: Answer) -> int:
    """Octets that the server has, as ``Upload-Offset`` says.

    :raises BadResponse: it does not say.
    """
    text = answer.fields.get("upload-offset", "").strip()
    if not _OFFSET.fullmatch(text):
        raise BadResponse("the server does not say how much it has", url=answer.url)
    return int(text)


def flag_of(answer: Answer, name: str) -> bool | None:
    """A structured boolean (RFC 9651, 3.3.6); None where there is none, or a broken one."""
    try:
        item: Any = http_sf.parse(answer.fields[name].encode("latin-1"), tltype="item")
    except (KeyError, ValueError):
        return None
    value = item[0]
    return value if isinstance(value, bool) else None


def limits_of(answer: Answer) -> Mapping[str, int]:
    """``Upload-Limit``: octets and seconds by name; what is no integer is left out."""
    try:
        told: Any = http_sf.parse(
            answer.fields["upload-limit"].encode("latin-1"), tltype="dictionary"
        )
    except (KeyError, ValueError):
        return {}
    values = {name: member[0] for name, member in told.items()}
    return {name: v for name, v in values.items() if type(v) is int and v >= 0}
