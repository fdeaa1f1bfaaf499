"""How origins are reached: what the configuration says, its secrets read from their files."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from http.cookiejar import CookieJar
from pathlib import Path

from rangedaemon.client.cookies import jars
from rangedaemon.client.redirects import RedirectRules
from rangedaemon.config.reaching import HostAccess, Reaching
from rangedaemon.config.secrets import read_cookies, read_fields, read_netrc, read_secret
from rangedaemon.core.access import Access, HostPattern, HostRule, TlsTerms
from rangedaemon.core.addresses import AddressPolicy
from rangedaemon.core.proxies import (
    DIRECT,
    Bypass,
    Proxies,
    basic,
    from_environment,
    parse_bypass,
    parse_proxy,
)
from rangedaemon.service.ports import StartFailed


@dataclass(frozen=True, slots=True)
class Reach:
    """All of it; read again at each reload, so that a secret can be another one."""

    access: Access
    new_jar: Callable[[], CookieJar]
    policy: AddressPolicy
    redirects: RedirectRules


def reach_of(downloads: Reaching, environ: Mapping[str, str]) -> Reach:
    """
    What *downloads* says.  Blocking.

    :raises StartFailed: a file cannot be read any more, or the environment's proxy is none.
    """
    return Reach(
        access_of(downloads, environ),
        jars_of(downloads),
        AddressPolicy.of(downloads.deny_addresses, downloads.allow_addresses),
        RedirectRules(downloads.max_redirects, downloads.allow_downgrade),
    )


def access_of(downloads: Reaching, environ: Mapping[str, str]) -> Access:
    """
    What goes along to whom, and by which way.

    :raises StartFailed: a file cannot be read any more, or the environment's proxy is none.
    """
    try:
        bypass = tuple(map(parse_bypass, downloads.no_proxy))
        return Access(
            rules=tuple(_rule(host, environ, bypass) for host in downloads.hosts),
            netrc=read_netrc(downloads.netrc) if downloads.netrc else {},
            proxies=_proxies(downloads.proxy, downloads.proxy_password_file, environ, bypass),
        )
    except ValueError as wrong:
        raise StartFailed(f"downloads: {wrong}") from wrong


def jars_of(downloads: Reaching) -> Callable[[], CookieJar]:
    """
    The cookies that each job begins with.

    :raises StartFailed: their file cannot be read any more.
    """
    try:
        return jars(read_cookies(downloads.cookies) if downloads.cookies else ())
    except ValueError as wrong:
        raise StartFailed(f"downloads.cookies: {wrong}") from wrong


def _rule(host: HostAccess, environ: Mapping[str, str], bypass: tuple[Bypass, ...]) -> HostRule:
    return HostRule(
        pattern=HostPattern.parse(host.match),
        authorization=_authorization(host),
        fields=read_fields(host.headers_file) if host.headers_file else host.headers,
        tls=_terms(host),
        connections=host.connections,
        rate_limit=host.rate_limit,
        proxies=None
        if host.proxy is None
        else _proxies(host.proxy, host.proxy_password_file, environ, bypass),
    )


def _authorization(host: HostAccess) -> str | None:
    if host.basic is not None:
        said = host.basic
        password = read_secret(said.password_file) if said.password_file else said.password
        return basic(said.username, password or "")
    token = read_secret(host.bearer_file) if host.bearer_file else host.bearer
    return None if token is None else f"Bearer {token}"


def _terms(host: HostAccess) -> TlsTerms | None:
    terms = TlsTerms(
        ca_file=_text(host.ca_file),
        client_cert=_text(host.client_cert),
        client_key=_text(host.client_key),
        pins=frozenset(host.pins),
    )
    if terms == TlsTerms():
        return None
    # Only for terms of TLS, see `client.secured`; here one may wait until it is loaded.
    import rangedaemon.client.trust  # noqa: F401, PLC0415

    return terms


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)


def _proxies(
    wish: str, password_file: Path | None, environ: Mapping[str, str], bypass: tuple[Bypass, ...]
) -> Proxies:
    if wish == "direct":
        return DIRECT
    if wish == "environment":
        return from_environment(environ, bypass)
    proxy = parse_proxy(wish)
    if password_file is not None and proxy.login is not None:
        proxy = replace(proxy, login=(proxy.login[0], read_secret(password_file)))
    return Proxies(proxy, proxy, bypass)
