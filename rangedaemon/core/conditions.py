"""
Under which condition to ask for a range: a ladder, because hosts differ.

RFC 9110 13.1.5: a client MUST NOT send a weak tag in If-Range, nor a date "unless the
client has no entity tag for the corresponding representation and the date is a strong
validator".  So a weak tag leaves no condition at all, not even beside a strong date:
the answer's own validators tell then, as on the last rung of every ladder.

One rung goes beyond those words, knowingly: the strong date behind a strong tag, for
hosts that have answered 200 to the very tag that they gave and that honour a date (some
proxies and caches do).  It is tried only after that answer, and whatever comes is
compared with the tag all the same.  Which rung a host stands on is remembered.
"""

from __future__ import annotations

from rangedaemon.core.jobs import Remembered
from rangedaemon.core.validators import strong_date, strong_etag


def ladder(remembered: Remembered) -> list[str | None]:
    """The If-Range values to try, in order; the last is always none."""
    rungs: list[str | None] = []
    strong = strong_etag(remembered) is not None
    if strong:
        rungs.append(remembered.etag)
    if strong_date(remembered) and (strong or remembered.etag is None):
        rungs.append(remembered.last_modified)
    return [*rungs, None]


def condition(remembered: Remembered, fruitless: int) -> str | None:
    """The If-Range value for a host on which *fruitless* rungs were tried in vain."""
    rungs = ladder(remembered)
    return rungs[min(fruitless, len(rungs) - 1)]
