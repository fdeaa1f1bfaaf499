"""
Files of credentials: tokens with the names of their owners, and htpasswd.

Pure: texts in, values out.  Of a token only its digest is kept; a password's hash has
to be one that is slow (bcrypt) or at least sound (SHA-1 in Apache's form, for old files).
"""

from __future__ import annotations

import re
from base64 import b64decode, b64encode
from collections.abc import Iterator, Mapping
from hashlib import sha1, sha256

LARGEST_FILE = 4 * 1024 * 1024
"""Octets."""
_NAME = re.compile(r"[^\s:#\x00-\x1f\x7f][^:\x00-\x1f\x7f]{0,99}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,500}=*")
_DIGEST = re.compile(r"sha-256=([0-9A-Fa-f]{64})")
_BCRYPT = re.compile(r"\$2[aby]\$[0-9]{2}\$[./A-Za-z0-9]{53}")
_SHA = re.compile(r"\{SHA\}[A-Za-z0-9+/]{27}=")
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]{1,500})", re.IGNORECASE)
_BASIC = re.compile(r"basic +([A-Za-z0-9+/]{1,2000}={0,2})", re.IGNORECASE)


def parse_tokens(text: str) -> Mapping[bytes, str]:
    """
    The tokens of a file with lines ``NAME:TOKEN`` or ``NAME:sha-256=HEX``.

    :returns: the owners by the SHA-256 of their tokens.
    :raises ValueError: a line is none of these; it says which, and not what is in it.
    """
    found: dict[bytes, str] = {}
    for number, name, secret in _lines(text):
        if digest := _DIGEST.fullmatch(secret):
            found[bytes.fromhex(digest[1])] = name
        elif _TOKEN.fullmatch(secret):
            found[token_digest(secret)] = name
        else:
            raise ValueError(f"line {number}: expected NAME:TOKEN with 16 or more characters")
    return found


def parse_htpasswd(text: str) -> Mapping[str, str]:
    """
    The hashes of an htpasswd file by their users.

    :raises ValueError: a line is none, or has a hash of another kind.
    """
    found: dict[str, str] = {}
    for number, name, secret in _lines(text):
        if not (_BCRYPT.fullmatch(secret) or _SHA.fullmatch(secret)):
            raise ValueError(f"line {number}: only bcrypt (htpasswd -B) and {{SHA}} are understood")
        found[name] = secret
    return found


def _lines(text: str) -> Iterator[tuple[int, str, str]]:
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        name, colon, secret = line.partition(":")
        if not colon or not _NAME.fullmatch(name):
            raise ValueError(f"line {number}: expected a name, a colon and a secret")
        yield number, name, secret.strip()


def token_digest(token: str) -> bytes:
    """What is kept of a token."""
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def sha_hash(password: bytes) -> str:
    """The ``{SHA}`` form of a password, as Apache writes it."""
    digest = sha1(password, usedforsecurity=False).digest()
    return "{SHA}" + b64encode(digest).decode()


def bearer_of(authorization: str | None) -> str | None:
    """The token in an ``Authorization`` (RFC 6750, 2.1); None where there is none."""
    match = _BEARER.fullmatch(authorization or "")
    return match[1] if match else None


def basic_of(authorization: str | None) -> tuple[str, bytes] | None:
    """The user and password in an ``Authorization`` (RFC 7617); None where there is none."""
    match = _BASIC.fullmatch(authorization or "")
    if match is None:
        return None
    try:
        user, colon, password = b64decode(match[1], validate=True).partition(b":")
        return (user.decode(), password) if colon else None
    except ValueError:
        return None
