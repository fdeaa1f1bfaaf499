"""
Metalink documents read: what a file is, where it is, what its pieces hash to.

Version 4 (RFC 5854) and the older version 3.  The document comes from a stranger: no
document type declaration, so no entities; bounded octets, depth, files, addresses and
pieces; a file's name is made safe before anybody uses it.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from xml.parsers import expat

from rangedaemon.core.disposition import safe_filename
from rangedaemon.core.grammar import parse_digits
from rangedaemon.core.links import LEAST_PRIORITY, fetchable
from rangedaemon.core.pieces import DIGEST_HEX, Pieces
from rangedaemon.errors import UnusableDocument

MEDIA_TYPES = ("application/metalink4+xml", "application/metalink+xml")
SUFFIXES = (".meta4", ".metalink")

MOST_OCTETS = 4 * 1024 * 1024
MOST_FILES = 1000
MOST_URLS = 100
"""Of one file; the rest is passed over."""
_MOST_DEPTH = 16
_MOST_TEXT = 8192
_FOUR = "urn:ietf:params:xml:ns:metalink"
_THREE = "http://www.metalinker.org/"

_ALGORITHMS = {"sha1": "sha-1", "sha256": "sha-256", "sha512": "sha-512"}
"""The names of version 3; those of version 4 are ours."""


@dataclass(frozen=True, slots=True)
class Described:
    """One file of a document."""

    name: str
    """Safe to create in a directory of ours."""
    urls: tuple[str, ...]
    """http and https, the best first; may be empty."""
    size: int | None
    checksum: str | None
    """The best hash of the whole file, ``algorithm=hex``."""
    pieces: Pieces | None


def parse_metalink(octets: bytes, url: str) -> list[Described]:
    """The files that a document describes, in its order; at least one.

    :param url: where the document came from; relative addresses are resolved against it.
    :raises UnusableDocument: it is no such document, or breaks a bound.
    """
    reader = _Reader(url)
    if len(octets) > MOST_OCTETS:
        raise reader.fault("is too large")
    parser = expat.ParserCreate(namespace_separator="}")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.text
    parser.StartDoctypeDeclHandler = reader.doctype
    try:
        parser.Parse(octets, True)
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise reader.fault(f"is broken: {error}") from error
    if not reader.files:
        raise reader.fault("describes no file")
    return [_described(file, reader) for file in reader.files]


def is_metalink(url: str, content_type: str | None) -> bool:
    """Whether an address, or the type of its answer, is that of a document."""
    kind = (content_type or "").partition(";")[0].strip().lower()
    path = re.split(r"[?#]", url, maxsplit=1)[0].lower()
    return kind in MEDIA_TYPES or path.endswith(SUFFIXES)


@dataclass(slots=True)
class _File:
    """What the elements of one ``file`` said, not judged yet."""

    name: str
    size: str | None = None
    hashes: dict[str, str] = field(default_factory=dict)
    urls: list[tuple[int, str]] = field(default_factory=list)
    pieces: list[_Pieces] = field(default_factory=list)


@dataclass(slots=True)
class _Pieces:
    algorithm: str
    length: str
    hashes: list[str] = field(default_factory=list)


class _Reader:
    """Takes the elements as they come."""

    def __init__(self, url: str) -> None:
        self.files: list[_File] = []
        self.url = url
        self._path: list[str] = []
        self._attributes: list[dict[str, str]] = []
        self._text: list[str] = []
        self._ends: dict[str, Callable[[str, dict[str, str]], None]] = {
            "file/size": self._size,
            "file/hash": self._hash,
            "file/url": self._url,
            "file/pieces/hash": self._piece,
            "file/verification/hash": self._hash,
            "file/verification/pieces/hash": self._piece,
            "file/resources/url": self._url,
        }

    def fault(self, what: str) -> UnusableDocument:
        """The fault of a document that cannot be used."""
        return UnusableDocument(f"the metalink {what}", url=self.url)

    def doctype(self, *_declaration: object) -> None:
        """Entities would be declared here."""
        raise self.fault("has a document type declaration, which is refused")

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        namespace, _, name = tag.rpartition("}")
        self._path.append(name if namespace in (_FOUR, _THREE) else "?")
        self._attributes.append(attributes)
        self._text.clear()
        if len(self._path) > _MOST_DEPTH:
            raise self.fault("is nested too deeply")
        if len(self._path) == 1 and self._path != ["metalink"]:
            raise self.fault("is no metalink")
        where = self._where()
        if where == "file":
            self._begin_file(attributes)
        elif where in ("file/pieces", "file/verification/pieces"):
            self._begin_pieces(attributes)

    def text(self, data: str) -> None:
        """Characters between two tags."""
        self._text.append(data)
        if sum(map(len, self._text)) > _MOST_TEXT:
            raise self.fault("has too long a text")

    def end(self, _tag: str) -> None:
        """An element ends."""
        handle = self._ends.get(self._where())
        attributes = self._attributes.pop()
        if handle is not None:
            handle("".join(self._text).strip(), attributes)
        self._path.pop()
        self._text.clear()

    def _where(self) -> str:
        """The path below the root; version 3 has one element more above its files."""
        below = self._path[1:]
        return "/".join(below[1:] if below[:1] == ["files"] else below)

    def _begin_file(self, attributes: dict[str, str]) -> None:
        if len(self.files) == MOST_FILES:
            raise self.fault("describes too many files")
        self.files.append(_File(attributes.get("name", "")))

    def _begin_pieces(self, attributes: dict[str, str]) -> None:
        told = _Pieces(_algorithm(attributes.get("type", "")), attributes.get("length", ""))
        self.files[-1].pieces.append(told)

    def _size(self, text: str, _attributes: dict[str, str]) -> None:
        self.files[-1].size = text

    def _hash(self, text: str, attributes: dict[str, str]) -> None:
        self.files[-1].hashes.setdefault(_algorithm(attributes.get("type", "")), text.lower())

    def _piece(self, text: str, attributes: dict[str, str]) -> None:
        pieces = self.files[-1].pieces[-1]
        number = attributes.get("piece")
        if number is not None and number != str(len(pieces.hashes)):
            raise self.fault("has its pieces out of order")
        pieces.hashes.append(text.lower())

    def _url(self, text: str, attributes: dict[str, str]) -> None:
        urls = self.files[-1].urls
        target = fetchable(text, self.url)
        if target is not None and len(urls) < MOST_URLS:
            urls.append((_priority(attributes), target))


def _algorithm(name: str) -> str:
    return _ALGORITHMS.get(name.lower(), name.lower())


def _priority(attributes: dict[str, str]) -> int:
    """The lower the better; version 3 has a preference, the higher (up to 100) the better."""
    preference = parse_digits(attributes.get("preference", "")[:9])
    if preference is not None:
        return max(0, 100 - preference)
    priority = parse_digits(attributes.get("priority", "")[:9])
    return priority if priority and priority < LEAST_PRIORITY else LEAST_PRIORITY


def _described(file: _File, reader: _Reader) -> Described:
    name = safe_filename(file.name)
    if name is None:
        raise reader.fault("has a file without a usable name")
    size = parse_digits(file.size[:18]) if file.size is not None else None
    if file.size is not None and (size is None or len(file.size) > 18):
        raise reader.fault(f"gives no usable size for {name!r}")
    urls = dict.fromkeys(url for _, url in sorted(file.urls, key=lambda pair: pair[0]))
    return Described(name, tuple(urls), size, _checksum(file), _best_pieces(file, size))


def _checksum(file: _File) -> str | None:
    for algorithm in ("sha-256", "sha-512", "sha-1", "md5"):
        digest = file.hashes.get(algorithm, "")
        if re.fullmatch(rf"[0-9a-f]{{{DIGEST_HEX[algorithm]}}}", digest):
            return f"{algorithm}={digest}"
    return None


def _best_pieces(file: _File, size: int | None) -> Pieces | None:
    """The pieces of the best algorithm that fit the size; none where nothing fits."""
    sound = [p for told in file.pieces if (p := _pieces(told)) is not None and p.fits(size)]
    order = list(DIGEST_HEX)
    return min(sound, key=lambda pieces: order.index(pieces.algorithm), default=None)


def _pieces(told: _Pieces) -> Pieces | None:
    length = parse_digits(told.length[:18])
    if any(len(digest) != DIGEST_HEX.get(told.algorithm) for digest in told.hashes):
        return None
    try:
        return Pieces(told.algorithm, length or 0, "".join(told.hashes)).checked()
    except ValueError:
        return None
