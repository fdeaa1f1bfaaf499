"""
Lists of checksums, as ``sha256sum`` and its kin write them.

Three forms of a line: ``hash  name`` and ``hash *name`` (coreutils; with a backslash
before the hash where the name is escaped), ``SHA256 (name) = hash`` (BSD), and the
bare hash of a file that holds nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from rangedaemon.core.disposition import filename_from_url
from rangedaemon.errors import UnusableDocument

MOST_OCTETS = 1024 * 1024
HEX_LENGTHS = {32: "md5", 40: "sha-1", 64: "sha-256", 128: "sha-512"}
_BSD_NAMES = {
    "MD5": "md5",
    "SHA1": "sha-1",
    "SHA256": "sha-256",
    "SHA512": "sha-512",
    "BLAKE2b": "blake2b",
}
_PLAIN = re.compile(r"(\\?)([0-9A-Fa-f]{32,128})(?:(?: [ *]|\t+)(.+))?")
_BSD = re.compile(r"(\\?)([A-Za-z0-9]{2,10}) ?\((.+)\) ?= ?([0-9A-Fa-f]{32,128})")
_BLAKE2 = re.compile(r"(?:^|[._-])b(?:lake)?2b?(?:sums?)?(?:\.txt)?$", re.IGNORECASE)
_ESCAPE = re.compile(r"\\([\\nr])")
_ESCAPED = {"\\": "\\", "n": "\n", "r": "\r"}
_ADDRESS = re.compile(r"(?:([a-z0-9-]{2,10})=)?(https?://.+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a list."""

    algorithm: str
    digest: str
    """Hexadecimal, lower case."""
    name: str | None
    """None: the line is the hash alone."""


def address_of(checksum: str | None) -> tuple[str | None, str] | None:
    """The algorithm (None: not said) and the address of a list that *checksum* names.

    :returns: None where *checksum* is a digest itself.
    """
    match = _ADDRESS.fullmatch(checksum or "")
    return (match[1].lower() if match[1] else None, match[2]) if match else None


def find_sum(octets: bytes, name: str, url: str, algorithm: str | None = None) -> str:
    """The checksum of the file *name* in a list, as ``algorithm=hex``.

    :param url: where the list came from; its name may tell the algorithm.
    :param algorithm: the one that is wanted; None: the longest that is there.
    :raises UnusableDocument: there is none.
    """
    entries = list(parse_sums(octets.decode("utf-8", "replace"), _algorithm_of(url)))
    named = [entry for entry in entries if entry.name is not None and _last(entry.name) == name]
    exact = [entry for entry in named if _stripped(entry.name or "") == name]
    bare = entries if len(entries) == 1 and entries[0].name is None else []
    found = [e for e in exact or named or bare if algorithm in (None, e.algorithm)]
    if not found:
        kind = f"{algorithm} " if algorithm else ""
        raise UnusableDocument(f"the list of checksums has no {kind}line for {name!r}", url=url)
    if len({e.digest for e in found if e.algorithm == found[0].algorithm}) > 1:
        raise UnusableDocument(f"the list of checksums contradicts itself on {name!r}", url=url)
    best = max(found, key=lambda entry: len(entry.digest))
    return f"{best.algorithm}={best.digest}"


def parse_sums(text: str, usual: str | None = None) -> Iterator[Entry]:
    """The entries of a list; lines of other forms are passed over.

    :param usual: the algorithm of hashes as long as its own, where a length fits two.
    """
    for line in text.split("\n"):
        line = line.strip("\r\ufeff")  # noqa: PLW2901 - the same line without its wrapping
        entry = _bsd(line) or _plain(line.strip(" "), usual)
        if entry is not None:
            yield entry


def _bsd(line: str) -> Entry | None:
    match = _BSD.fullmatch(line)
    algorithm = _BSD_NAMES.get(match[2]) if match else None
    if match is None or algorithm is None or not _fits(algorithm, match[4]):
        return None
    return Entry(algorithm, match[4].lower(), _name(match[3], escaped=bool(match[1])))


def _plain(line: str, usual: str | None) -> Entry | None:
    match = _PLAIN.fullmatch(line)
    if match is None:
        return None
    digest = match[2].lower()
    algorithm = usual if usual and _fits(usual, digest) else HEX_LENGTHS.get(len(digest))
    if algorithm is None:
        return None
    return Entry(algorithm, digest, _name(match[3], escaped=bool(match[1])) if match[3] else None)


def _fits(algorithm: str, digest: str) -> bool:
    usual = HEX_LENGTHS.get(len(digest))
    return algorithm == usual or (algorithm == "blake2b" and usual == "sha-512")


def _name(text: str, *, escaped: bool) -> str:
    return _ESCAPE.sub(lambda m: _ESCAPED[m[1]], text) if escaped else text


def _stripped(name: str) -> str:
    return name.removeprefix("./")


def _last(name: str) -> str:
    return name.rpartition("/")[2]


def _algorithm_of(url: str) -> str | None:
    """What the name of a list says of hashes that could be of two kinds (``B2SUMS``)."""
    return "blake2b" if _BLAKE2.search(filename_from_url(url)) else None
