"""
Who may upload: bearer tokens, or users with passwords.

Files of credentials are read again when they have changed, so a line that is removed is
void at once.  Every known digest is compared, in constant time; a password that was
right is remembered for a while by a keyed digest, since bcrypt is slow on purpose.
What is wrong is refused more and more slowly (`rangedaemon.core.patience`).
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Generic, TypeVar

from twisted.internet.defer import DeferredLock
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import deferLater

from rangedaemon.core.credentials import (
    LARGEST_FILE,
    basic_of,
    bearer_of,
    parse_htpasswd,
    parse_tokens,
    sha_hash,
    token_digest,
)
from rangedaemon.core.patience import Patience, peer_of
from rangedaemon.core.receiving.asks import Refusal
from rangedaemon.core.responses import Field
from rangedaemon.errors import StorageFault
from rangedaemon.storage.threads import InThread

T = TypeVar("T")

_MOST_REMEMBERED = 1000
_REMEMBERED = 300.0
"""Seconds for which a right password is not hashed again."""
_NOBODY = "$2b$10$" + "." * 53
"""What a password of an unknown user is compared with, so that it takes as long."""


class CredentialFile(Generic[T]):
    """A file that is read when it has changed; blocking."""

    def __init__(self, path: Path, parse: Callable[[str], T]) -> None:
        self._path = path
        self._parse = parse
        self._stamp: tuple[int, ...] = ()
        self._content: T

    def read(self) -> T:
        """
        What is in it now.

        :raises StorageFault: it cannot be read, or is not what it should be.
        """
        try:
            found = self._path.stat()
            stamp = (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
            if stamp != self._stamp:
                self._content = self._parse(_text(self._path))
                self._stamp = stamp
        except OSError as error:
            raise StorageFault(f"cannot read {self._path}: {error.strerror}") from error
        except ValueError as error:
            raise StorageFault(f"{self._path}: {error}") from error
        return self._content


def _text(path: Path) -> str:
    with path.open("rb") as stream:
        octets = stream.read(LARGEST_FILE + 1)
    if len(octets) > LARGEST_FILE:
        raise ValueError("too large for a file of credentials")
    return octets.decode()


@dataclass(frozen=True, slots=True)
class Admission:
    """Who is let in: whoever shows what is in one of the files, or everybody."""

    anonymous: bool = False
    tokens_file: Path | None = None
    htpasswd_file: Path | None = None


class Gate:
    """Finds out who asks."""

    def __init__(self, admission: Admission, clock: IReactorTime, in_thread: InThread) -> None:
        self._anonymous = admission.anonymous
        self._clock = clock
        self._in_thread = in_thread
        self._patience = Patience()
        self._tokens: CredentialFile[Mapping[bytes, str]] | None = None
        self._users: CredentialFile[Mapping[str, str]] | None = None
        if admission.tokens_file is not None:
            self._tokens = CredentialFile(admission.tokens_file, parse_tokens)
        if admission.htpasswd_file is not None:
            self._users = CredentialFile(admission.htpasswd_file, parse_htpasswd)
        self._key = secrets.token_bytes(32)
        self._right: dict[bytes, float] = {}
        self._hashing = DeferredLock()

    def check_files(self) -> None:
        """Blocking; :raises StorageFault: a file cannot be used."""
        for file in (self._tokens, self._users):
            if file is not None:
                file.read()

    async def admit(self, authorization: str | None, host: str | None) -> str | None:
        """
        Who asks; None is anybody.

        :param host: the address of the peer, which wrong answers are counted by.
        :raises Refusal: nobody who may.
        :raises StorageFault: the files cannot be read.
        """
        if authorization is None:
            if self._anonymous:
                return None
            raise Refusal(401, "Uploads need credentials here.", *self._challenges())
        owner = await self._owner(authorization)
        if owner is None:
            await self._slow_down(peer_of(host))
            raise Refusal(401, "These credentials are not valid here.", *self._challenges())
        return owner

    async def _owner(self, authorization: str) -> str | None:
        token, basic = bearer_of(authorization), basic_of(authorization)
        if token is not None and self._tokens is not None:
            return await self._in_thread(self._owner_of_token, token)
        if basic is not None and self._users is not None:
            return await self._owner_of_basic(*basic)
        return None

    async def _owner_of_basic(self, user: str, password: bytes) -> str | None:
        # One at a time: they are slow, and the threads are there for octets.
        await self._hashing.acquire()
        try:
            now = self._clock.seconds()
            return await self._in_thread(self._owner_of_password, user, password, now)
        finally:
            self._hashing.release()

    def _owner_of_token(self, token: str) -> str | None:
        known = {} if self._tokens is None else self._tokens.read()
        presented = token_digest(token)
        fits = [who for digest, who in known.items() if hmac.compare_digest(digest, presented)]
        return fits[0] if fits else None

    def _owner_of_password(self, user: str, password: bytes, now: float) -> str | None:
        known = {} if self._users is None else self._users.read()
        kept = known.get(user)
        seen = f"{user}:{kept}:".encode() + password
        mark = hmac.digest(self._key, seen, "sha256")
        if kept is not None and now < self._right.get(mark, 0.0):
            return user
        if not fits_hash(password, kept or _NOBODY) or kept is None:
            return None
        if len(self._right) >= _MOST_REMEMBERED:
            self._right.clear()
        self._right[mark] = now + _REMEMBERED
        return user

    def _challenges(self) -> list[Field]:
        realm = 'realm="uploads"'
        fields: list[Field] = []
        if self._tokens is not None:
            fields.append(("WWW-Authenticate", f"Bearer {realm}"))
        if self._users is not None:
            fields.append(("WWW-Authenticate", f'Basic {realm}, charset="UTF-8"'))
        return fields

    async def _slow_down(self, peer: str) -> None:
        """:raises TooManyFailures: too many of them wait already."""
        delay = self._patience.hold(peer, self._clock.seconds())
        try:
            if delay > 0:
                await deferLater(self._clock, delay)
        finally:
            self._patience.release(peer)


def fits_hash(password: bytes, kept: str) -> bool:
    """Whether *password* is that of an htpasswd hash; slow on purpose for bcrypt."""
    if kept.startswith("{SHA}"):
        return hmac.compare_digest(sha_hash(password), kept)
    # Only users with passwords need it, and this is in a thread.
    import bcrypt  # noqa: PLC0415

    # What is beyond 72 octets never counted in bcrypt, and would be refused here.
    return bcrypt.checkpw(password[:72].partition(b"\0")[0], kept.encode("ascii"))
