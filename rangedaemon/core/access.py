"""
What the operator gives a host: credentials, fields, trust, a proxy.  First match wins.

What goes along is decided anew for each hop.  A job's own fields and logins go to the
origin that they were given for (RFC 9110 4.3.1: scheme, host and port) and nowhere else,
the operator's to the hosts that his patterns name.  Where several say who we are, the
nearest wins: the job's own field, its login, the host's section, the netrc file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rangedaemon.core.jobs import Login
from rangedaemon.core.proxies import DIRECT, Proxies, Proxy, basic
from rangedaemon.core.timetable import Rate
from rangedaemon.core.urls import DEFAULT_PORTS, Origin, origin_of

_PATTERN = re.compile(
    r"(?:(https?)://)?(\*|(?:\*\.)?[\w-][\w.-]*|\[[0-9a-f:.]+\])(?::([0-9]{1,5}))?/?",
    re.IGNORECASE | re.ASCII,
)


@dataclass(frozen=True, slots=True)
class HostPattern:
    """Which origins are meant: ``example.org``, ``*.example.org``, ``https://[::1]:8443``."""

    scheme: str | None
    host: str
    """A name or address, lower case; ``*`` for all, ``*.x`` for all below x."""
    port: int | None

    @classmethod
    def parse(cls, text: str) -> HostPattern:
        """
        The pattern that *text* writes.

        :raises ValueError: none.
        """
        match = _PATTERN.fullmatch(text)
        port = int(match[3]) if match and match[3] else None
        if match is None or (port is not None and not 0 < port < 65536):
            raise ValueError(
                "expected a host such as example.org, *.example.org, https://example.org:8443 or *"
            )
        scheme = match[1].lower() if match[1] else None
        if port is None and scheme is not None:
            port = DEFAULT_PORTS[scheme]
        return cls(scheme, match[2].strip("[]").rstrip(".").lower(), port)

    def matches(self, origin: Origin) -> bool:
        """Whether *origin* is meant."""
        if self.scheme not in (None, origin.scheme) or self.port not in (None, origin.port):
            return False
        host = origin.host.rstrip(".")
        if self.host.startswith("*."):
            return host.endswith(self.host[1:]) and len(host) > len(self.host) - 1
        return self.host in ("*", host)


@dataclass(frozen=True, slots=True)
class TlsTerms:
    """What is special about TLS with a host; files in PEM form."""

    ca_file: str | None = None
    """Whom to trust in place of the system's authorities."""
    client_cert: str | None = None
    client_key: str | None = None
    pins: frozenset[str] = frozenset()
    """SHA-256 of the public keys (SPKI; RFC 7469, 2.4) one of which it must show, in hex."""


@dataclass(frozen=True, slots=True)
class HostRule:
    """What one section says of the hosts that its pattern means."""

    pattern: HostPattern
    authorization: str | None = field(default=None, repr=False)
    """The Authorization field."""
    fields: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: TlsTerms | None = None
    proxies: Proxies | None = None
    """None: as for everybody else."""
    connections: int | None = None
    """At once, over all jobs; None: as for everybody else."""
    rate_limit: Rate = None
    """Octets per second from each such host; None: as for everybody else."""


@dataclass(frozen=True, slots=True)
class Route:
    """How a connection to an origin is made; connections of one route may be shared."""

    proxy: Proxy | None = None
    tls: TlsTerms | None = None
    guarded: bool = False
    """Whether the address must be one that strangers may have asked."""


@dataclass(frozen=True, slots=True)
class Access:
    """All that the operator said."""

    rules: tuple[HostRule, ...] = ()
    netrc: Mapping[str, tuple[str, str]] = field(default_factory=dict, repr=False)
    """User and password by host."""
    proxies: Proxies = DIRECT

    def fields(
        self, url: str, given_for: str, own: Mapping[str, str], logins: Iterable[Login]
    ) -> dict[str, str]:
        """The fields that may go to *url*, for a job whose *own* are for that of *given_for*."""
        origin, rule = origin_of(url), self._rule(url)
        found = dict(rule.fields) if rule is not None else {}
        who = self._authorization(origin, rule, logins)
        if who is not None:
            _put(found, "Authorization", who)
        if origin == origin_of(given_for):
            for name, value in own.items():
                _put(found, name, value)
        return found

    def route(self, url: str, *, guarded: bool) -> Route:
        """How to connect for *url*."""
        rule = self._rule(url)
        proxies = self.proxies if rule is None or rule.proxies is None else rule.proxies
        secure = rule is not None and origin_of(url).scheme == "https"
        return Route(proxies.proxy_for(url), rule.tls if rule and secure else None, guarded)

    def connections(self, url: str) -> int | None:
        """How many connections the host of *url* has at once; None: as many as every host."""
        rule = self._rule(url)
        return None if rule is None else rule.connections

    def rate_limit(self, url: str) -> Rate:
        """Octets per second from the host of *url*; None: as from every host."""
        rule = self._rule(url)
        return None if rule is None else rule.rate_limit

    def _rule(self, url: str) -> HostRule | None:
        origin = origin_of(url)
        return next((rule for rule in self.rules if rule.pattern.matches(origin)), None)

    def _authorization(
        self, origin: Origin, rule: HostRule | None, logins: Iterable[Login]
    ) -> str | None:
        for login in logins:
            if login.origin == str(origin):
                return basic(login.user, login.password)
        if rule is not None and rule.authorization is not None:
            return rule.authorization
        known = self.netrc.get(origin.host)
        return None if known is None else basic(*known)


def _put(fields: dict[str, str], name: str, value: str) -> None:
    """Set a field, whatever the case in which its name was there before."""
    for present in [other for other in fields if other.lower() == name.lower()]:
        del fields[present]
    fields[name] = value
