"""What holds for all tests."""

from __future__ import annotations

import gc
import itertools
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import twisted.internet.endpoints  # noqa: F401 - with TLS, before a test has it spared
from hypothesis import HealthCheck, settings
from twisted.logger import globalLogBeginner
from twisted.trial.unittest import SynchronousTestCase

# How long an example takes says more about what else the machine does than about us.
settings.register_profile(
    "patient", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("patient")


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """Who runs the suite in the background may ignore Ctrl-C: what the tests start must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _forgetful_log() -> None:
    """Twisted keeps 65,536 events for a log that no test begins, and all that they name."""
    globalLogBeginner.beginLoggingTo([], redirectStandardIO=False, discardBuffer=True)


@pytest.fixture(autouse=True, scope="session")
def _temporary_names(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Trial's ``mktemp`` gives names below pytest's directory, not below the checkout."""
    place = tmp_path_factory.mktemp("trial")
    numbers = itertools.count()
    SynchronousTestCase.mktemp = lambda _self: str(place / str(next(numbers)))


_STATM = Path("/proc/self/statm")
_MUCH = 16 * 1024
"""Pages, 64 MiB of them, by which this process may grow before it looks for garbage."""
_grown_to = 0


@pytest.fixture(autouse=True)
def _tidy() -> Iterator[None]:
    """
    Free what tests have left in cycles, where it is much.

    Python looks through everything only once a quarter of it is new, and counts objects, not
    octets: a worker would hold gigabytes of files' contents by the end.
    """
    global _grown_to
    yield
    if _STATM.exists():
        pages = int(_STATM.read_text().split()[1])
        if pages > _grown_to + _MUCH:
            gc.collect()
            _grown_to = int(_STATM.read_text().split()[1])
