"""
What an address says: whose it is, and which credentials stand in it.

An origin is scheme, host and port (RFC 9110 4.3.1).  Userinfo is taken out of an address
as soon as we are given it (RFC 9110 4.2.4 deprecates it, RFC 3986 7.5 says why), so that
no place that shows, stores or sends an address can give it away; what it said is kept as
a `Login` for that one origin.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

from rangedaemon.core.jobs import JobSpec, Login
from rangedaemon.core.sums import address_of

DEFAULT_PORTS = {"http": 80, "https": 443}

_USERINFO = re.compile(r"((?:[a-z0-9-]{2,10}=)?[a-z][a-z0-9+.-]*://)[^/?#\\]*@", re.IGNORECASE)
"""Everything up to the last ``@`` of the authority (RFC 3986, 3.2), ``sha-256=`` before it."""


class Origin(NamedTuple):
    """Scheme, host and port, lower case."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"


@lru_cache(1024)
def origin_of(url: str) -> Origin:
    """The origin of *url*; remembered for a while, as each request asks for it many times.

    :raises ValueError: no such thing in it.
    """
    parts = urlsplit(url)
    scheme = parts.scheme.lower()
    port = parts.port or DEFAULT_PORTS.get(scheme, 0)
    return Origin(scheme, (parts.hostname or "").lower(), port)


def without_userinfo(url: str) -> str:
    """*url*, or a checksum that is the address of a list, without its userinfo."""
    match = _USERINFO.match(url) if "@" in url else None
    return url if match is None else match[1] + url[match.end() :]


def login_of(url: str) -> Login | None:
    """What the userinfo of *url* says, None where there is none.

    :raises ValueError: *url* is no address.
    """
    parts = urlsplit(url)
    if not (parts.username or parts.password):
        return None
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    return Login(str(origin_of(url)), user, password)


def apart(spec: JobSpec) -> JobSpec:
    """*spec* with the userinfo of its addresses among its logins; that of others stays.

    An address that is given anew with other credentials has those from then on.
    """
    urls = tuple(dict.fromkeys(map(without_userinfo, spec.urls)))
    if urls == spec.urls and "@" not in "".join((*urls, spec.checksum or "", spec.sums or "")):
        return spec
    given = [*spec.urls, *list_address(spec.checksum), *list_address(spec.sums)]
    found = [login for url in given if "@" in url and (login := login_of(url)) is not None]
    checksum, sums = spec.checksum, spec.sums
    return replace(
        spec,
        urls=urls,
        checksum=checksum if checksum is None else without_userinfo(checksum),
        sums=sums if sums is None else without_userinfo(sums),
        logins=merged(spec.logins, found),
    )


def merged(logins: Iterable[Login], newer: Iterable[Login]) -> tuple[Login, ...]:
    """One login for each origin: the last that was given for it."""
    return tuple({login.origin: login for login in (*logins, *newer)}.values())


def list_address(checksum: str | None) -> list[str]:
    """The address of a list that *checksum* names, if it does."""
    address = address_of(checksum)
    return [] if address is None else [address[1]]
