"""
Former files that are kept beside the one that takes their name: NAME.1 is the youngest.

The name itself always has a file: the former one gets its second name by a link before
the new one is renamed over the first.
"""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from rangedaemon.storage.partfile import storage_faults, sync_directory

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


def keep_former(final: Path, versions: int) -> None:
    """Have what is called *final* be NAME.1 too, what was that NAME.2, up to *versions*.

    Nothing happens where a kill came after it the last time.
    """
    first = _numbered(final, 1)
    if versions < 1 or not os.path.lexists(final) or _same(final, first):
        return
    with storage_faults(final):
        for number in range(versions, 1, -1):
            older = _numbered(final, number - 1)
            if os.path.lexists(older):
                older.replace(_numbered(final, number))
        _link(final, first)
        sync_directory(final.parent)


def _link(final: Path, first: Path) -> None:
    first.unlink(missing_ok=True)
    try:
        os.link(final, first, follow_symlinks=False)
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        shutil.copy2(final, first, follow_symlinks=False)  # FAT and its like


def _same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False


def _numbered(final: Path, number: int) -> Path:
    return final.with_name(f"{final.name}.{number}")
