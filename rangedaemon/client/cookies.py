"""
The cookies of one running job (RFC 6265), by way of the standard library's jar.

Each run of a job has a jar of its own, that begins with what the operator's cookie file
holds; so a login by redirects works, and what one job was given no other ever sends.
Which of them go to an address, the jar decides: by domain, path, time and ``Secure``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from copy import copy
from http import cookiejar
from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from typing import Any

MOST_COOKIES = 300
"""Cookies that a jar takes from origins."""


class _Policy(DefaultCookiePolicy):
    """No cookie for a whole domain from a host beside it, and no end of them.

    What came over http does not replace what is for https only (RFC 6265bis, 5.7), and
    what was set for a host alone does not go to its other ports, whoever listens there.
    """

    def __init__(self) -> None:
        super().__init__(strict_ns_domain=DefaultCookiePolicy.DomainStrict)
        self.taken = 0
        self.secure: set[tuple[str, str]] = set()
        """Domain and name of the cookies that are for https only."""

    def set_ok(self, cookie: Cookie, request: Any) -> bool:
        """Whether an origin may set *cookie*."""
        which = (cookie.domain, cookie.name)
        if request.type != "https" and (cookie.secure or which in self.secure):
            return False
        if self.taken >= MOST_COOKIES or not super().set_ok(cookie, request):
            return False
        self.taken += 1
        if not cookie.domain_specified:
            cookie.port = cookiejar.request_port(request) or "80"  # type: ignore[attr-defined]
        if cookie.secure:
            self.secure.add(which)
        return True


def jars(cookies: Iterable[Cookie] = ()) -> Callable[[], CookieJar]:
    """A maker of jars that hold *cookies* from the start."""
    held = tuple(cookies)

    def make() -> CookieJar:
        policy = _Policy()
        jar = CookieJar(policy)
        for cookie in held:
            jar.set_cookie(copy(cookie))
        policy.secure.update((cookie.domain, cookie.name) for cookie in held if cookie.secure)
        return jar

    return make
