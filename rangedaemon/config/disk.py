"""The section ``downloads.disk``: how files are put on the disk."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import BeforeValidator, WithJsonSchema

from rangedaemon.config.section import Section
from rangedaemon.config.values import Size


def _mode(value: object) -> int:
    """
    Permissions such as ``"0640"``.

    A bare 0640 is refused: programs that read YAML do not agree on what number that is.

    :raises ValueError: it is no such text, or would keep the file from its owner.
    """
    if not isinstance(value, str) or not re.fullmatch("0?[0-7]{3}", value):
        raise ValueError('expected permissions in quotes, such as "0640"')
    mode = int(value, 8)
    if mode & 0o600 != 0o600:
        raise ValueError("must let its owner read and write")
    return mode


Mode = Annotated[
    int,
    BeforeValidator(_mode),
    WithJsonSchema({"type": "string", "pattern": "^0?[0-7]{3}$", "examples": ["0640"]}),
]


class Disk(Section):
    """How files are put on the disk."""

    keep_free: Size = 0
    """Octets of each file system that are left to others; jobs wait until there is room."""
    preallocation: Literal["none", "falloc"] = "none"
    """Whether a file gets its blocks before its octets come, where the file system can."""
    file_time: Literal["now", "origin"] = "now"
    """Which time a finished file has: of its completion, or what the origin says of it."""
    file_mode: Mode | None = None
    """Permissions of a finished file, such as "0640"; null: what the umask leaves."""
