"""
A disk that can lose what was not synced.

The files are real; the system calls that change or sync them pass by here.  What a sync
has returned for is remembered, and after a power cut every sector of every file is what it
is now or what it was then, and every directory is as it is now or as it was then.  A
kill of the process alone loses nothing: the page cache stays.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from unittest.mock import patch

SECTOR = 512
LINK = os.link
"""As it is without anybody's patches."""

Names = dict[str, int]
"""What a directory holds: names and the numbers of their files."""


@dataclass
class Image:
    """What is on the disk at one moment: directories, and files by number."""

    names: dict[Path, Names]
    octets: dict[int, bytes]
    times: dict[int, int]
    """When files were written to, in nanoseconds since the epoch."""
    durable_names: dict[Path, Names]
    durable: dict[int, bytes]
    durable_times: dict[int, int]
    """What of all that a power cut would leave."""
    kept: Path | None
    """Where each file is by its number; None: files get other ones."""

    def file(self, path: Path) -> bytes | None:
        """The content of a file, None where there is none."""
        number = self.names[path.parent].get(path.name)
        return None if number is None else self.octets[number]

    def restore(self) -> None:
        """Make the directories be like this."""
        for directory in self.names:
            for path in directory.iterdir():
                path.unlink()
        first: dict[int, Path] = {}
        for directory, names in self.names.items():
            for name, number in names.items():
                if number in first:
                    LINK(first[number], directory / name)
                else:
                    first[number] = directory / name
                    self._bring_back(number, directory / name)

    def _bring_back(self, number: int, path: Path) -> None:
        if self.kept is not None:
            LINK(self.kept / str(number), path)
        path.write_bytes(self.octets[number])
        if path.suffix != ".fresh":  # what is beside it is touched just now, too
            os.utime(path, ns=(self.times[number], self.times[number]))


@dataclass
class _Inode:
    """A file, held open so that its number stays its own."""

    descriptor: int
    durable: bytes = b""
    durable_time: int = 0
    lost: dict[int, bytes] = field(default_factory=dict)
    """Sectors that a failed sync has dropped: the system takes them for clean now."""

    @property
    def octets(self) -> bytes:
        return os.pread(self.descriptor, os.fstat(self.descriptor).st_size, 0)

    @property
    def time(self) -> int:
        return os.fstat(self.descriptor).st_mtime_ns


def _sectors(octets: bytes, other: bytes) -> range:
    return range(0, max(len(octets), len(other)), SECTOR)


class Disk:
    """Some directories, and what the disk below them has really got."""

    def __init__(self, directories: Sequence[Path], random: Random, *, keep: bool = False) -> None:
        """:param keep: whether files keep their numbers when they come back."""
        self.before: Callable[[], None] = lambda: None
        """Called before each change of the disk and each sync."""
        self.faults: list[int] = []
        """What the next writes and syncs fail with; 0: they do not."""
        self._directories = directories
        self._kept = directories[0].parent / "inodes" if keep else None
        if self._kept is not None:
            self._kept.mkdir()
        self._random = random
        self._inodes: dict[int, _Inode] = {}
        self._durable_names: dict[Path, Names] = {}
        self._patches = ExitStack()
        self._real: dict[str, Any] = {}

    # -- its life ---------------------------------------------------------------

    def watch(self, image: Image | None = None) -> None:
        """Look at every call from now on.

        :param image: what was restored, with files that are not durable yet.
        """
        for directory in self._directories:
            self._durable_names[directory] = {}
            numbers = image.names[directory] if image is not None else {}
            for path in directory.iterdir():
                inode = self._hold(path)
                if image is not None:
                    inode.durable = image.durable[numbers[path.name]]
                    inode.durable_time = image.durable_times[numbers[path.name]]
        if image is not None:
            self._carry_names(image)
        for name in ("open", "pwritev", "pwrite", "write", "ftruncate", "fdatasync", "fsync"):
            self._patch(name, getattr(self, f"_{name}"))
        for name in ("link", "unlink", "rename", "replace"):
            self._patch(name, self._named(name))

    def _carry_names(self, image: Image) -> None:
        """What was durable is so under its old name; files that have none now are gone."""
        for directory, durable in image.durable_names.items():
            now = {n: self._listing(directory)[name] for name, n in image.names[directory].items()}
            self._durable_names[directory] = {
                name: now[number] for name, number in durable.items() if number in now
            }

    def _patch(self, name: str, instead: Callable[..., Any]) -> None:
        self._real[name] = getattr(os, name)
        self._patches.enter_context(patch.object(os, name, instead))

    def let_go(self) -> None:
        """Look no more, and forget everything."""
        self._patches.close()
        for inode in self._inodes.values():
            os.close(inode.descriptor)
        self._inodes.clear()
        self._durable_names.clear()
        self.faults.clear()

    # -- what would be left ---------------------------------------------------------

    def after_a_kill(self) -> Image:
        """Everything that was written, synced or not."""
        names = {directory: self._listing(directory) for directory in self._directories}
        return Image(
            names,
            {n: inode.octets for n, inode in self._inodes.items()},
            {n: inode.time for n, inode in self._inodes.items()},
            {directory: dict(names) for directory, names in self._durable_names.items()},
            {n: inode.durable for n, inode in self._inodes.items()},
            {n: inode.durable_time for n, inode in self._inodes.items()},
            self._kept,
        )

    def after_a_power_cut(self) -> Image:
        """What was synced, and of the rest whatever chance has brought to the disk."""
        names = {
            directory: self._random.choice(
                [self._listing(directory), self._durable_names[directory]]
            )
            for directory in self._directories
        }
        octets = {n: self._survivor(inode) for n, inode in self._inodes.items()}
        times = {
            n: self._random.choice([inode.time, inode.durable_time])
            for n, inode in self._inodes.items()
        }
        return Image(names, octets, times, names, octets, times, self._kept)

    def _survivor(self, inode: _Inode) -> bytes:
        now, then = inode.octets, inode.durable
        taste = self._random.choice([0.0, 0.2, 0.8, 1.0])
        length = len(then)
        if len(now) != len(then) and self._random.random() < taste:
            length = self._random.choice(
                [len(now), self._random.randint(*sorted([len(now), length]))]
            )
        blocks = []
        for at in _sectors(now, then):
            new = self._random.random() < taste and inode.lost.get(at) != now[at : at + SECTOR]
            blocks.append((now if new else then)[at : at + SECTOR].ljust(SECTOR, b"\0"))
        return b"".join(blocks)[:length].ljust(length, b"\0")

    # -- the calls --------------------------------------------------------------------

    def _open(self, path: Any, flags: int, *args: Any, **named: Any) -> int:
        descriptor: int = self._real["open"](path, flags, *args, **named)
        if Path(os.fspath(path)).parent in self._directories:
            self._hold(Path(os.fspath(path)))
        return descriptor

    def _hold(self, path: Path) -> _Inode:
        number = path.stat().st_ino
        if number not in self._inodes:
            opened = self._real.get("open", os.open)
            self._inodes[number] = _Inode(opened(path, os.O_RDONLY))
            if self._kept is not None and not (self._kept / str(number)).exists():
                LINK(path, self._kept / str(number))
        return self._inodes[number]

    def _inode(self, descriptor: int) -> _Inode | None:
        return self._inodes.get(os.fstat(descriptor).st_ino)

    def _pwritev(self, descriptor: int, blocks: Sequence[bytes], offset: int) -> int:
        return self._write_some("pwrite", descriptor, b"".join(blocks), offset)

    def _pwrite(self, descriptor: int, octets: bytes, offset: int) -> int:
        return self._write_some("pwrite", descriptor, octets, offset)

    def _write(self, descriptor: int, octets: bytes) -> int:
        return self._write_some("write", descriptor, octets)

    def _write_some(self, call: str, descriptor: int, octets: bytes, *where: int) -> int:
        """As the system may: not everything at once."""
        inode = self._inode(descriptor)
        if inode is not None:
            self._step(errno.ENOSPC)
            if len(octets) > 1 and self._random.random() < 0.2:
                octets = octets[: self._random.randrange(1, len(octets))]
            for start in where:  # what is written anew waits for a sync like any other
                for at in range(start - start % SECTOR, start + len(octets), SECTOR):
                    inode.lost.pop(at, None)
        return self._real[call](descriptor, octets, *where)  # type: ignore[no-any-return]

    def _ftruncate(self, descriptor: int, length: int) -> None:
        if self._inode(descriptor) is not None:
            self.before()
        self._real["ftruncate"](descriptor, length)

    def _fdatasync(self, descriptor: int) -> None:
        inode = self._inode(descriptor)
        if inode is not None:
            self._sync(inode)
            inode.durable_time = self._random.choice([inode.durable_time, inode.time])

    def _fsync(self, descriptor: int) -> None:
        inode = self._inode(descriptor)
        if inode is not None:
            self._sync(inode)
            inode.durable_time = inode.time
            return
        status = os.fstat(descriptor)
        for directory in self._directories:
            if os.path.samestat(status, directory.stat()):
                self.before()
                self._durable_names[directory] = self._listing(directory)

    def _sync(self, inode: _Inode) -> None:
        now, then = inode.octets, inode.durable
        try:
            self._step(errno.EIO)
        except OSError:
            for at in _sectors(now, then):
                if now[at : at + SECTOR] != then[at : at + SECTOR]:
                    inode.lost[at] = now[at : at + SECTOR]
            raise
        inode.lost = {a: o for a, o in inode.lost.items() if now[a : a + SECTOR] == o}
        inode.durable = b"".join(
            (then if at in inode.lost else now)[at : at + SECTOR].ljust(SECTOR, b"\0")
            for at in _sectors(now, b"")
        )[: len(now)]

    def _named(self, name: str) -> Callable[..., Any]:
        def call(path: Any, *args: Any, **named: Any) -> Any:
            if Path(os.fspath(path)).parent in self._directories:
                self.before()
            return self._real[name](path, *args, **named)

        return call

    def _step(self, fault: int) -> None:
        self.before()
        if self.faults and self.faults.pop(0):
            raise OSError(fault, os.strerror(fault))

    @staticmethod
    def _listing(directory: Path) -> Names:
        return {path.name: path.stat().st_ino for path in directory.iterdir()}
