"""The section ``downloads.watch``: a folder whose files become jobs."""

from __future__ import annotations

from typing import Literal

from rangedaemon.config.section import Section
from rangedaemon.config.values import AbsolutePath


class Watch(Section):
    """Lists of addresses, aria2's input files and metalinks that are dropped there are added."""

    directory: AbsolutePath
    """Made where it is missing."""
    done: Literal["delete", "rename"] = "delete"
    """What becomes of a file whose jobs were added; rename: to NAME.done."""
