"""
The extent log of a job: a file that is only appended to, one record per extent.

All blocks and is called off the reactor thread; several threads may, one after the
other gets in.  No record is synced: what a kill of the process leaves in the page
cache is what the log is for (see `rangedaemon.storage.extents`).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Lock

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.errors import StorageFault
from rangedaemon.storage.extents import (
    HEADER_SIZE,
    RECORD_SIZE,
    Extent,
    ExtentHasher,
    ExtentTable,
    pack_header,
    pack_record,
    parse_records,
    seed_of,
    touching,
)
from rangedaemon.storage.intents import Intent, pack_intent, parse_intents
from rangedaemon.storage.partfile import storage_faults, sync_directory

_STRIDE = RECORD_SIZE << 15
_BLOAT = 4 << 20
_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW


def log_path(state_dir: Path, job_id: str) -> Path:
    """Where the log of a job is."""
    return state_dir / "extents" / f"{job_id}.log"


def remove_log(path: Path) -> None:
    """Remove the log of a job that is finished or forgotten, if there is one."""
    with storage_faults(path):
        path.unlink(missing_ok=True)


class ExtentLog:
    """An open log."""

    def __init__(self, path: Path, descriptor: int, header: bytes, hasher: ExtentHasher) -> None:
        """Take over an open *descriptor*; use `open`."""
        self.path = path
        self._fd = descriptor
        self._header = header
        self._seed = seed_of(header)
        self._hasher = hasher
        self._lock = Lock()
        self._size = self._least = os.fstat(descriptor).st_size

    @classmethod
    def open(
        cls, path: Path, job_id: str, generation: int, hasher: ExtentHasher | None = None
    ) -> ExtentLog:
        """
        Open the log of a job; one of another generation, or with a broken head, starts empty.

        :raises StorageFault: it cannot be made or written.
        """
        header = pack_header(job_id, generation)
        with storage_faults(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, _FLAGS, 0o600)
            try:
                _put_in_shape(descriptor, header)
                return cls(path, descriptor, header, hasher or ExtentHasher())
            except BaseException:
                os.close(descriptor)
                raise

    @property
    def bloated(self) -> bool:
        """Whether most of the log may be old records, so that `rewrite` pays."""
        return self._size > _BLOAT + 2 * self._least

    def load(self, within: IntervalSet | None = None) -> ExtentTable:
        """What the log says about the octets of *within*; None: about all."""
        with self._lock, storage_faults(self.path):
            return self._load(self._fd, self._size, within)

    def wrote(self, offset: int, buffers: Sequence[bytes | memoryview]) -> None:
        """
        Note that *buffers* were just written at *offset* of the part file.

        :raises NoSpace, StorageFault: the log could not be written; it is as before.
        """
        with self._lock, storage_faults(self.path):
            self._append(self._hasher.feed(offset, buffers))

    def note(self) -> None:
        """Put into the log what is noted in memory only: a kill leaves it, a power cut may not."""
        with self._lock, storage_faults(self.path):
            self._append(self._hasher.pending())

    def intend(self, intents: Iterable[Intent]) -> None:
        """Note by what the file will be known that is about to get its final name."""
        with self._lock, storage_faults(self.path):
            self._put(b"".join(pack_intent(intent, self._seed) for intent in intents))

    def intended(self, found: Intent) -> bool:
        """Whether *found* was about to get its final name."""
        with self._lock, storage_faults(self.path):
            for octets in _strides(self._fd, self._size):
                if found in parse_intents(octets, self._seed):
                    return True
        return False

    def sync(self) -> None:
        """Return when all that was noted is in the log and on the disk."""
        with self._lock, storage_faults(self.path):
            self._append(self._hasher.pending())
            os.fdatasync(self._fd)

    def settle(self) -> None:
        """As `sync`, and its name is on the disk too: a power cut leaves all of it.

        Where somebody has removed it, no power cut has to leave it.
        """
        self.sync()
        with storage_faults(self.path), suppress(FileNotFoundError):
            sync_directory(self.path.parent)

    def close(self) -> None:
        """Note what is pending, and close; nothing happens the second time."""
        with self._lock, storage_faults(self.path):
            if self._fd < 0:
                return
            try:
                self._append(self._hasher.pending())
            finally:
                os.close(self._fd)
                self._fd = -1

    def remove(self) -> None:
        """Close, and remove the file."""
        self.close()
        remove_log(self.path)

    def rewrite(self) -> None:
        """
        Keep only what still says something; writers wait for its last step alone.

        One thread at a time may do this.
        """
        temporary = self.path.with_name(self.path.name + ".new")
        with storage_faults(self.path):
            target = os.open(temporary, _FLAGS | os.O_TRUNC, 0o600)
            try:
                reached = self._copy_compact(target)
                os.fsync(target)
                replaced = self._take_over(target, temporary, reached)
            except BaseException:
                os.close(target)
                with suppress(FileNotFoundError):
                    temporary.unlink()
                raise
            os.close(replaced)
            sync_directory(self.path.parent)

    def _copy_compact(self, target: int) -> int:
        """Write what counts to *target*; how far the log was read."""
        with self._lock:
            size, source = self._size, os.dup(self._open_fd())
        try:
            table = self._load(source, size, None)
        finally:
            os.close(source)
        _write_all(target, self._header)
        records: list[bytes] = []
        for extent in table:
            records.append(pack_record(extent, self._seed))
            if len(records) == _STRIDE // RECORD_SIZE:
                _write_all(target, b"".join(records))
                records.clear()
        _write_all(target, b"".join(records))
        return size

    def _take_over(self, target: int, temporary: Path, reached: int) -> int:
        """Put *target* in the log's place; the descriptor that it replaced."""
        with self._lock:
            source = self._open_fd()
            _write_all(target, os.pread(source, self._size - reached, reached))
            temporary.rename(self.path)
            self._fd = target
            self._size = self._least = os.fstat(target).st_size
            return source

    def _open_fd(self) -> int:
        if self._fd < 0:
            raise StorageFault(f"{self.path} is closed")
        return self._fd

    def _load(self, descriptor: int, size: int, within: IntervalSet | None) -> ExtentTable:
        table, touches = ExtentTable(), touching(within)
        for octets in _strides(descriptor, size):
            for extent in parse_records(octets, self._seed):
                if touches(extent):
                    table.add(extent)
        return table

    def _append(self, extents: list[Extent]) -> None:
        if extents:
            self._put(b"".join(pack_record(extent, self._seed) for extent in extents))

    def _put(self, records: bytes) -> None:
        descriptor = self._open_fd()
        try:
            _write_all(descriptor, records)
        except OSError:
            # Half a record would shift all that follow.
            os.ftruncate(descriptor, self._size)
            raise
        self._size += len(records)


def _strides(descriptor: int, size: int) -> Iterator[bytes]:
    """The records of a log, many at a time."""
    for offset in range(HEADER_SIZE, size, _STRIDE):
        yield os.pread(descriptor, min(_STRIDE, size - offset), offset)


def _put_in_shape(descriptor: int, header: bytes) -> None:
    """Start an empty log where this is not ours; cut a torn record off its end."""
    size = os.fstat(descriptor).st_size
    if os.pread(descriptor, HEADER_SIZE, 0) != header:
        os.ftruncate(descriptor, 0)
        _write_all(descriptor, header)
    elif (size - HEADER_SIZE) % RECORD_SIZE:
        os.ftruncate(descriptor, size - (size - HEADER_SIZE) % RECORD_SIZE)


def _write_all(descriptor: int, octets: bytes) -> None:
    view = memoryview(octets)
    while view:
        view = view[os.write(descriptor, view) :]
