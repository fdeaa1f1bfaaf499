"""
Tokens: made at the first start, kept in a file for the owner alone, compared in constant time.

Only digests are kept in memory; the token itself is never logged or shown.
"""

from __future__ import annotations

import hmac
import os
import re
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from pathlib import Path

from rangedaemon.errors import NotWritable, StorageFault

_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]{16,500}=*")


class Scope(StrEnum):
    """What a token allows; ``admin`` includes the others, ``add`` includes ``read``."""

    READ = "read"
    ADD = "add"
    ADMIN = "admin"


_INCLUDED = {
    Scope.READ: frozenset({Scope.READ}),
    Scope.ADD: frozenset({Scope.READ, Scope.ADD}),
    Scope.ADMIN: frozenset(Scope),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Whoever holds a token."""

    name: str
    scope: Scope

    def may(self, scope: Scope) -> bool:
        """Whether the token's scope includes *scope*."""
        return scope in _INCLUDED[self.scope]


Entry = tuple[str | bytes, Principal]
"""A token, or its SHA-256 digest as 32 octets, and whose it is."""


class Keyring:
    """The tokens that are valid now; `replace` revokes the ones that are gone."""

    def __init__(self, entries: Collection[Entry]) -> None:
        self._digests: list[tuple[bytes, Principal]] = []
        self.replace(entries)

    @classmethod
    def of(cls, token: str) -> Keyring:
        """A ring with one token that may do everything."""
        return cls([(token, Principal("control", Scope.ADMIN))])

    def replace(self, entries: Collection[Entry]) -> None:
        """From now on these tokens, and no others, are valid."""
        before = {entry: entry[1] for entry in self._digests}
        # Whoever keeps both name and token stays the same object, so that `holds` knows it.
        self._digests = [(at, before.get((at, who), who)) for at, who in _digests(entries)]

    def holds(self, principal: Principal) -> bool:
        """Whether the token that *principal* was admitted by is still valid."""
        return any(who is principal for _, who in self._digests)

    def admit(self, token: str) -> Principal | None:
        """Whose token it is; every digest is compared, whichever fits."""
        presented = _digest(token)
        fits = [who for known, who in self._digests if hmac.compare_digest(known, presented)]
        return fits[0] if fits else None


def _digests(entries: Collection[Entry]) -> list[tuple[bytes, Principal]]:
    return [
        (token if isinstance(token, bytes) else _digest(token), principal)
        for token, principal in entries
    ]


def _digest(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


def token_at(path: str, urandom: Callable[[int], bytes]) -> str:
    """
    The token in the file *path*, which is made (mode 0600) where it is missing.

    Blocking.  The file appears whole or not at all: a link to a finished one.

    :raises StorageFault: unreadable, or not a token.
    :raises NotWritable: missing, and cannot be made.
    """
    file = Path(path)
    with suppress(FileNotFoundError):
        return _read(file)
    fresh = urlsafe_b64encode(urandom(32)).decode().rstrip("=")
    try:
        _publish(file, fresh, urlsafe_b64encode(urandom(6)).decode())
    except OSError as error:
        raise NotWritable(f"the token file {path} cannot be made: {error.strerror}") from error
    return _read(file)


def _read(file: Path) -> str:
    try:
        text = file.read_text("ascii").strip()
    except FileNotFoundError:
        raise
    except (OSError, UnicodeDecodeError) as error:
        raise StorageFault(f"the token file {file} cannot be read: {error}") from error
    if not _TOKEN.fullmatch(text):
        raise StorageFault(f"the token file {file} holds no token of 16 or more characters")
    return text


def _publish(file: Path, token: str, suffix: str) -> None:
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = file.with_name(f".{file.name}.{suffix}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(handle, "w", encoding="ascii") as out:
            out.write(token + "\n")
            out.flush()
            os.fsync(out.fileno())
        with suppress(FileExistsError):  # another start was first: its token counts
            os.link(draft, file)
    finally:
        draft.unlink()
