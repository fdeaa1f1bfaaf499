"""
Which proxy a request goes through: by the configuration, or by the environment.

The environment's variables are those of curl and its kin: ``http_proxy`` in lower case
only (a CGI's HTTP_PROXY is a field that a stranger sent), ``https_proxy``, ``all_proxy``
and ``no_proxy`` in either.  An entry of ``no_proxy`` is ``*``, a name (with all below it),
an address, or a network; a port after it narrows it down.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address, ip_network
from urllib.parse import unquote, urlsplit

from rangedaemon.core.addresses import Network
from rangedaemon.core.urls import Origin, origin_of

_PORTS = {"http": 8080, "socks5": 1080, "socks5h": 1080}


@dataclass(frozen=True, slots=True)
class Proxy:
    """Where a proxy is, what it speaks, and who we are to it."""

    kind: str
    """``http`` or ``socks5``."""
    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)

    @property
    def authorization(self) -> str | None:
        """The Proxy-Authorization field."""
        return None if self.login is None else basic(*self.login)


def basic(user: str, password: str) -> str:
    """Credentials of the Basic scheme, in UTF-8 (RFC 7617)."""
    return f"Basic {b64encode(f'{user}:{password}'.encode()).decode('ascii')}"


def parse_proxy(text: str) -> Proxy:
    """
    The proxy at ``http://[user:password@]host[:port]`` or ``socks5://…``.

    :raises ValueError: it is none that we can use; the message never shows it.
    """
    try:
        parts = urlsplit(text if "://" in text else f"http://{text}")
        port, host = parts.port, parts.hostname
    except ValueError:
        raise ValueError("not the address of a proxy") from None
    kind = parts.scheme.lower()
    if kind not in _PORTS:
        raise ValueError("expected http://host:port or socks5://host:port")
    if not host or port == 0 or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ValueError("expected a proxy's host and port, and nothing after them")
    login = None
    if parts.username is not None:
        login = check_login(unquote(parts.username), unquote(parts.password or ""), kind)
    return Proxy(kind.removesuffix("h"), host, port or _PORTS[kind], login)


def check_login(user: str, password: str, kind: str) -> tuple[str, str]:
    """User and password as a proxy of that kind can be told them.

    :raises ValueError: it cannot.
    """
    if kind == "http" and ":" in user:
        raise ValueError("a user's name has no colon (RFC 7617)")
    if kind != "http" and not all(0 < len(text.encode()) < 256 for text in (user, password)):
        raise ValueError("SOCKS5 takes a user and a password of 1 to 255 octets (RFC 1929)")
    return user, password


# -- what goes past it ---------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Bypass:
    """One entry of ``no_proxy``."""

    name: str | None
    """None: every name; else this one and all below it."""
    network: Network | None = None
    port: int | None = None

    def covers(self, origin: Origin) -> bool:
        """Whether requests to *origin* go past the proxy."""
        if self.port not in (None, origin.port):
            return False
        if self.network is not None:
            return _inside(origin.host, self.network)
        host = origin.host.rstrip(".")
        return self.name is None or host == self.name or host.endswith(f".{self.name}")


_ENTRY = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|(\*|\.?[\w.-]+))(?::([0-9]{1,5}))?", re.ASCII)


def parse_bypass(text: str) -> Bypass:
    """
    An entry of ``no_proxy``.

    :raises ValueError: it is none.
    """
    if (network := _network(text)) is not None:
        return Bypass(None, network)
    match = _ENTRY.fullmatch(text)
    port = int(match[3]) if match and match[3] else None
    if match is None or (port is not None and not 0 < port < 65536):
        raise ValueError("expected *, a name, an address or a network, and perhaps :port after it")
    host = match[1] or match[2]
    if (network := _network(host)) is not None:
        return Bypass(None, network, port)
    return Bypass(None if host == "*" else host.strip(".").lower(), None, port)


def _network(text: str) -> Network | None:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        return None


def _inside(host: str, network: Network) -> bool:
    try:
        return ip_address(host) in network
    except ValueError:
        return False


# -- which one -------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxy for each scheme, and what goes past them."""

    http: Proxy | None = None
    https: Proxy | None = None
    bypass: tuple[Bypass, ...] = ()

    def proxy_for(self, url: str) -> Proxy | None:
        """The proxy for *url*, None where it is asked directly."""
        origin = origin_of(url)
        proxy = self.https if origin.scheme == "https" else self.http
        if proxy is None or any(entry.covers(origin) for entry in self.bypass):
            return None
        return proxy


DIRECT = Proxies()


def from_environment(environ: Mapping[str, str], more: Iterable[Bypass] = ()) -> Proxies:
    """
    What the environment says.

    :param more: entries beside those of its ``no_proxy``.
    :raises ValueError: one of its proxies is none that we can use; says which variable.
    """
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    entries = [text for text in re.split(r"[\s,]+", listed) if text]
    return Proxies(
        http=_named(environ, "http_proxy", "all_proxy", "ALL_PROXY"),
        https=_named(environ, "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"),
        bypass=(*more, *_lenient(entries)),
    )


def _named(environ: Mapping[str, str], *names: str) -> Proxy | None:
    for name in names:
        if environ.get(name):
            try:
                return parse_proxy(environ[name])
            except ValueError as wrong:
                raise ValueError(f"the environment's {name}: {wrong}") from wrong
    return None


def _lenient(entries: Iterable[str]) -> Iterable[Bypass]:
    """Entries that we understand: the environment is written for other programs too."""
    for text in entries:
        try:
            yield parse_bypass(text)
        except ValueError:
            continue
