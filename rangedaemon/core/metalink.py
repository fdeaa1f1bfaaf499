"""Metalink documents: a file's addresses, size and hashes, whole and by pieces (RFC 5854)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from xml.etree import ElementTree as ET

MEDIA_TYPE = "application/metalink4+xml"
SUFFIX = ".meta4"

_NAMESPACE = "urn:ietf:params:xml:ns:metalink"
_SMALLEST_PIECE = 256 * 1024
_MOST_PIECES = 2048


@dataclass(frozen=True, slots=True)
class Hashes:
    """The SHA-256 of a file, and of each of its pieces in order (the last one is shorter)."""

    whole: bytes
    piece_length: int
    pieces: tuple[bytes, ...]


def piece_length(size: int) -> int:
    """A power of two that cuts *size* octets into not too many pieces."""
    length = _SMALLEST_PIECE
    while length * _MOST_PIECES < size:
        length *= 2
    return length


def format_metalink(name: str, size: int, hashes: Hashes, urls: Sequence[str]) -> bytes:
    """
    The document for one file.

    :raises ValueError: *name* cannot be said in XML.
    """
    if not name.isprintable():
        raise ValueError("a name with characters that XML does not have")
    ET.register_namespace("", _NAMESPACE)
    root = ET.Element(_tag("metalink"))
    file = _child(root, "file", name=name)
    _child(file, "size").text = str(size)
    _child(file, "hash", type="sha-256").text = hashes.whole.hex()
    if hashes.pieces:
        pieces = _child(file, "pieces", type="sha-256", length=str(hashes.piece_length))
        for digest in hashes.pieces:
            _child(pieces, "hash").text = digest.hex()
    for priority, url in enumerate(urls, 1):
        _child(file, "url", priority=str(priority)).text = url
    ET.indent(root, " ")
    octets: bytes = ET.tostring(root, "utf-8", xml_declaration=True)
    return octets + b"\n"


def _tag(name: str) -> str:
    return f"{{{_NAMESPACE}}}{name}"


def _child(parent: ET.Element, tag: str, /, **attributes: str) -> ET.Element:
    return ET.SubElement(parent, _tag(tag), attributes)
