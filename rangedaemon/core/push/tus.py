"""
tus 1.0.0 as a client speaks it: fields of requests, and what a server offers.

Pure.  The protocol's own text: core, creation, concatenation.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping

from rangedaemon.core.push.answers import Answer

VERSION = "1.0.0"
APPEND_TYPE = "application/offset+octet-stream"

_KEY = re.compile(r"[!-+\--~]{1,100}")
"""Neither space nor comma (creation, Upload-Metadata)."""


def is_metadata_key(text: str) -> bool:
    """Whether *text* may name a value in ``Upload-Metadata``."""
    return _KEY.fullmatch(text) is not None


def format_metadata(values: Mapping[str, str]) -> str:
    """The value of ``Upload-Metadata``."""
    pairs = ((key, b64encode(text.encode("utf-8", "replace"))) for key, text in values.items())
    return ",".join(f"{key} {octets.decode('ascii')}".rstrip() for key, octets in pairs)


def format_final(addresses: Iterable[str]) -> str:
    """The value of ``Upload-Concat`` that joins uploads, in this order."""
    return "final;" + " ".join(addresses)


def extensions(answer: Answer) -> frozenset[str]:
    """What a server can do beside the core, as its answer to OPTIONS says."""
    told = answer.fields.get("tus-extension", "")
    return frozenset(name.strip() for name in told.split(",") if name.strip())


def most(answer: Answer) -> int | None:
    """``Tus-Max-Size``: octets; None where no limit is told."""
    text = answer.fields.get("tus-max-size", "").strip()
    return int(text) if re.fullmatch(r"[0-9]{1,18}", text) else None
