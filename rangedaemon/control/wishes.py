"""
What may be asked of a new job, field by field; pure.

Each check returns the value as it is kept, or raises `ValueError` with a message
for the one who asked.  `spec_of` makes a job of them, whoever asks, and `confined` keeps
every job under the download directory.
"""

from __future__ import annotations

import os.path
import re
from collections.abc import Collection, Mapping
from typing import Any
from urllib.parse import urlsplit

from hyperlink import URL

from rangedaemon.core.jobs import JobSpec, Login
from rangedaemon.core.repeats import Repeat
from rangedaemon.core.sums import address_of
from rangedaemon.core.urls import origin_of
from rangedaemon.errors import Complaint, InvalidInput, OutsideDirectory

ALIKE = (
    *("name", "filename", "checksum", "headers", "priority", "rate_limit", "paused"),
    *("on_conflict", "on_change", "start_at", "window", "versions"),
)
"""Wishes that mean the same wherever they come from, and are called as in `JobSpec`."""

CALENDAR = frozenset({"start_at", "window", "repeat", "versions"})
"""Wishes that say when."""

_CONTROLS = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
_NOT_IN_URL = re.compile(r"[\x00-\x20\x7f-\xa0\ud800-\udfff\"<>\\]")
_ORDINARY_URL = re.compile(
    r"https?://[0-9a-z.-]+(?::[1-9][0-9]{0,3})?(?:/[0-9A-Za-z/._~%?=&+,:;@!$'()*-]*)?"
)
"""What nearly all addresses look like; `check_url` takes any of them, and says so sooner."""
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}")
_FIELD_TEXT = re.compile(r"[\t\x20-\x7e\x80-\xff]*")
MAX_NAME_OCTETS = 250
"""What a name may have so that ``<name>.part`` still fits the usual 255."""

OURS = frozenset(
    {
        "accept-encoding",
        "connection",
        "content-length",
        "expect",
        "host",
        "if-match",
        "if-modified-since",
        "if-none-match",
        "if-range",
        "if-unmodified-since",
        "keep-alive",
        "proxy-connection",
        "range",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    }
)
"""Fields that decide how an answer is to be read; nobody else may set them."""

DIGEST_HEX_LENGTH = {
    "md5": 32,
    "sha": 40,
    "sha-1": 40,
    "sha-256": 64,
    "sha-512": 128,
    "blake2b": 128,
}


def spec_of(
    wish: object,
    urls: tuple[str, ...],
    *,
    base: str,
    segments: int,
    source: str = "api",
    guarded: bool = True,
) -> JobSpec:
    """
    The job that *wish* asks for: a model of the API or of the configuration.

    :param base: the directory that no job leaves.
    :param segments: the connections of a job that names no number.
    :param guarded: whether it may only ask addresses that are open to strangers.
    :raises OutsideDirectory: its directory is not below *base*.
    """
    wished: Any = wish
    return JobSpec(
        urls=urls,
        directory=confined(base, wished.directory),
        segments=wished.segments or segments,
        source=source,
        guarded=guarded,
        logins=logins_of(urls[0], wished.username, wished.password),
        repeat=repeat_of(wish),
        **{name: getattr(wished, name) for name in ALIKE},
    )


def repeat_of(wish: object) -> Repeat | None:
    """When the job that *wish* asks for runs again."""
    wished: Any = wish
    return None if wished.repeat is None else Repeat(**wished.repeat.model_dump())


def calendar_of(wish: object, given: Collection[str]) -> Mapping[str, Any]:
    """Those of `CALENDAR` that are *given*, as a job has them."""
    values: dict[str, Any] = {name: getattr(wish, name) for name in given}
    return values if "repeat" not in given else values | {"repeat": repeat_of(wish)}


def logins_of(url: str, user: str | None, password: str | None) -> tuple[Login, ...]:
    """User and password are for the origin of the first address."""
    return () if user is None else (Login(str(origin_of(url)), user, password or ""),)


def check_user(user: str) -> str:
    """A user's name as the Basic scheme can say it (RFC 7617, 2)."""
    if ":" in user:
        raise ValueError("a user's name has no colon")
    return check_text(user)


def check_pair(user: str | None, password: str | None) -> None:
    """:raises ValueError: there is a password and nobody whose it is."""
    if user is None and password is not None:
        raise ValueError("a password needs a username")


def check_url(url: str) -> str:
    """An absolute http or https address; beyond ASCII it is kept as a URI (RFC 3987, 3.1)."""
    return url if _ORDINARY_URL.fullmatch(url) else _looked_into(url)


def _looked_into(url: str) -> str:
    if _NOT_IN_URL.search(url):
        raise ValueError("an address has no blanks, control or other forbidden characters")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as broken:
        raise ValueError("not an address") from broken
    if parts.scheme.lower() not in ("http", "https"):
        raise ValueError("only http and https addresses")
    if not parts.hostname or port == 0:
        raise ValueError("an address needs a host (and no port 0)")
    return url if url.isascii() else _as_uri(url)


def _as_uri(url: str) -> str:
    try:
        return URL.from_text(url).to_uri().to_text()
    except ValueError as broken:  # also what IDNA cannot express
        raise ValueError("not an address") from broken


def check_text(text: str) -> str:
    """A line of text without control characters."""
    if _CONTROLS.search(text):
        raise ValueError("no control characters")
    return text


def check_filename(name: str) -> str:
    """One name in a directory: no separators, no control characters."""
    check_text(name)
    if "/" in name or "\\" in name:
        raise ValueError("a file name, not a path: no separators")
    if name in (".", ".."):
        raise ValueError("not a file name")
    if len(name.encode()) > MAX_NAME_OCTETS:
        raise ValueError(f"at most {MAX_NAME_OCTETS} octets in UTF-8")
    return name


def check_checksum(checksum: str) -> str:
    """``algorithm=hex``, kept in lower case; or the address of a list, as in ``sha256sum``'s."""
    address = address_of(checksum)
    if address is not None:
        return _check_address(*address)
    algorithm, _, digest = checksum.lower().partition("=")
    length = DIGEST_HEX_LENGTH.get(algorithm)
    if length is None:
        known = ", ".join(DIGEST_HEX_LENGTH)
        raise ValueError(
            f"algorithm=hex with one of the algorithms {known}, or the address of a list"
        )
    if not re.fullmatch(f"[0-9a-f]{{{length}}}", digest):
        raise ValueError(f"a {algorithm} digest has {length} hexadecimal digits")
    return f"{algorithm}={digest}"


def _check_address(algorithm: str | None, url: str) -> str:
    if algorithm is None:
        return check_url(url)
    if algorithm not in DIGEST_HEX_LENGTH:
        raise ValueError(f"none of the algorithms {', '.join(DIGEST_HEX_LENGTH)}")
    return f"{algorithm}={check_url(url)}"


def check_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Request fields that an origin may get from us; the messages never show a value."""
    for name, value in headers.items():
        _check_field(name, value)
    if len({name.lower() for name in headers}) != len(headers):
        raise ValueError("a field is there twice")
    return dict(headers)


def _check_field(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError("a field name is a token (RFC 9110, 5.1)")
    if name.lower() in OURS:
        raise ValueError(f"{name} is not for others to set")
    if not _FIELD_TEXT.fullmatch(value) or value != value.strip():
        raise ValueError(f"the value of {name} is not a field value (RFC 9110, 5.5)")


def confined(base: str, wanted: str | None) -> str:
    """
    The absolute directory that *wanted* means, which is *base* or below it.

    :raises OutsideDirectory: it is elsewhere.
    """
    if wanted is None:
        return base
    if ".." in re.split(r"[/\\]", wanted):
        raise OutsideDirectory("a directory without '..', please")
    path = os.path.normpath(os.path.join(base, wanted))  # noqa: PTH118 - lexical on purpose
    if path != base and not path.startswith(base.rstrip("/") + "/"):
        raise OutsideDirectory(f"{wanted} is not below {base}")
    if len(os.fsencode(path)) > 3500:
        raise InvalidInput([Complaint("directory", "too long")])
    return path
