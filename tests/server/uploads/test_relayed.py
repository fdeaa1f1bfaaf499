"""The same uploads over a worker that carries them: every test of every protocol again."""

from __future__ import annotations

from collections.abc import Iterator
from importlib import import_module

from tests.server.relayed import RelayedMixin
from tests.server.uploads.case import UploadsServedCase

MODULES = ("arrival", "ietf", "put", "segmented", "tus", "tus_extensions")


def _is_drawn(test: object) -> bool:
    """Whether it is one of Hypothesis, which wants each of its tests to be of one case."""
    return getattr(test, "is_hypothesis_test", False)


def _relayed(name: str) -> Iterator[tuple[str, type]]:
    """A case for each of a module's cases."""
    module = import_module(f"tests.server.uploads.test_{name}")
    for case in vars(module).values():
        own = isinstance(case, type) and case.__module__ == module.__name__
        if own and issubclass(case, UploadsServedCase):
            left = {test: None for test in dir(case) if _is_drawn(getattr(case, test, None))}
            attributes = {"__module__": __name__, **left}
            again = f"Relayed{case.__name__}"
            yield again, type(again, (RelayedMixin, case), attributes)


for _name in MODULES:
    globals().update(_relayed(_name))
