"""The one place where tests wait: a condition, a bound, and what was waited for."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

_INTERVAL = 0.02
PATIENCE = 90.0
"""Seconds until something that has to happen counts as failed.

It costs nothing where it happens, and machines are slow when they are busy: an interpreter alone
may take ten seconds to start.
"""


def until(probe: Callable[[], T | None], what: str, timeout: float = PATIENCE) -> T:
    """The first answer of *probe* that is neither None nor False.

    :raises TimeoutError: there was none in *timeout* seconds.
    """
    deadline = time.monotonic() + timeout
    while True:
        answer = probe()
        if answer is not None and answer is not False:
            return answer
        if time.monotonic() > deadline:
            raise TimeoutError(f"not within {timeout:g} s: {what}")
        time.sleep(_INTERVAL)


def gone(pid: int) -> bool:
    """Whether there is no such process any more."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True
