"""
Positional parameters: each taken once, with aria2's words where it does not fit.

Positions count after the token was taken away.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Mapping
from typing import Any, TypeVar

from rangedaemon.control.aria2.envelope import RpcError

T = TypeVar("T")


class Params:
    """The parameters of one call."""

    def __init__(self, values: list[Any]) -> None:
        self._values = values

    def text(self, at: int) -> str:
        """A string that must be there."""
        return self._required(at, str)

    def octets(self, at: int) -> bytes:
        """Octets in base64 that must be there."""
        try:
            return b64decode(self.text(at), validate=True)
        except ValueError as broken:  # also what is not ASCII
            raise RpcError(f"The parameter at {at} is not base64.") from broken

    def integer(self, at: int, least: int | None = None) -> int:
        """An integer that must be there."""
        number = self._required(at, int)
        if least is not None and number < least:
            raise RpcError(f"The integer parameter at {at} has invalid value: {number}")
        return number

    def position(self, at: int) -> int | None:
        """A place in the queue, where one is given."""
        return self.integer(at, 0) if at < len(self._values) else None

    def texts(self, at: int) -> list[str]:
        """A list that must be there; what is no string in it is passed over."""
        return [item for item in self._required(at, list) if isinstance(item, str)]

    def keys(self, at: int) -> frozenset[str]:
        """The names of the fields that are wanted; none at all means all of them."""
        return frozenset(self.texts(at)) if at < len(self._values) else frozenset()

    def options(self, at: int) -> Mapping[str, Any]:
        """A struct of options; an empty one where there is none."""
        return self._required(at, dict) if at < len(self._values) else {}

    def structs(self, at: int) -> list[Any]:
        """A list of anything that must be there."""
        return self._required(at, list)

    def _required(self, at: int, kind: type[T]) -> T:
        if at >= len(self._values):
            raise RpcError(f"The parameter at {at} is required but missing.")
        value = self._values[at]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):
            raise RpcError(f"The parameter at {at} has wrong type.")
        return value
