"""
Where a redirect leads, and what may go along (RFC 9110 15.4, 10.2.2).

Each hop is resolved against the address that sent it.  No hop leads from https to
http, none leaves http and https; the job's own fields go only to the origin
(scheme, host, port) that they were given for.
"""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urldefrag, urljoin, urlsplit

from rangedaemon.errors import BadRedirect

REDIRECTS = frozenset({301, 302, 303, 307, 308})
DEFAULT_PORTS = {"http": 80, "https": 443}


def origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of *url* (RFC 9110 4.3.1), lower case.

    :raises ValueError: no such thing in it.
    """
    parts = urlsplit(url)
    port = parts.port or DEFAULT_PORTS.get(parts.scheme.lower(), 0)
    return parts.scheme.lower(), (parts.hostname or "").lower(), port


def next_hop(url: str, location: str | None) -> str:
    """The address that *url* redirects to.

    :raises BadRedirect: there is no Location, or it must not be followed.
    """
    if not location:
        raise BadRedirect("a redirect without Location", url=url)
    try:
        target = urldefrag(urljoin(url, location.strip())).url
        scheme, host, _ = origin_of(target)
    except ValueError:
        raise BadRedirect("the Location is no address", url=url) from None
    if scheme not in DEFAULT_PORTS or not host:
        raise BadRedirect("the Location is neither http nor https", url=url)
    if origin_of(url)[0] == "https" and scheme == "http":
        raise BadRedirect("a redirect from https to http", url=url)
    return target


def fields_for(url: str, given_for: str, fields: Mapping[str, str]) -> Mapping[str, str]:
    """Which of the job's *fields* may be sent to *url*: all of them at home, else none."""
    return fields if origin_of(url) == origin_of(given_for) else {}
