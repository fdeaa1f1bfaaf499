"""
A served directory: what may be opened below it, and what an open file is.

Walks from the root by directory descriptors, one component at a time, so that no
link and no rename between look and open leads outside (RFC 9110, section 17.3).
Only regular files are opened, and never in a way that waits: a FIFO in the
folder holds nothing up.  All functions here block; call them off the reactor.
"""

from __future__ import annotations

import enum
import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self

from rangedaemon.errors import ClientFault, StorageFault

_MAX_DEPTH: Final = 128
_MAX_LINKS: Final = 40
"""As many as Linux follows on one path (path_resolution(7))."""
_DIRECTORY: Final = (
    getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
)
_FILE: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY


class NoSuchFile(ClientFault):
    """Nothing of that name is served."""

    code = "not-found"
    title = "No such file"
    status = 404


class IsDirectory(ClientFault):
    """The name is a directory's: it can be listed, not opened."""

    code = "is-directory"
    title = "That is a directory"
    status = 404


class Forbidden(ClientFault):
    """There is something, but it is not served: a link, a device, no permission."""

    code = "forbidden"
    title = "Not served"
    status = 403


class Drift(enum.Enum):
    """What became of an open file since it was opened."""

    SAME = "same"
    GROWN = "grown"
    """Longer than it was; the octets that were there are taken to be untouched."""
    CHANGED = "changed"


@dataclass(slots=True)
class OpenFile:
    """A regular file, open for positioned reads, as it was at the moment of opening."""

    fd: int
    name: str
    size: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    device: int
    _owners: tuple[int, int, int, int] = field(repr=False, default=(0, 0, 0, 0))

    def close(self) -> None:
        """Give the descriptor back; a second call does nothing."""
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def drift(self) -> Drift:
        """Whether the octets that were there at the opening still are, as far as a stat tells."""
        now = os.fstat(self.fd)
        if (now.st_size, now.st_mtime_ns) == (self.size, self.mtime_ns):
            return Drift.SAME if self._ctime_explained(now) else Drift.CHANGED
        return Drift.GROWN if now.st_size > self.size else Drift.CHANGED

    def still_same(self) -> bool:
        """Whether what was promised of this file can still be sent from it."""
        return self.drift() is not Drift.CHANGED

    def _ctime_explained(self, now: os.stat_result) -> bool:
        # Replacing the file by a rename, chmod and chown all move ctime and leave the octets
        # alone; where none of them shows, somebody wrote and then set mtime back.
        return now.st_ctime_ns == self.ctime_ns or _owners(now) != self._owners


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of a directory's listing; *size* of a directory is 0."""

    name: str
    is_dir: bool
    size: int
    mtime_ns: int


class ServedTree:
    """
    The files below *root*, as far as they are served.

    Dot-files are not there unless *hidden_files*.  Links are refused unless
    *follow_symlinks*, and then followed as far as they stay below *root* (a link may
    lead to a dot-file: whoever made it meant to publish that).
    """

    def __init__(
        self, root: str | Path, *, hidden_files: bool = False, follow_symlinks: bool = False
    ) -> None:
        self._root = Path(root).absolute()
        self._hidden_files = hidden_files
        self._follow_symlinks = follow_symlinks

    def open(self, segments: Sequence[str]) -> OpenFile:
        """
        Open the file that the decoded path *segments* name.

        :raises NoSuchFile: nothing there, or a name that is never served.
        :raises IsDirectory: a directory.
        :raises Forbidden: a link, a FIFO, a device, or no permission.
        :raises StorageFault: the disk or the process' limits fail.
        """
        self._check(segments)
        if not segments:
            raise IsDirectory("/")
        with _translated(segments), self._walk(segments) as found:
            if found.name is None:
                raise IsDirectory(segments[-1])
            return _open_regular(found.parent, found.name, segments[-1])

    def listdir(self, segments: Sequence[str]) -> list[Entry]:
        """
        What is served of the directory that *segments* name, by name.

        :raises NoSuchFile: nothing there, or not a directory.
        :raises Forbidden, StorageFault: as for `open`.
        """
        self._check(segments)
        with _translated(segments), self._walk(segments) as found, ExitStack() as descriptors:
            if found.name is not None:
                _refuse_special(os.lstat(found.name, dir_fd=found.parent), found.name)
                raise NoSuchFile(found.name)
            fd = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=found.parent)
            descriptors.callback(os.close, fd)
            with os.scandir(fd) as names:
                entries = [self._entry(segments, entry) for entry in names]
        return sorted((e for e in entries if e is not None), key=lambda e: e.name)

    def _check(self, segments: Sequence[str]) -> None:
        if len(segments) > _MAX_DEPTH or not all(map(self._is_served, segments)):
            raise NoSuchFile("/".join(segments))

    def _is_served(self, name: str) -> bool:
        if name in {"", ".", ".."} or not {"/", "\\", "\0"}.isdisjoint(name):
            return False
        return self._hidden_files or not name.startswith(".")

    def _walk(self, segments: Sequence[str]) -> _Walk:
        return _Walk(self._root, segments, follow_symlinks=self._follow_symlinks)

    def _entry(self, segments: Sequence[str], entry: os.DirEntry[str]) -> Entry | None:
        if not self._is_served(entry.name):
            return None
        try:
            found = entry.stat(follow_symlinks=False)
            if stat.S_ISLNK(found.st_mode):
                found = self._target([*segments, entry.name])
        except (OSError, ClientFault):
            return None  # gone meanwhile, or a link that leads nowhere we serve
        is_dir = stat.S_ISDIR(found.st_mode)
        if not is_dir and not stat.S_ISREG(found.st_mode):
            return None
        return Entry(entry.name, is_dir, 0 if is_dir else found.st_size, found.st_mtime_ns)

    def _target(self, segments: Sequence[str]) -> os.stat_result:
        with self._walk(segments) as found:
            if found.name is None:
                return os.fstat(found.parent)
            return os.lstat(found.name, dir_fd=found.parent)


class _Walk:
    """
    From the root to the directory that holds the last component, by descriptors.

    Inside ``with``, `parent` is that directory's descriptor and `name` the last
    component; or `name` is None and `parent` the directory that the path itself names.
    """

    def __init__(self, root: Path, segments: Sequence[str], *, follow_symlinks: bool) -> None:
        self._root = root
        self._todo = list(reversed(segments))
        self._follow_symlinks = follow_symlinks
        self._links = 0
        self._chain: list[int] = []
        self.name: str | None = None

    @property
    def parent(self) -> int:
        """The descriptor of the directory reached."""
        return self._chain[-1]

    def __enter__(self) -> Self:
        try:
            self._chain.append(os.open(self._root, _DIRECTORY & ~os.O_NOFOLLOW))
            while self._todo:
                self._step(self._todo.pop())
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        while self._chain:
            os.close(self._chain.pop())

    def _step(self, component: str) -> None:
        if component == "..":
            self._up()
            return
        mode = os.lstat(component, dir_fd=self.parent).st_mode
        if stat.S_ISLNK(mode):
            self._follow(component)
        elif stat.S_ISDIR(mode):
            self._chain.append(os.open(component, _DIRECTORY, dir_fd=self.parent))
        elif self._todo:
            raise NoSuchFile(component)
        else:
            self.name = component

    def _up(self) -> None:
        if len(self._chain) == 1:
            raise Forbidden("a link leads outside")
        os.close(self._chain.pop())

    def _follow(self, component: str) -> None:
        self._links += 1
        if not self._follow_symlinks or self._links > _MAX_LINKS:
            raise Forbidden(f"{component} is a link")
        target = Path(os.readlink(component, dir_fd=self.parent))
        if target.is_absolute():
            target = self._below_root(target)
            while len(self._chain) > 1:
                os.close(self._chain.pop())
        self._todo.extend(reversed(target.parts))

    def _below_root(self, target: Path) -> Path:
        for root in (self._root, Path(os.path.realpath(self._root))):
            if target.is_relative_to(root):
                return target.relative_to(root)
        raise Forbidden("a link leads outside")


def _open_regular(parent: int, name: str, asked: str) -> OpenFile:
    # Looked at before it is opened, as opening a FIFO wakes its writer and opening a device may
    # do anything; looked at again after it, as it may have been swapped between.
    _refuse_special(os.lstat(name, dir_fd=parent), asked)
    fd = os.open(name, _FILE, dir_fd=parent)
    try:
        found = os.fstat(fd)
        _refuse_special(found, asked)
    except BaseException:
        os.close(fd)
        raise
    return OpenFile(
        fd,
        asked,
        found.st_size,
        found.st_mtime_ns,
        found.st_ctime_ns,
        found.st_ino,
        found.st_dev,
        _owners(found),
    )


def _refuse_special(found: os.stat_result, asked: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise IsDirectory(asked)
    if not stat.S_ISREG(found.st_mode):
        raise Forbidden(f"{asked} is not a regular file")


def _owners(found: os.stat_result) -> tuple[int, int, int, int]:
    return found.st_mode, found.st_uid, found.st_gid, found.st_nlink


_ABSENT: Final = {errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL}
_REFUSED: Final = {errno.EACCES, errno.EPERM, errno.ELOOP, errno.ENXIO}


@contextmanager
def _translated(segments: Sequence[str]) -> Iterator[None]:
    """Say in our own faults what the operating system said."""
    try:
        yield
    except UnicodeEncodeError as exc:
        raise NoSuchFile("not a file name") from exc
    except OSError as exc:
        if exc.errno in _ABSENT:
            raise NoSuchFile("/".join(segments)) from exc
        if exc.errno in _REFUSED:
            raise Forbidden("/".join(segments)) from exc
        raise StorageFault(f"cannot open: {exc.strerror}") from exc
