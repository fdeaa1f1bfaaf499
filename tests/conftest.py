"""What holds for all tests."""

from __future__ import annotations

import itertools
import signal

import pytest
from twisted.trial.unittest import SynchronousTestCase


@pytest.fixture(autouse=True, scope="session")
def _interruptible() -> None:
    """Who runs the suite in the background may ignore Ctrl-C: what the tests start must not."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True, scope="session")
def _temporary_names(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Trial's ``mktemp`` gives names below pytest's directory, not below the checkout."""
    place = tmp_path_factory.mktemp("trial")
    numbers = itertools.count()
    SynchronousTestCase.mktemp = lambda _self: str(place / str(next(numbers)))
