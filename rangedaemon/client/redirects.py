"""
Where a redirect leads, and what may go along (RFC 9110 15.4, 10.2.2).

Each hop is resolved against the address that sent it.  None leaves http and https, and
none leads from https to http where nobody allowed it.  Credentials that stand in a
Location are the redirecting server's words, not ours: they are not sent (RFC 9110 4.2.4).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urldefrag, urljoin

from rangedaemon.core.urls import DEFAULT_PORTS, origin_of, without_userinfo
from rangedaemon.errors import BadRedirect

REDIRECTS = frozenset({301, 302, 303, 307, 308})


@dataclass(frozen=True, slots=True)
class RedirectRules:
    """How far redirects are followed."""

    most: int = 10
    """Hops of one request."""
    allow_downgrade: bool = False
    """Whether one may lead from https to http."""


def next_hop(url: str, location: str | None, *, allow_downgrade: bool = False) -> str:
    """The address that *url* redirects to.

    :param allow_downgrade: whether it may be http where *url* is https.
    :raises BadRedirect: there is no Location, or it must not be followed.
    """
    if not location:
        raise BadRedirect("a redirect without Location", url=url)
    try:
        target = without_userinfo(urldefrag(urljoin(url, location.strip())).url)
        scheme, host, _ = origin_of(target)
    except ValueError:
        raise BadRedirect("the Location is no address", url=url) from None
    if scheme not in DEFAULT_PORTS or not host:
        raise BadRedirect("the Location is neither http nor https", url=url)
    if origin_of(url).scheme == "https" and scheme == "http" and not allow_downgrade:
        raise BadRedirect(
            "a redirect from https to http; downloads.allow_downgrade would allow it", url=url
        )
    return target


def fields_for(url: str, given_for: str, fields: Mapping[str, str]) -> Mapping[str, str]:
    """Which of the job's *fields* are still its own when it goes on at *url*: all or none."""
    return fields if origin_of(url) == origin_of(given_for) else {}
