"""How origins are reached: redirects, credentials, proxies, and which addresses may be asked."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from rangedaemon.config.rates import Limit
from rangedaemon.config.secrets import (
    AuthoritiesFile,
    CookieFile,
    FieldsFile,
    NetrcFile,
    Pin,
    SecretFile,
    check_identity,
    read_secret,
)
from rangedaemon.config.section import Section
from rangedaemon.config.values import AbsolutePath, Count, Fields, Text, User, Whole
from rangedaemon.core.access import HostPattern
from rangedaemon.core.addresses import DENIED, networks_of
from rangedaemon.core.proxies import check_login, parse_bypass, parse_proxy


def _pattern(text: str) -> str:
    HostPattern.parse(text)
    return text


def _proxy(text: str) -> str:
    if text not in ("direct", "environment"):
        try:
            parse_proxy(text)
        except ValueError as wrong:
            raise ValueError(f"{wrong}; or direct, or environment") from None
    return text


def _bypass(text: str) -> str:
    parse_bypass(text)
    return text


def _networks(text: str) -> str:
    networks_of(text)
    return text


Pattern = Annotated[str, AfterValidator(_pattern)]
ProxyWish = Annotated[str, AfterValidator(_proxy)]
NetworkName = Annotated[str, AfterValidator(_networks)]


def _check_proxy_password(proxy: str | None, file: object) -> None:
    """:raises ValueError: the password is for nobody, or no proxy could be told it."""
    if file is None:
        return
    if proxy in (None, "direct", "environment"):
        raise ValueError("proxy_password_file needs a proxy as http://user@host:port")
    found = parse_proxy(str(proxy))
    if found.login is None:
        raise ValueError("proxy_password_file needs a user in proxy, as http://user@host:port")
    check_login(found.login[0], read_secret(file), found.kind)  # type: ignore[arg-type]


class Basic(Section):
    """A user and a password (RFC 7617)."""

    username: User
    """Who we are."""
    password: Text | None = Field(None, repr=False)
    """The password; better ${NAME}, or a file."""
    password_file: SecretFile | None = None
    """The file whose first line it is."""

    @model_validator(mode="after")
    def _one_password(self) -> Basic:
        if (self.password is None) == (self.password_file is None):
            raise ValueError("needs either password or password_file")
        return self


class HostAccess(Section):
    """What the hosts that match are told, and how they are reached."""

    match: Pattern
    """A host, *.domain for all below it, or *; with https:// before and :port behind as wanted."""
    basic: Basic | None = None
    """User and password."""
    bearer: Text | None = Field(None, repr=False)
    """A token (RFC 6750); better ${NAME}, or a file."""
    bearer_file: SecretFile | None = None
    """The file whose first line it is."""
    headers: Fields = Field({}, repr=False)
    """Further request fields; never shown."""
    headers_file: FieldsFile | None = None
    """A file of them, one Name: value on each line."""
    ca_file: AuthoritiesFile | None = None
    """The authorities to trust, in place of the system's; PEM."""
    client_cert: AbsolutePath | None = None
    """Our certificate, PEM, those above it behind it."""
    client_key: AbsolutePath | None = None
    """Its key, PEM without passphrase; by default in client_cert too."""
    pins: tuple[Pin, ...] = ()
    """sha-256=<base64> of public keys (SPKI), one of which the host must have."""
    proxy: ProxyWish | None = Field(None, repr=False)
    """direct, environment, http://[user@]host:port or socks5://…; null: as downloads.proxy."""
    proxy_password_file: SecretFile | None = None
    """The file whose first line is the password of proxy's user."""
    connections: Count | None = None
    """Connections at once, over all jobs; null: downloads.connections_per_host."""
    rate_limit: Limit | None = None
    """Octets per second from each such host; by the hour too; null: rate_limit_per_host."""

    @model_validator(mode="after")
    def _one_of_each(self) -> HostAccess:
        if sum(said is not None for said in (self.basic, self.bearer, self.bearer_file)) > 1:
            raise ValueError("takes one of basic, bearer and bearer_file")
        if self.headers and self.headers_file:
            raise ValueError("takes either headers or headers_file")
        if self.client_key is not None and self.client_cert is None:
            raise ValueError("client_key needs client_cert")
        if self.client_cert is not None:
            check_identity(self.client_cert, self.client_key or self.client_cert)
        _check_proxy_password(self.proxy, self.proxy_password_file)
        return self


class Reaching(Section):
    """What of the section ``downloads`` is about the way to origins."""

    max_redirects: Annotated[Whole, Field(ge=0, le=100)] = 10
    """Redirects that one request follows."""
    allow_downgrade: bool = False
    """Whether a redirect may lead from https to http."""
    netrc: NetrcFile | None = None
    """Users and passwords by host; a file that only its owner can read."""
    cookies: CookieFile | None = None
    """Cookies that each job begins with, in Netscape's format; only the owner may read them."""
    proxy: ProxyWish = Field("direct", repr=False)
    """direct, environment, http://[user@]host:port or socks5://[user@]host:port."""
    proxy_password_file: SecretFile | None = None
    """The file whose first line is the password of proxy's user."""
    no_proxy: tuple[Annotated[str, AfterValidator(_bypass)], ...] = (
        "localhost",
        "127.0.0.0/8",
        "::1",
    )
    """Hosts, domains, addresses and networks (perhaps with :port) that are asked directly."""
    deny_addresses: tuple[NetworkName, ...] = DENIED
    """Where jobs that come by the API may not lead: networks, and presets such as private."""
    allow_addresses: tuple[NetworkName, ...] = ()
    """What of that they may all the same."""
    guard: Literal["api", "all"] = "api"
    """Whose jobs that is for: those of the API, or those of this file too."""
    hosts: tuple[HostAccess, ...] = ()
    """What hosts are told, and how they are reached; the first that matches counts alone."""

    @model_validator(mode="after")
    def _whose_password(self) -> Reaching:
        _check_proxy_password(self.proxy, self.proxy_password_file)
        return self
