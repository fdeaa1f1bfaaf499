"""Whether a file that is being sent still is what it was when its answer began."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Final

from rangedaemon.errors import StorageFault

_PAUSES: Final = (0.001, 0.004, 0.015)
"""Seconds between the looks at a file that seems to be another."""


class FileMoved(StorageFault):
    """The file is not what it was when its answer began."""

    code = "file-moved"
    title = "The file changed while it was sent"


class Watch:
    """
    Over one open file, by a stat of it.

    A write moves the file's time first and its size last, so a file that is just being
    added to looks for a moment as if it had been written over.
    """

    def __init__(
        self, still_same: Callable[[], bool], pause: Callable[[float], None] = time.sleep
    ) -> None:
        self._still_same = still_same
        self._pause = pause

    def seems_same(self) -> bool:
        """Whether there is nothing to `check`; for the reactor, if the stat does not wait."""
        return self._still_same()

    def check(self) -> None:
        """
        Look, more than once if need be: in a thread.

        :raises FileMoved: it is another.
        """
        for pause in _PAUSES:
            if self._still_same():
                return
            self._pause(pause)
        if not self._still_same():
            raise FileMoved("the file changed while it was sent")
