"""
Calls of hooks that a stop has left over: a file of JSON lines in the state directory.

It is taken away when it is read: who kills us then loses the calls that it held.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path

from twisted.logger import Logger

from rangedaemon.client.hooks.calls import Call, Left
from rangedaemon.core.occasions import Occasion
from rangedaemon.storage.threads import InThread

_log = Logger()


class FileShelf:
    """A `Shelf` in a file."""

    def __init__(self, path: Path, in_thread: InThread) -> None:
        self._path = path
        self._in_thread = in_thread

    async def take(self) -> Sequence[Left]:
        """What was put there, once; lines that are none of ours are told of."""
        return await self._in_thread(self._take)

    async def put(self, left: Sequence[Left]) -> None:
        """Keep these.

        :raises OSError: they cannot be kept.
        """
        await self._in_thread(self._put, left)

    def _take(self) -> Sequence[Left]:
        try:
            lines = self._path.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return ()
        self._path.unlink()
        return [left for line in lines if (left := _read(line)) is not None]

    def _put(self, left: Sequence[Left]) -> None:
        unfinished = self._path.with_name(f"{self._path.name}.new")
        with unfinished.open("w", encoding="utf-8") as file:
            file.writelines(f"{_written(each)}\n" for each in left)
            file.flush()
            os.fsync(file.fileno())
        unfinished.replace(self._path)


def _written(left: Left) -> str:
    call = left.call
    return json.dumps([left.hook, call.occasion.value, call.text, call.at])


def _read(line: str) -> Left | None:
    try:
        hook, occasion, text, at = json.loads(line)
        return Left(str(hook), Call(Occasion(occasion), json.loads(text), text, float(at)))
    except (ValueError, TypeError):
        _log.error("a line of the calls that were left over cannot be read")
        return None
