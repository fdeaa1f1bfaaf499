"""
Places below a directory that no link leads out of.

What a peer names is looked up from the directory on, component by component, by
descriptors that follow no link (openat(2)).  All block.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import NamedTemporaryFile

from rangedaemon.errors import OutsideDirectory
from rangedaemon.storage.partfile import storage_faults

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def make_folders(base: Path, folders: Iterable[str]) -> list[str]:
    """
    Make *folders* below *base*, where they are not there yet.

    :returns: those that cannot be: a file or a link is in the way.
    :raises StorageFault: the disk refuses.
    """
    refused = []
    with storage_faults(base):
        base.mkdir(parents=True, exist_ok=True)
        for folder in sorted(set(folders)):
            try:
                with _inside(base, folder.split("/"), make=True):
                    pass
            except (NotADirectoryError, FileExistsError, OutsideDirectory):
                refused.append(folder)
    return refused


def delete_below(base: Path, paths: Sequence[str]) -> int:
    """
    Delete regular files below *base*, and the folders that are empty then; how many files.

    What a link leads to, and what is no file, stays.

    :raises StorageFault: the disk refuses.
    """
    deleted = 0
    with storage_faults(base):
        for path in paths:
            with suppress(NotADirectoryError, FileNotFoundError, OutsideDirectory):
                deleted += _delete(base, path)
    return deleted


def _delete(base: Path, path: str) -> int:
    *folders, name = path.split("/")
    with _inside(base, folders) as at:
        if not stat.S_ISREG(os.stat(name, dir_fd=at, follow_symlinks=False).st_mode):
            return 0
        os.unlink(name, dir_fd=at)
    while folders:
        *folders, last = folders
        with _inside(base, folders) as at:
            try:
                os.rmdir(last, dir_fd=at)
            except OSError:
                break  # it is not empty, and stays
    return 1


@contextmanager
def _inside(base: Path, folders: Sequence[str], *, make: bool = False) -> Iterator[int]:
    """The descriptor of a folder below *base*, which may be a link itself."""
    at = os.open(base, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        for folder in filter(None, folders):
            if folder in (".", ".."):
                raise OutsideDirectory("a folder below, please")
            if make:
                with suppress(FileExistsError):
                    os.mkdir(folder, dir_fd=at)
            try:
                below = os.open(folder, _FOLDER, dir_fd=at)
            finally:
                os.close(at)
                at = -1
            at = below
        yield at
    finally:
        if at >= 0:
            os.close(at)


def folds_case(directory: Path) -> bool:
    """Whether names that differ in upper and lower case alone are the same in *directory*."""
    with storage_faults(directory):
        directory.mkdir(parents=True, exist_ok=True)
        with NamedTemporaryFile(dir=directory, prefix=".Case", suffix=".part") as probe:
            path = Path(probe.name)
            return path.with_name(path.name.swapcase()).exists()
