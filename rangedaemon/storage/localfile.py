"""
A local file that is pushed elsewhere: read under the promise that it stays what it is.

It is reached from a directory that was allowed, by descriptors, following no link unless
that was asked for.  What was read is logged with its hashes as the octets of part files
are (`rangedaemon.storage.extents`): where the file's time moves later, the log proves
that the octets that were sent are still the file's, or that they are not.
Everything blocks and is called off the reactor thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.push.values import LocalStamp
from rangedaemon.errors import (
    ClientFault,
    Complaint,
    FileChanged,
    FileMissing,
    InvalidInput,
    StorageFault,
)
from rangedaemon.storage.extentlog import ExtentLog, log_path
from rangedaemon.storage.extents import verify_extents
from rangedaemon.storage.partfile import storage_faults
from rangedaemon.storage.tree import Drift, Forbidden, NoSuchFile, OpenFile, ServedTree

_CHANGED = "{} was changed while it was pushed"


class Allowed:
    """The directories that files may be pushed from."""

    def __init__(self, directories: Iterable[Path], *, follow_symlinks: bool) -> None:
        """:param follow_symlinks: whether links are followed, as far as they stay inside."""
        self._directories = tuple(directories)
        self._follow = follow_symlinks

    def open(self, path: Path) -> OpenFile:
        """
        Open a regular file.

        :raises FileMissing: it is not there, not below an allowed directory, no regular
            file, behind a link, or not ours to read.
        """
        tree, segments = self._place(path)
        try:
            return tree.open(segments)
        except ClientFault as fault:
            raise FileMissing(f"cannot push {path}: {fault.title.lower()}") from fault

    def files_below(self, folder: Path, most: int) -> list[str]:
        """
        The regular files below *folder* by their names from there on, in order.

        :param most: how many there may be.
        :raises FileMissing: the folder cannot be read, or is below no allowed directory.
        :raises InvalidInput: there are more than *most*.
        """
        tree, segments = self._place(folder)
        found: list[str] = []
        folders = [segments]
        try:
            while folders:
                here = folders.pop()
                for entry in tree.listdir(here):
                    if entry.is_dir:
                        folders.append((*here, entry.name))
                    else:
                        found.append("/".join((*here[len(segments) :], entry.name)))
                if len(found) > most:
                    raise InvalidInput([Complaint("folder", f"more than {most} files below it")])
        except (NoSuchFile, Forbidden) as fault:
            raise FileMissing(f"cannot push {folder}: {fault.title.lower()}") from fault
        return sorted(found)

    def _place(self, path: Path) -> tuple[ServedTree, tuple[str, ...]]:
        for directory in self._directories:
            if path.is_relative_to(directory):
                tree = ServedTree(directory, hidden_files=True, follow_symlinks=self._follow)
                return tree, path.relative_to(directory).parts
        raise FileMissing(f"{path} is below none of the directories that files are pushed from")


class LocalFile:
    """An open file with the log of what was read of it."""

    def __init__(self, allowed: Allowed, path: Path, file: OpenFile) -> None:
        self.path = path
        self.stamp = stamp_of(file)
        self._allowed = allowed
        self._file = file
        self._log: ExtentLog | None = None

    @classmethod
    def open(cls, allowed: Allowed, path: Path) -> LocalFile:
        """:raises FileMissing: it cannot be had."""
        return cls(allowed, path, allowed.open(path))

    def keep_log(self, state_dir: Path, job_id: str, generation: int) -> None:
        """Log what is read from now on.

        :param generation: how many uploads of the job were begun for other octets.
        """
        self._log = ExtentLog.open(log_path(state_dir, job_id), job_id, generation)

    def proved(self) -> tuple[IntervalSet, IntervalSet]:
        """Of the logged octets, those that the file surely still has, and those that it may not.

        Whole blocks are compared.
        """
        if self._log is None:
            raise StorageFault("the log of what was read is not open")
        return verify_extents(self._read, self._log.load())

    def read(self, offset: int, length: int) -> bytes:
        """Exactly those octets, logged.

        :raises FileChanged: the file is another one by now.
        """
        octets = self.peek(offset, length)
        if self._log is not None:
            self._log.wrote(offset, [octets])
        return octets

    def peek(self, offset: int, length: int) -> bytes:
        """Exactly those octets, which go nowhere.

        :raises FileChanged: the file is another one by now.
        """
        octets = self._read(offset, length)
        if len(octets) != length or self._file.drift() is not Drift.SAME:
            raise FileChanged(_CHANGED.format(self.path))
        return octets

    def _read(self, offset: int, length: int) -> bytes:
        with storage_faults(self.path):
            return os.pread(self._file.fd, length, offset)

    def insist_on_same(self) -> None:
        """:raises FileChanged: under its name there is another file, or none, by now."""
        try:
            now = self._allowed.open(self.path)
        except FileMissing as fault:
            raise FileChanged(f"{self.path} was moved away while it was pushed") from fault
        try:
            if stamp_of(now) != self.stamp or self._file.drift() is not Drift.SAME:
                raise FileChanged(_CHANGED.format(self.path))
        finally:
            now.close()

    def sync(self) -> None:
        """Return when the log of what was read is on the disk."""
        if self._log is not None:
            self._log.sync()
            if self._log.bloated:
                self._log.rewrite()

    def close(self, *, forget: bool = False) -> None:
        """Let go; with *forget* the log goes for good."""
        self._file.close()
        log, self._log = self._log, None
        if log is not None:
            with suppress(StorageFault):  # without its last records it just proves less
                log.remove() if forget else log.close()


def stamp_of(file: OpenFile) -> LocalStamp:
    """What the file is known again by."""
    return LocalStamp(file.size, file.mtime_ns, file.inode, file.device)
