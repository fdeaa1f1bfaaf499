"""What every fault has."""

from __future__ import annotations

from typing import ClassVar


class Fault(Exception):
    """Anything that went wrong and that we can name."""

    code: ClassVar[str] = "fault"
    title: ClassVar[str] = "Something went wrong"
    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    @property
    def detail(self) -> str:
        """The sentence for people: what happened and, where we know, what to do."""
        return str(self) or self.title


def codes() -> frozenset[str]:
    """The code of every fault that this program can name."""
    found, kinds = set[str](), [Fault]
    while kinds:
        kind = kinds.pop()
        found.add(kind.code)
        kinds += kind.__subclasses__()
    return frozenset(found)
