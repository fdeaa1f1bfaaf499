"""
Which pages of other origins may read: the fields of cross-origin sharing (WHATWG Fetch).

Besides what every page sees, a page that works with ranges needs to read the range
and validator fields, and to send ``Range`` and the conditions; one that uploads needs
the fields of the protocols.
"""

from __future__ import annotations

from collections.abc import Sequence

from rangedaemon.core.responses import Field

EXPOSED = (
    "Accept-Ranges, Content-Disposition, Content-Encoding, Content-Length, Content-Range, "
    "Date, ETag, Last-Modified, Link, Repr-Digest"
)
ALLOWED_FIELDS = (
    "Range, If-Match, If-Modified-Since, If-None-Match, If-Range, If-Unmodified-Since, "
    "Want-Repr-Digest"
)
EXPOSED_OF_UPLOADS = (
    "Location, Range, Tus-Checksum-Algorithm, Tus-Extension, Tus-Max-Size, Tus-Resumable, "
    "Tus-Version, Upload-Complete, Upload-Concat, Upload-Defer-Length, Upload-Expires, "
    "Upload-Length, Upload-Limit, Upload-Metadata, Upload-Offset"
)
ALLOWED_FIELDS_OF_UPLOADS = (
    "Authorization, Content-Digest, Content-Disposition, Content-Range, Content-Type, "
    "Repr-Digest, Session-ID, Tus-Resumable, Upload-Checksum, Upload-Complete, Upload-Concat, "
    "Upload-Defer-Length, Upload-Draft-Interop-Version, Upload-Length, Upload-Metadata, "
    "Upload-Offset, X-Content-Range, X-HTTP-Method-Override, X-Request-ID, X-Requested-With, "
    "X-Session-ID"
)
MAX_AGE = "86400"


def allowed_origin(allowed: Sequence[str], origin: str | None) -> str | None:
    """What ``Access-Control-Allow-Origin`` says to *origin*; None where nothing is allowed."""
    if "*" in allowed:
        return "*"
    return origin if origin is not None and origin in allowed else None


def sharing_fields(
    allowed: Sequence[str], origin: str | None, *, uploads: bool = False
) -> list[Field]:
    """The fields of every answer of a mount that is shared."""
    granted = allowed_origin(allowed, origin)
    if granted is None:
        return []
    exposed = f"{EXPOSED}, {EXPOSED_OF_UPLOADS}" if uploads else EXPOSED
    return [("Access-Control-Allow-Origin", granted), ("Access-Control-Expose-Headers", exposed)]


def preflight_fields(
    allowed: Sequence[str], origin: str | None, methods: str, *, uploads: bool = False
) -> list[Field]:
    """The further fields that answer a preflight."""
    if allowed_origin(allowed, origin) is None:
        return []
    names = f"{ALLOWED_FIELDS}, {ALLOWED_FIELDS_OF_UPLOADS}" if uploads else ALLOWED_FIELDS
    return [
        ("Access-Control-Allow-Methods", methods),
        ("Access-Control-Allow-Headers", names),
        ("Access-Control-Max-Age", MAX_AGE),
    ]
