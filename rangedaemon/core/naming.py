"""What a finished file is called: as asked for, as the origin says, or as its address ends."""

from __future__ import annotations

from rangedaemon.core.disposition import filename_from_url, parse_disposition, safe_filename
from rangedaemon.core.jobs import JobRecord, OnConflict


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


def finished_name(record: JobRecord) -> str | None:
    """What the finished file of a job will be called; None until that is settled.

    A job that may overwrite gets the very name that it wants, even where somebody else's
    part file stands beside that and its own had to take another one.
    """
    spec = record.spec
    wanted = spec.replaces or (safe_filename(spec.filename) if spec.filename else None)
    if wanted and spec.on_taken is OnConflict.OVERWRITE and record.verified is None:
        return wanted
    return record.filename or record.spec.filename
