"""Work on files of another user, as that user: what is made there is his, and he can go on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = 0


@contextmanager
def as_owner(path: Path) -> Iterator[None]:
    """
    Be who owns *path*, where we are root and it is not ours; for the whole process.

    SQLite makes files even where it only reads.  Those of root would keep a daemon that
    is not root from its journal.

    :raises OSError: *path* is not there.
    """
    found = path.stat()
    if os.geteuid() != ROOT or found.st_uid == ROOT:
        yield
        return
    group = os.getegid()
    os.setegid(found.st_gid)
    os.seteuid(found.st_uid)
    try:
        yield
    finally:
        os.seteuid(ROOT)
        os.setegid(group)
