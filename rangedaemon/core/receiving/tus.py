"""
tus 1.0.0: what its requests ask for, and what its answers say.

The protocol text of 2016-03-25 with creation, creation-with-upload,
creation-defer-length, expiration, checksum, termination and concatenation.  Where it
leaves the status open, tusd's is taken, for clients were made to fit that.
"""

from __future__ import annotations

import binascii
import re
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from rangedaemon.core.dates import format_http_date
from rangedaemon.core.grammar import OWS
from rangedaemon.core.receiving.asks import Ask, Refusal
from rangedaemon.core.responses import Field

VERSION = "1.0.0"
EXTENSIONS = (
    "creation,creation-with-upload,creation-defer-length,expiration,checksum,"
    "termination,concatenation"
)
CHECKSUMS: Mapping[str, int] = {"sha1": 20, "sha256": 32, "sha512": 64, "md5": 16}
"""Algorithms of ``Upload-Checksum`` by the names of hashlib, and their octets."""

APPENDABLE = "application/offset+octet-stream"
MISMATCH = 460
"""The status of a checksum that is not that of the octets."""

MOST_METADATA = 8192
MOST_PARTS = 1000

_KEY = re.compile(r"[\x21-\x2b\x2d-\x7e]+")
_SPOKEN = (("Tus-Resumable", VERSION),)


# -- what is asked for ---------------------------------------------------------------


def is_spoken(ask: Ask) -> bool:
    """Whether a request is one of this protocol."""
    return ask.get("tus-resumable") is not None


def effective_method(ask: Ask) -> str:
    """The method, or the one that ``X-HTTP-Method-Override`` puts in a POST's place."""
    wanted = (ask.get("x-http-method-override") or "").upper()
    return wanted if ask.method == "POST" and wanted in {"PATCH", "DELETE"} else ask.method


def check_version(ask: Ask) -> None:
    """:raises Refusal: the client speaks another version."""
    if ask.get("tus-resumable") != VERSION:
        raise Refusal(
            412, f"This server speaks tus {VERSION}; say so in Tus-Resumable.",
            ("Tus-Version", VERSION),
        )  # fmt: skip


@dataclass(frozen=True, slots=True)
class Checksum:
    """What the octets of one request promise to be."""

    algorithm: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class Creation:
    """A new upload."""

    length: int | None
    """None: told later, or the sum of the parts."""
    metadata: Mapping[str, bytes]
    raw_metadata: str | None
    partial: bool = False
    """Whether it is to be a part of another, and never a file."""
    parts: tuple[str, ...] = ()
    """Paths of the uploads that it is made of."""
    has_content: bool = False
    """Whether the request brings the first octets."""
    checksum: Checksum | None = None

    @property
    def filename(self) -> str | None:
        """The name that the client gives the file, as it came."""
        return self._text("filename") or self._text("name")

    @property
    def filetype(self) -> str | None:
        """The media type that the client gives the file."""
        return self._text("filetype") or self._text("type")

    def _text(self, key: str) -> str | None:
        return self.metadata.get(key, b"").decode("utf-8", "replace") or None


@dataclass(frozen=True, slots=True)
class Append:
    """More octets of an upload."""

    offset: int
    length: int | None
    """The complete length, where it is told now."""
    checksum: Checksum | None


def read_creation(ask: Ask) -> Creation:
    """
    What a POST to the place of uploads asks for.

    :raises Refusal: it breaks the protocol.
    """
    raw = ask.get("upload-metadata")
    metadata = parse_metadata(raw or "")
    partial, parts = _concatenation(ask.get("upload-concat"))
    length = ask.number("upload-length")
    deferred = _deferred(ask)
    if parts:
        if length is not None or deferred:
            raise Refusal(400, "A final upload has the length of its parts and no other.")
        return Creation(None, metadata, raw, parts=parts)
    if deferred == (length is not None):
        raise Refusal(400, "Send either Upload-Length or Upload-Defer-Length: 1.")
    content = ask.length != 0
    if content and ask.media_type != APPENDABLE:
        raise Refusal(415, f"The first octets of an upload come as {APPENDABLE}.")
    checksum = _checksum(ask) if content else None
    return Creation(length, metadata, raw, partial, (), content, checksum)


def read_append(ask: Ask) -> Append:
    """
    What a PATCH of an upload asks for.

    :raises Refusal: it breaks the protocol.
    """
    if ask.media_type != APPENDABLE:
        raise Refusal(415, f"Octets of an upload come as {APPENDABLE}.")
    offset = ask.number("upload-offset")
    if offset is None:
        raise Refusal(400, "Upload-Offset is missing.")
    return Append(offset, ask.number("upload-length"), _checksum(ask))


def _deferred(ask: Ask) -> bool:
    value = ask.get("upload-defer-length")
    if value not in {None, "1"}:
        raise Refusal(400, "Upload-Defer-Length can be 1, and nothing else.")
    return value is not None


def parse_metadata(text: str) -> dict[str, bytes]:
    """
    The pairs of an ``Upload-Metadata``.

    :raises Refusal: a key is empty, unprintable or comes twice, or a value is no Base64.
    """
    if len(text) > MOST_METADATA:
        raise Refusal(400, f"Upload-Metadata is longer than {MOST_METADATA} octets.")
    found: dict[str, bytes] = {}
    for element in text.split(",") if text.strip(OWS) else ():
        key, _, value = element.strip(OWS).partition(" ")
        if not _KEY.fullmatch(key) or key in found:
            raise Refusal(400, "Upload-Metadata has a key that is unusable, or there twice.")
        try:
            found[key] = b64decode(value.encode("latin-1"), validate=True)
        except binascii.Error:
            raise Refusal(400, "Upload-Metadata has a value that is not Base64.") from None
    return found


def _concatenation(text: str | None) -> tuple[bool, tuple[str, ...]]:
    """Whether an upload is a part, and the paths of its own parts."""
    if text is None:
        return False, ()
    if text == "partial":
        return True, ()
    kind, _, rest = text.partition(";")
    paths = tuple(map(_path, rest.split()))
    if kind != "final" or not paths or len(paths) > MOST_PARTS:
        raise Refusal(400, "Upload-Concat is neither partial nor final; with its parts.")
    return False, paths


def _path(address: str) -> str:
    try:
        return urlsplit(address).path
    except ValueError:
        raise Refusal(400, "Upload-Concat has an address that is none.") from None


def _checksum(ask: Ask) -> Checksum | None:
    text = ask.get("upload-checksum")
    if text is None:
        return None
    algorithm, _, value = text.partition(" ")
    if algorithm not in CHECKSUMS:
        raise Refusal(400, f"Upload-Checksum can be one of {', '.join(CHECKSUMS)}.")
    try:
        digest = b64decode(value.encode("latin-1"), validate=True)
    except binascii.Error:
        digest = b""
    if len(digest) != CHECKSUMS[algorithm]:
        raise Refusal(400, f"Upload-Checksum is not the Base64 of a {algorithm} digest.")
    return Checksum(algorithm, digest)


# -- what is decided -------------------------------------------------------------------


def agreed_length(ask: Append, known: int | None) -> int | None:
    """
    The complete length after *ask*, where *known* was it before.

    :raises Refusal: it was another one, or not all that is there would have room.
    """
    if ask.length is None:
        return known
    if known not in {None, ask.length}:
        raise Refusal(400, "The length of an upload cannot be changed.")
    if ask.length < ask.offset:
        raise Refusal(400, "More octets are there than Upload-Length says.")
    return ask.length


def check_offset(ask: Append, offset: int) -> None:
    """:raises Refusal: the upload stands elsewhere (409)."""
    if ask.offset != offset:
        raise Refusal(409, f"The upload stands at {offset}.", ("Upload-Offset", str(offset)))


# -- what is said ----------------------------------------------------------------------


def spoken() -> list[Field]:
    """The field of every answer."""
    return list(_SPOKEN)


def abilities(max_size: int | None) -> list[Field]:
    """What an OPTIONS tells."""
    fields = [
        *_SPOKEN,
        ("Tus-Version", VERSION),
        ("Tus-Extension", EXTENSIONS),
        ("Tus-Checksum-Algorithm", ",".join(CHECKSUMS)),
    ]
    return fields if max_size is None else [*fields, ("Tus-Max-Size", str(max_size))]


def progress(offset: int, expires: float | None) -> list[Field]:
    """
    What is told after octets were taken.

    :param expires: when the upload will be forgotten, in seconds since the epoch.
    """
    return [*_SPOKEN, ("Upload-Offset", str(offset)), *_expiry(expires)]


def created(location: str, offset: int | None, expires: float | None) -> list[Field]:
    """What is told of a new upload; *offset* where octets came along."""
    told = [] if offset is None else [("Upload-Offset", str(offset))]
    return [*_SPOKEN, ("Location", location), *told, *_expiry(expires)]


def standing(
    offset: int,
    length: int | None,
    *,
    metadata: str | None,
    concat: str | None,
    expires: float | None,
) -> list[Field]:
    """What a HEAD tells."""
    fields = [*_SPOKEN, ("Upload-Offset", str(offset)), ("Cache-Control", "no-store")]
    if length is None:
        fields.append(("Upload-Defer-Length", "1"))
    else:
        fields.append(("Upload-Length", str(length)))
    for name, value in (("Upload-Metadata", metadata), ("Upload-Concat", concat)):
        if value is not None:
            fields.append((name, value))
    return [*fields, *_expiry(expires)]


def _expiry(expires: float | None) -> list[Field]:
    return [] if expires is None else [("Upload-Expires", format_http_date(expires))]
