"""
Under which condition to ask for a range: a ladder, because hosts differ.

First If-Range with the strong tag, then, for hosts that answer 200 to that but
honour a date, the strong date; at last no condition at all, where only the answer's
own validators tell (RFC 9110 13.1.5).  Which rung a host stands on is remembered.
"""

from __future__ import annotations

from rangedaemon.core.jobs import Remembered
from rangedaemon.core.validators import strong_date, strong_etag


def ladder(remembered: Remembered) -> list[str | None]:
    """The If-Range values to try, in order; the last is always none."""
    rungs: list[str | None] = []
    if strong_etag(remembered) is not None:
        rungs.append(remembered.etag)
    if strong_date(remembered):
        rungs.append(remembered.last_modified)
    return [*rungs, None]


def condition(remembered: Remembered, fruitless: int) -> str | None:
    """The If-Range value for a host on which *fruitless* rungs were tried in vain."""
    rungs = ladder(remembered)
    return rungs[min(fruitless, len(rungs) - 1)]
