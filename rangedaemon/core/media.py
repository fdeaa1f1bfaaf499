"""
Media types by file name: one table on every machine, whatever its ``/etc/mime.types`` says.

A compressed file is served as what it is (``application/gzip``), not as its content
with a coding: its octets are the representation.  Text is said to be UTF-8.
"""

from __future__ import annotations

import mimetypes

UNKNOWN = "application/octet-stream"

_MORE = {
    ".7z": "application/x-7z-compressed",
    ".apk": "application/vnd.android.package-archive",
    ".br": "application/x-brotli",
    ".bz2": "application/x-bzip2",
    ".deb": "application/vnd.debian.binary-package",
    ".flac": "audio/flac",
    ".gz": "application/gzip",
    ".iso": "application/vnd.efi.iso",
    ".jsonl": "application/jsonl",
    ".log": "text/plain",
    ".m4a": "audio/mp4",
    ".m4v": "video/mp4",
    ".md": "text/markdown",
    ".meta4": "application/metalink4+xml",
    ".mkv": "video/matroska",
    ".ogg": "audio/ogg",
    ".ogv": "video/ogg",
    ".rpm": "application/x-rpm",
    ".sig": "application/pgp-signature",
    ".tgz": "application/gzip",
    ".toml": "application/toml",
    ".ttf": "font/ttf",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xz": "application/x-xz",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".zst": "application/zstd",
}


def _built() -> dict[str, str]:
    # Asked for another object of its own, the module would read the machine's files first.
    ours = mimetypes.MimeTypes().types_map[True] if mimetypes.inited else mimetypes.types_map
    table = dict(ours)
    table.update(_MORE)
    return table


_TYPES = _built()


def media_type(filename: str) -> str:
    """The media type of a file by the last suffix of its name."""
    stem, dot, suffix = filename.rpartition(".")
    kind = _TYPES.get(f".{suffix.lower()}", UNKNOWN) if stem and dot else UNKNOWN
    return f"{kind}; charset=utf-8" if kind.startswith("text/") else kind
