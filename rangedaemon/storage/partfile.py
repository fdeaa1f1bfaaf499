"""
The part file: octets at their offsets, synced before anyone claims them, published whole.

All functions block and are called off the reactor thread.  The octets are in
``<name>.part`` beside the final name; the final name appears by one atomic step
after the data was synced (`rangedaemon.storage.publishing`).  The final component is never
followed as a link.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TypeVar

from rangedaemon.errors import (
    NameTaken,
    NeverFits,
    NoSpace,
    NotWritable,
    PartFileLost,
    StorageFault,
)
from rangedaemon.storage.space import allocate

T = TypeVar("T")

SUFFIX = ".part"
MOST_BUFFERS = min(1024, os.sysconf("SC_IOV_MAX") if hasattr(os, "sysconf") else 16)
_FULL = (errno.ENOSPC, errno.EDQUOT)
_FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EEXIST)
"""What no retry betters: somebody must change a mode, a mount or a name."""
_NO_FILE = (errno.ELOOP, errno.EISDIR, errno.ENXIO)
"""What opening says of a link, a directory, a socket."""


@contextmanager
def storage_faults(path: Path) -> Iterator[None]:
    """Turn what the system says of *path* into faults of ours.

    :raises NoSpace, NeverFits, NotWritable, StorageFault: instead of OSError.
    """
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno == errno.EFBIG:
            raise NeverFits(f"{path} would be too large: {reason}") from error
        if error.errno in _FULL:
            raise NoSpace(f"no room for {path}: {reason}; free space and retry") from error
        if error.errno in _FORBIDDEN:
            raise NotWritable(f"cannot write {path}: {reason}; check its owner and mode") from error
        raise StorageFault(f"{path}: {reason}") from error


def part_path(final: Path) -> Path:
    """Where the octets of *final* are until it is published."""
    return final.with_name(final.name + SUFFIX)


class PartFile:
    """An open part file."""

    def __init__(self, path: Path, descriptor: int) -> None:
        """Take over an open *descriptor*; use `create` or `reopen`."""
        self.path = path
        self.unsure = False
        """Whether octets may be lost that were written and can still be read."""
        self._fd = descriptor
        self._allocated = 0
        """Octets that blocks were taken for in this run."""

    @classmethod
    def create(cls, path: Path) -> PartFile:
        """Make a new, empty part file; an empty one that nobody holds is taken over.

        :raises NameTaken: something of that name is there.
        """
        with storage_faults(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                descriptor = _open(path, os.O_CREAT | os.O_EXCL)
            except FileExistsError:
                return cls._orphan(path)
            _lock(descriptor, path)
            sync_directory(path.parent)
        return cls(path, descriptor)

    @classmethod
    def _orphan(cls, path: Path) -> PartFile:
        """What a kill between creation and the journal left: empty, and held by nobody."""
        taken = NameTaken(f"{path} is there already")
        if path.is_symlink() or not path.is_file():
            raise taken
        part = cls(path, _open(path, 0))
        try:
            _lock(part._fd, path)
        except PartFileLost:
            raise taken from None
        if part.size:
            part.close()
            raise taken
        return part

    @classmethod
    def reopen(cls, path: Path) -> PartFile:
        """Open the part file that an earlier run left.

        :raises PartFileLost: it is gone, or is no regular file any more.
        """
        try:
            with storage_faults(path):
                try:
                    descriptor = _open(path, 0)
                except FileNotFoundError:
                    raise PartFileLost(f"{path} is gone") from None
        except StorageFault as fault:
            if isinstance(fault.__cause__, OSError) and fault.__cause__.errno in _NO_FILE:
                raise PartFileLost(f"{path} is no regular file any more") from fault
            raise
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise PartFileLost(f"{path} is no regular file any more")
        _lock(descriptor, path)
        return cls(path, descriptor)

    @property
    def written_ns(self) -> int:
        """When it was last written to, in nanoseconds since the epoch.

        Whoever sets its time back to hide that changes the other one.
        """
        told = os.fstat(self._fd)
        return max(told.st_mtime_ns, told.st_ctime_ns)

    @property
    def size(self) -> int:
        """Octets from its start to its end, holes included."""
        return os.fstat(self._fd).st_size

    def write(self, offset: int, blocks: Sequence[bytes | memoryview]) -> int:
        """Put *blocks*, one behind the other, at *offset*; how many octets that was."""
        position = offset
        with storage_faults(self.path):
            for at in range(0, len(blocks), MOST_BUFFERS):
                position += _write_all(self._fd, position, blocks[at : at + MOST_BUFFERS])
        return position - offset

    def splice(self, offset: int, pipe: int, count: int) -> int:
        """Move *count* octets from *pipe* to *offset*, without a copy where that can be.

        :returns: how many octets that was.
        """
        end = offset + count
        with storage_faults(self.path):
            try:
                while offset < end:
                    offset += os.splice(pipe, self._fd, end - offset, offset_dst=offset)
            except OSError as error:
                if error.errno != errno.EINVAL:  # this file system cannot splice
                    raise
                while offset < end:
                    offset += _write_all(self._fd, offset, [os.read(pipe, end - offset)])
        return count

    def read_into(self, offset: int, view: memoryview) -> None:
        """Fill *view* from *offset* on.

        :raises PartFileLost: the file ends before.
        """
        with storage_faults(self.path):
            count = os.preadv(self._fd, [view], offset)
        if count < len(view):
            raise PartFileLost(f"{self.path} is shorter than what was written to it")

    def read(self, offset: int, length: int) -> bytes:
        """The octets ``[offset, offset+length)``, fewer where the file ends before."""
        with storage_faults(self.path):
            return os.pread(self._fd, length, offset)

    def duplicate(self) -> int:
        """Another descriptor of the same open file; the caller closes it."""
        return os.dup(self._fd)

    def ask(self, question: Callable[[int], T]) -> T:
        """What *question* says of the descriptor of the open file."""
        with storage_faults(self.path):
            return question(self._fd)

    def insist_on_name(self) -> None:
        """:raises PartFileLost: what has its name is another file by now, or nothing has it."""
        try:
            there = os.path.samestat(self.path.lstat(), os.fstat(self._fd))
        except (FileNotFoundError, NotADirectoryError):
            raise PartFileLost(f"somebody has removed {self.path}") from None
        if not there:
            raise PartFileLost(f"somebody has put another file in the place of {self.path}")

    def allocate(self, length: int) -> None:
        """Take blocks for *length* octets, where the file system can.

        :raises NoSpace: it can, and has none left.
        """
        if self.ask(lambda descriptor: allocate(descriptor, length)):
            self._allocated = length

    def sync(self, *, times: bool = False) -> None:
        """Return when everything written so far is on the disk.

        :param times: whether the time of the last write has to be there, too.
        A failure is final: the system may have dropped what it could not write, takes
        it for clean from then on, and would say nothing of it the next time.
        """
        with storage_faults(self.path):
            if self.unsure:
                raise OSError(errno.EIO, "an earlier sync has failed")
            try:
                (os.fsync if times else os.fdatasync)(self._fd)
            except OSError:
                self.unsure = True
                raise

    def truncate(self, length: int = 0) -> None:
        """Cut to *length* octets, or grow to it."""
        with storage_faults(self.path):
            same = os.fstat(self._fd).st_size == length
            if not same or self._allocated > length:  # else its time would change for nothing
                os.ftruncate(self._fd, length)
                self._allocated = 0

    def close(self) -> None:
        """Let go of it; the file stays."""
        if self._fd >= 0:
            descriptor, self._fd = self._fd, -1
            os.close(descriptor)


def _open(path: Path, flags: int) -> int:
    return os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | flags, 0o666)


def _lock(descriptor: int, path: Path) -> None:
    """One holder at a time; the kernel lets go of the lock whatever becomes of us."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise PartFileLost(f"{path} is held by another job or program") from error


def _write_all(descriptor: int, offset: int, blocks: Sequence[bytes | memoryview]) -> int:
    wanted = sum(map(len, blocks))
    written = os.pwritev(descriptor, blocks, offset)
    if written < wanted:
        rest = memoryview(b"".join(blocks))[written:]
        while rest:
            count = os.pwrite(descriptor, rest, offset + wanted - len(rest))
            if count == 0:
                raise OSError(errno.ENOSPC, "nothing was written")
            rest = rest[count:]
    return wanted


def sync_directory(directory: Path) -> None:
    """Return when the names in *directory* are on the disk."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def discard(*paths: Path) -> None:
    """Remove files, those that are gone already included."""
    for path in paths:
        with storage_faults(path), suppress(FileNotFoundError):
            path.unlink()
