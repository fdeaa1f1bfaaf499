"""
The final name of a file: which one it is, and the one step in which a part file gets it.

All functions block and are called off the reactor thread.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from rangedaemon.core.disposition import numbered_filename
from rangedaemon.core.jobs import OnConflict
from rangedaemon.errors import NameTaken
from rangedaemon.storage.partfile import PartFile, part_path, storage_faults, sync_directory


def names_after(path: Path) -> Iterator[Path]:
    """*path*, then the same name with a number in it, without end."""
    yield path
    for number in count(1):
        yield path.with_name(numbered_filename(path.name, number))


def claim_name(wanted: Path, on_conflict: OnConflict) -> tuple[Path, PartFile]:
    """Settle the final name and make its part file.

    :returns: the final path, still without a file unless it may be overwritten, and
        its new part file.  Where it may be overwritten and somebody's part file is beside
        it, the path is another: the part file is there, the file may still get its name.
    :raises NameTaken: *on_conflict* says to fail and something is there; or what is there
        cannot be overwritten.
    """
    if on_conflict is OnConflict.OVERWRITE and wanted.is_dir() and not wanted.is_symlink():
        raise NameTaken(f"{wanted} is a directory; choose another name")
    for final in names_after(wanted):
        taken = os.path.lexists(final) and on_conflict is not OnConflict.OVERWRITE
        if not taken:
            try:
                return final, PartFile.create(part_path(final))
            except NameTaken:
                if on_conflict is OnConflict.FAIL:
                    raise
        elif on_conflict is OnConflict.FAIL:
            raise NameTaken(f"{final} is there already; choose another name or on_conflict")
    raise AssertionError("names_after never ends")  # pragma: no cover


def publish(part: Path, final: Path, on_conflict: OnConflict) -> Path:
    """Give the synced part file its final name, in one step; which name it got.

    :raises NameTaken: the name was taken meanwhile and *on_conflict* says to fail, or what
        has it cannot be overwritten.
    """
    with storage_faults(final):
        if on_conflict is OnConflict.OVERWRITE:
            _replace(part, final)
        else:
            final = _publish_beside(part, final, on_conflict)
        sync_directory(final.parent)
    return final


def _replace(part: Path, final: Path) -> None:
    try:
        part.replace(final)
    except IsADirectoryError:
        raise NameTaken(f"{final} is a directory now; remove it, or choose another name") from None


def settle_name(final: Path) -> None:
    """Return when the name of a file that is there already is on the disk."""
    with storage_faults(final):
        sync_directory(final.parent)


def _publish_beside(part: Path, wanted: Path, on_conflict: OnConflict) -> Path:
    for final in names_after(wanted):
        if _give_name(part, final):
            return final
        if on_conflict is OnConflict.FAIL:
            raise NameTaken(f"{final} appeared while it was fetched")
    raise AssertionError("names_after never ends")  # pragma: no cover


def _give_name(part: Path, final: Path) -> bool:
    """Whether *final* was free, and is the part file's only name now."""
    try:
        os.link(part, final, follow_symlinks=False)
    except FileExistsError:
        if not os.path.samestat(part.lstat(), final.lstat()):
            return False  # else a kill came between the link and the unlink
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK):
            raise
        if os.path.lexists(final):
            return False
        part.rename(final)  # no links here (FAT): the best that is left
        return True
    part.unlink()
    return True
