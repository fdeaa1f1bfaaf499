"""
Who may ask, and from where: pure judgement of a request's fields.

Loopback is no boundary, since any web page can make a browser talk to it.  So the
Host must be one of ours (against DNS rebinding), a browser must say that it asks
for our own page (Origin, Sec-Fetch-Site), and everything but the doors left open
on purpose needs a bearer token (RFC 6750, 2.1).
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from rangedaemon.control.problems import (
    Forbidden,
    MalformedRequest,
    NotAuthenticated,
    WrongMediaType,
    WrongToken,
)
from rangedaemon.control.tokens import Keyring, Principal, Scope

_HOST = re.compile(r"(\[[0-9A-Fa-f:.]{2,45}\]|[0-9A-Za-z_.-]{1,253})(?::[0-9]{0,5})?")
_LABEL = re.compile(r"[0-9a-z_-]{1,63}")
_BEARER = re.compile(r"bearer +([A-Za-z0-9._~+/=-]{1,500})", re.IGNORECASE)
_ORIGIN = re.compile(r"https?://([^/?#@\s]+)", re.IGNORECASE)
_OWN_SITES = frozenset({"same-origin", "none"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Door(Enum):
    """How a path is guarded."""

    OPEN = "open"
    """Anybody who comes by an allowed name: the health check."""
    PAGE = "page"
    """The static web page: as OPEN, and a link from elsewhere may lead to it."""
    OWN = "own"
    """The door checks tokens itself, in its own protocol (aria2 RPC)."""
    TOKEN = "token"  # noqa: S105 - not a password
    """Everything else."""


class Asked(NamedTuple):
    """What a request says about itself; lists hold every line of a field."""

    method: str
    path: str
    hosts: Sequence[str]
    origins: Sequence[str] = ()
    fetch_sites: Sequence[str] = ()
    authorizations: Sequence[str] = ()
    content_types: Sequence[str] = ()
    has_body: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """Who is let in."""

    keyring: Keyring
    allowed_hosts: frozenset[str]
    """As `host_name` gives them; ``*`` lets any name in."""
    allowed_origins: Collection[str] = ()
    """Origins of other sites, lower case, that may ask from a browser; ``*`` for all."""
    doors: Sequence[tuple[str, Door]] = field(
        default=(
            ("/healthz", Door.OPEN),
            ("/ui", Door.PAGE),
            ("/jsonrpc", Door.OWN),
        )
    )

    def door(self, path: str) -> Door:
        """How *path* is guarded; a door covers what is below it too."""
        if path == "/":
            return Door.PAGE
        for prefix, door in self.doors:
            if path == prefix or path.startswith(prefix + "/"):
                return door
        return Door.TOKEN


@lru_cache(64)
def host_name(text: str) -> str | None:
    """
    The host of a ``Host`` field in one spelling: no port, brackets, capitals, last dot.

    :returns: None where it is not a host at all.
    """
    match = _HOST.fullmatch(text.strip())
    if match is None:
        return None
    host = match[1].lower()
    if host.startswith("["):
        address = _ip_name(host[1:-1])
        return address if address is not None and ":" in address else None
    host = host.removesuffix(".")
    return host if all(_LABEL.fullmatch(label) for label in host.split(".")) else None


def host_names(texts: Collection[str]) -> frozenset[str]:
    """The configured names in that spelling (a bare IPv6 address may be there too)."""
    names = {_ip_name(text) or host_name(text) or text for text in texts}
    return frozenset(names)


def judge(asked: Asked, rules: Rules) -> Principal | None:
    """
    Let a request in; who it is, where its door asks for that.

    :raises MalformedRequest: no Host, or more than one (RFC 9112, 3.2).
    :raises Forbidden: from a name or a page that is not ours, or beyond its scopes.
    :raises NotAuthenticated: no token.
    :raises WrongToken: not one of ours.
    :raises WrongMediaType: a change with a body that is not JSON.
    """
    door = rules.door(asked.path)
    _check_host(asked, rules)
    _check_page(asked, rules, door)
    if door is not Door.TOKEN:
        return None
    principal = _authenticated(asked, rules.keyring)
    _check_scope(asked, principal)
    _check_media_type(asked)
    return principal


def bearer(authorizations: Sequence[str]) -> str | None:
    """The token of the one ``Authorization: Bearer`` field."""
    if len(authorizations) != 1:
        return None
    match = _BEARER.fullmatch(authorizations[0].strip())
    return match[1] if match else None


def _ip_name(text: str) -> str | None:
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return None


def _check_host(asked: Asked, rules: Rules) -> None:
    if len(asked.hosts) != 1:
        raise MalformedRequest("a request has exactly one Host field")
    name = host_name(asked.hosts[0])
    if name is None or not ("*" in rules.allowed_hosts or name in rules.allowed_hosts):
        raise Forbidden("this Host is not in control.allowed_hosts")


def _check_page(asked: Asked, rules: Rules, door: Door) -> None:
    """Refuse what a browser sends for somebody else's page."""
    if asked.origins:
        _check_origin(asked, rules)
    elif door is not Door.PAGE and not _OWN_SITES.issuperset(map(str.lower, asked.fetch_sites)):
        raise Forbidden("a page of another site may not ask this")


def _check_origin(asked: Asked, rules: Rules) -> None:
    origin = asked.origins[0].lower()
    match = _ORIGIN.fullmatch(origin)
    ours = match is not None and match[1] == asked.hosts[0].strip().lower()
    listed = "*" in rules.allowed_origins or origin in rules.allowed_origins
    if len(asked.origins) != 1 or not (ours or listed):
        raise Forbidden("a page of this Origin may not ask this")


def _authenticated(asked: Asked, keyring: Keyring) -> Principal:
    token = bearer(asked.authorizations)
    if token is None:
        raise NotAuthenticated("send Authorization: Bearer and the token of the token file")
    principal = keyring.admit(token)
    if principal is None:
        raise WrongToken("this token is not valid; the right one is in the token file")
    return principal


def _check_scope(asked: Asked, principal: Principal) -> None:
    needed = needed_scope(asked.method, asked.path)
    if not principal.may(needed):
        raise Forbidden(f"the token {principal.name} may not do this: it needs {needed}")


def needed_scope(method: str, path: str) -> Scope:
    """What a token must allow for this request."""
    if method in SAFE_METHODS:
        return Scope.READ
    return Scope.ADD if (method, path) == ("POST", "/api/v1/jobs") else Scope.ADMIN


def _check_media_type(asked: Asked) -> None:
    if asked.method in SAFE_METHODS or not asked.has_body:
        return
    kinds = [text.partition(";")[0].strip().lower() for text in asked.content_types]
    if kinds != ["application/json"]:
        raise WrongMediaType("send Content-Type: application/json")
