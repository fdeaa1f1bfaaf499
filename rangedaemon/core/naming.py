"""What a finished file is called: as asked for, as the origin says, or as its address ends."""

from __future__ import annotations

from rangedaemon.core.disposition import filename_from_url, parse_disposition, safe_filename


def choose_name(wished: str | None, disposition: str | None, url: str) -> str:
    """A name that is safe to create in a directory of ours.

    :param disposition: the raw Content-Disposition, None where there was none.
    :param url: the address that answered.
    """
    offered = parse_disposition(disposition) if disposition else None
    for name in (wished, offered):
        safe = safe_filename(name) if name else None
        if safe:
            return safe
    return filename_from_url(url)
