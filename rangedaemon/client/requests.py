"""From a job's wishes to a request: which address, and what may go along with it."""

from __future__ import annotations

from http.cookiejar import CookieJar

from rangedaemon.client.origin import Request
from rangedaemon.core.jobs import JobSpec


def request_for(spec: JobSpec, url: str, jar: CookieJar) -> Request:
    """What is sent to *url* for the job; its own fields are for its first address' origin."""
    return Request(
        url,
        spec.headers,
        given_for=spec.urls[0],
        logins=spec.logins,
        guarded=spec.guarded,
        jar=jar,
    )
