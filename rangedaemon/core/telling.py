"""
What is told of faults and addresses: enough to act on, nothing that opens a door.

The query of an address that a redirect led to is often a signature.  Whoever gave us an
address knows its query; of all others the path must do.
"""

from __future__ import annotations

from rangedaemon.core.jobs import JobError, JobSpec
from rangedaemon.core.urls import list_address, without_userinfo
from rangedaemon.errors import Fault


def plain(url: str) -> str:
    """*url* as a log may have it: without userinfo and query."""
    return without_userinfo(url).partition("?")[0]


def error_of(fault: Fault, spec: JobSpec, about: str | None = None) -> JobError:
    """Why a job failed or waits.

    :param about: the address where *fault* names none.
    """
    url = getattr(fault, "url", None) or about
    known = {*spec.urls, *list_address(spec.checksum), *list_address(spec.sums), spec.metalink}
    return JobError(fault.code, fault.detail, url if url is None or url in known else plain(url))
