"""
The files of uploads: their octets in the state directory, their way to the final name.

All functions block and are called off the reactor thread.

An upload's octets are in ``STATE_DIR/uploads/FILE``, where FILE is 32 random hex digits
and ``.part``, made with its first octet.  Publication goes by a second name beside the
final one, ``.rangedaemon-FILE``: a link where both are on one file system, else a copy.
Each step is on the disk before the next one begins, the octets' file goes last, and so
there is no moment at which a kill or a power cut could lose a file or bring it twice:

1. *stage*: the second name is made, and the directory synced;
2. the journal claims a final name for it (by the caller);
3. *put in place*: the second name becomes the final name, in one step;
4. the journal says that it is finished; the octets' file goes.

Where the claim stands and the second name is not there, step 3 was done.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path

from rangedaemon.core.jobs import OnConflict
from rangedaemon.core.uploadfaults import NameRefused
from rangedaemon.errors import NameTaken, NoSpace, PartFileLost
from rangedaemon.storage.partfile import (
    SUFFIX,
    PartFile,
    discard,
    storage_faults,
    sync_directory,
)
from rangedaemon.storage.publishing import names_after, publish, settle_name

STEP = 8 * 1024 * 1024
"""Octets that are copied or hashed in one go, before others get the thread."""
_BLOCK = 1024 * 1024
_STAGED = ".rangedaemon-"
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EMLINK)


class UploadFiles:
    """The directory of the octets."""

    def __init__(self, state_dir: Path) -> None:
        self.directory = state_dir / "uploads"
        self._made = False

    def path(self, file: str) -> Path:
        """Where the octets of an upload are; *file* is its `Upload.file`."""
        return self.directory / file

    def open(self, file: str) -> PartFile:
        """The octets' file, a new one where there is none.

        :raises PartFileLost: somebody else holds it. :raises StorageFault: the disk fails.
        """
        self._make()
        path = self.path(file)
        if os.path.lexists(path):
            return PartFile.reopen(path)
        return PartFile.create(path)

    def _make(self) -> None:
        if not self._made:
            with storage_faults(self.directory):
                self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                sync_directory(self.directory.parent)
            self._made = True

    def size(self, file: str) -> int:
        """Octets up to the end of the file, 0 where there is none."""
        path = self.path(file)
        with storage_faults(path):
            try:
                found = path.lstat()
            except FileNotFoundError:
                return 0
        return found.st_size if stat.S_ISREG(found.st_mode) else 0

    def check_room(self, octets: int, keep_free: int) -> None:
        """:raises NoSpace: the disk has not so many octets, and *keep_free* besides."""
        where = self.directory if self.directory.exists() else self.directory.parent
        with storage_faults(where):
            room = os.statvfs(where)
        free = room.f_bavail * room.f_frsize - keep_free
        if octets > free:
            raise NoSpace(f"{octets} octets do not fit on the disk, {max(free, 0)} are free")

    def discard(self, file: str) -> None:
        """Remove it for good; nothing happens where there is none."""
        path = self.path(file)
        discard(path)
        if self.directory.is_dir():
            # Also where it is gone already: a kill may have come before the sync.
            with storage_faults(path):
                sync_directory(self.directory)

    def discard_left(self, file: str) -> None:
        """Remove it where a kill came before that."""
        if os.path.lexists(self.path(file)):
            self.discard(file)


def new_file_name(new_id: str) -> str:
    """What the octets' file of a new upload is called."""
    return new_id + SUFFIX


# -- publication ------------------------------------------------------------------


def target_directory(root: Path, segments: Sequence[str]) -> Path:
    """
    The directory below *root* that the path segments lead to.

    :raises NameRefused: it is not there, or a link is on the way.
    """
    directory = root
    with storage_faults(root):
        for segment in segments:
            directory = directory / segment
            try:
                found = directory.lstat()
            except (FileNotFoundError, NotADirectoryError):
                raise NameRefused("there is no such directory; make it first") from None
            if not stat.S_ISDIR(found.st_mode):
                raise NameRefused("a name on the path is no directory")
    return directory


def landing_directory(root: Path, segments: Sequence[str]) -> Path:
    """
    The same for a file that is about to land there; a *root* that nobody made yet is made.

    :raises NameRefused, NotWritable, StorageFault: it cannot land there.
    """
    with storage_faults(root):
        root.mkdir(parents=True, exist_ok=True)
    return target_directory(root, segments)


def staged_path(directory: Path, file: str) -> Path:
    """The second name of an upload's octets, beside the final one."""
    return directory / (_STAGED + file)


def discard_staged(root: Path, segments: Sequence[str], file: str) -> None:
    """Remove what a kill before the claim has left, so that no power cut brings it back."""
    with suppress(NameRefused):  # no directory, nothing in it
        directory = target_directory(root, segments)
        if directory.is_dir():
            discard(staged_path(directory, file))
            settle_name(directory / file)


def settle_length(part: PartFile, length: int) -> None:
    """Cut off what a run that was dropped left behind the end; sync."""
    part.truncate(length)
    part.sync()


def link_beside(part: Path, staged: Path) -> bool:
    """Stage by a link; False where the file systems have no links or are two."""
    with storage_faults(staged):
        if _is_same(part, staged):
            return True
        discard(staged)  # of a copy that was cut off
        try:
            os.link(part, staged, follow_symlinks=False)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            return False
        sync_directory(staged.parent)
    return True


def copy_slices(source: Path, target: PartFile, at: int, length: int) -> Iterator[None]:
    """
    Copy *length* octets from the start of *source* to the offset *at*, some with each step.

    :raises PartFileLost: *source* has fewer.
    """
    if not os.path.lexists(source):
        raise PartFileLost(f"{source} is gone")
    with storage_faults(source):
        descriptor = os.open(source, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        for start in range(0, length, STEP):
            for offset in range(start, min(start + STEP, length), _BLOCK):
                with storage_faults(source):
                    block = os.pread(descriptor, min(_BLOCK, length - offset), offset)
                if len(block) < min(_BLOCK, length - offset):
                    raise PartFileLost(f"{source} is shorter than what was written to it")
                target.write(at + offset, [block])
            yield
    finally:
        os.close(descriptor)


def copy_beside(part: Path, staged: Path, length: int) -> Iterator[None]:
    """Stage by a copy, some of it with each step; it is synced at the end."""
    with closing(PartFile.create(staged)) as target:
        yield from copy_slices(part, target, 0, length)
        target.sync()
    with storage_faults(staged):
        sync_directory(staged.parent)


def free_name(wanted: Path, on_conflict: OnConflict) -> Path:
    """
    The final name to claim.

    :raises NameTaken: it is taken, and *on_conflict* says to fail or cannot overwrite it.
    """
    taken = NameTaken(f"{wanted.name} is there already; choose another name")
    if on_conflict is OnConflict.OVERWRITE:
        if wanted.is_dir() and not wanted.is_symlink():
            raise taken
        return wanted
    for final in names_after(wanted):
        if not os.path.lexists(final):
            return final
        if on_conflict is OnConflict.FAIL:
            raise taken
    raise AssertionError("names_after never ends")  # pragma: no cover


def put_in_place(staged: Path, final: Path, on_conflict: OnConflict) -> None:
    """
    Give the staged octets the name that was claimed; nothing happens where they have it.

    :raises NameTaken: the name was taken meanwhile.
    :raises PartFileLost: neither is there.
    """
    if not os.path.lexists(staged):
        if not os.path.lexists(final):
            raise PartFileLost(f"{final} was removed while it was published")
        # By a life that a kill may have ended before the name was on the disk.
        settle_name(final)
        return
    overwrite = on_conflict is OnConflict.OVERWRITE
    publish(staged, final, OnConflict.OVERWRITE if overwrite else OnConflict.FAIL)


def is_published(path: Path | None, length: int | None) -> bool:
    """Whether the finished file is still there, as far as its length tells."""
    if path is None:
        return False
    with suppress(OSError):
        found = path.lstat()
        return stat.S_ISREG(found.st_mode) and found.st_size == length
    return False


def _is_same(one: Path, other: Path) -> bool:
    with suppress(FileNotFoundError):
        return os.path.samestat(one.lstat(), other.lstat())
    return False
