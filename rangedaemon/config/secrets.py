"""
Files that hold secrets, and files that TLS needs: looked at when the configuration is read.

So ``--check`` finds what would fail later, at its line.  No message has a word of what a
file holds.  systemd's credentials are files too: ``${CREDENTIALS_DIRECTORY}/NAME``.
"""

from __future__ import annotations

import binascii
import re
import ssl
from base64 import b64decode
from collections.abc import Callable, Mapping
from http.cookiejar import Cookie, LoadError, MozillaCookieJar
from netrc import NetrcParseError, netrc
from pathlib import Path
from typing import Annotated, TypeVar

from pydantic import AfterValidator

from rangedaemon.config.values import AbsolutePath
from rangedaemon.control.wishes import check_headers
from rangedaemon.core.credentials import LARGEST_FILE, parse_htpasswd, parse_tokens

T = TypeVar("T")

MOST_OCTETS = 256 * 1024
"""Of a file that holds a secret."""


def read_secret(path: Path) -> str:
    """
    The first line of a file, which is a secret.

    :raises ValueError: there is none.
    """
    line = _read(path).partition("\n")[0].rstrip("\r")
    if not line or not line.isprintable():
        raise ValueError(f"{path} has no secret on its first line")
    return line


def read_fields(path: Path) -> dict[str, str]:
    """
    The request fields of a file, one ``Name: value`` on each line.

    :raises ValueError: it is no such file; never with a value.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(_read(path).splitlines(), 1):
        name, colon, value = line.partition(":")
        if not line.strip() or line.startswith("#"):
            continue
        if not colon or name in found:
            raise ValueError(f"{path}, line {number}: expected Name: value, each name once")
        found[name] = value.strip()
    return check_headers(found)


def read_netrc(path: Path) -> dict[str, tuple[str, str]]:
    """
    User and password by host.

    The ``default`` entry is passed over: it would give a password to whatever host a
    stranger's job, or a redirect, leads to.

    :raises ValueError: it is no netrc file, or others may read it.
    """
    _insist_on_private(path)
    _read(path)
    try:
        hosts = netrc(str(path)).hosts
    except NetrcParseError as broken:
        raise ValueError(f"{path}, line {broken.lineno}: not as a netrc file is written") from None
    return {
        host.lower(): (user, password or "")
        for host, (user, _account, password) in hosts.items()
        if host != "default"
    }


def read_cookies(path: Path) -> tuple[Cookie, ...]:
    """
    The cookies of a file in Netscape's format, as browsers and curl write it.

    :raises ValueError: it is no such file, or others may read it.
    """
    _insist_on_private(path)
    _read(path)
    jar = MozillaCookieJar(str(path))
    try:
        jar.load(ignore_discard=True, ignore_expires=True)
    except LoadError:
        raise ValueError(
            f"{path} is no cookie file in Netscape's format, whose first line is"
            " # Netscape HTTP Cookie File"
        ) from None
    cookies = tuple(jar)
    for cookie in cookies:
        cookie.expires = cookie.expires or None  # browsers and curl write 0 for a session's
    if not all(f"{cookie.name}{cookie.value}".isascii() for cookie in cookies):
        raise ValueError(f"{path} has a cookie that is not ASCII")
    return cookies


def read_tokens(path: Path) -> Mapping[bytes, str]:
    """:raises ValueError: it is no file of tokens of those who may upload."""
    return _lines_of(path, parse_tokens)


def read_users(path: Path) -> Mapping[str, str]:
    """:raises ValueError: it is no file of htpasswd that we understand."""
    return _lines_of(path, parse_htpasswd)


def _lines_of(path: Path, parse: Callable[[str], T]) -> T:
    text = _read(path, LARGEST_FILE)
    try:
        return parse(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _read(path: Path, most: int = MOST_OCTETS) -> str:
    try:
        with path.open("rb") as stream:
            octets = stream.read(most + 1)
    except OSError as exc:
        raise ValueError(f"cannot read {path}: {exc.strerror}") from exc
    if len(octets) > most:
        raise ValueError(f"{path} is larger than {most >> 10} KiB")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not UTF-8 text") from None


def _insist_on_private(path: Path) -> None:
    try:
        mode = path.stat().st_mode
    except OSError as exc:
        raise ValueError(f"cannot read {path}: {exc.strerror}") from exc
    if mode & 0o077:
        raise ValueError(f"{path} can be read by others: chmod 600 it")


# -- TLS -----------------------------------------------------------------------------


def check_authorities(path: Path) -> None:
    """:raises ValueError: *path* holds no certificates."""
    _read(path)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(path)
    except ssl.SSLError:
        raise ValueError(f"{path} holds no certificates in PEM form") from None


def check_identity(certificate: Path, key: Path) -> None:
    """:raises ValueError: they are no certificate and the key to it."""
    _read(certificate)
    _read(key)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_cert_chain(certificate, key, password="")
    except (ssl.SSLError, ValueError):
        raise ValueError(
            f"{certificate} and {key} are no certificate and its key (PEM, no passphrase)"
        ) from None


_PIN = re.compile(r"sha-?256(?:=|//)([A-Za-z0-9+/]{43}=|[0-9A-Fa-f]{64})")


def parse_pin(text: str) -> str:
    """
    A public key's SHA-256 in hexadecimal, of ``sha-256=<base64 or hex>`` or curl's ``sha256//``.

    :raises ValueError: it is none.
    """
    match = _PIN.fullmatch(text)
    if match is None:
        raise ValueError("expected sha-256= and the base64 (or hex) of a public key's SHA-256")
    digest = match[1]
    if len(digest) == 64:
        return digest.lower()
    try:
        return b64decode(digest, validate=True).hex()
    except binascii.Error:
        raise ValueError("expected sha-256= and base64") from None


def _with(look: Callable[[Path], object]) -> AfterValidator:
    """A check that the file is what *look* can make something of."""

    def looked_at(path: Path) -> Path:
        look(path)
        return path

    return AfterValidator(looked_at)


SecretFile = Annotated[AbsolutePath, _with(read_secret)]
FieldsFile = Annotated[AbsolutePath, _with(read_fields)]
NetrcFile = Annotated[AbsolutePath, _with(read_netrc)]
TokensFile = Annotated[AbsolutePath, _with(read_tokens)]
UsersFile = Annotated[AbsolutePath, _with(read_users)]
CookieFile = Annotated[AbsolutePath, _with(read_cookies)]
AuthoritiesFile = Annotated[AbsolutePath, _with(check_authorities)]
Pin = Annotated[str, AfterValidator(parse_pin)]
