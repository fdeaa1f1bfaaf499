"""
Octets that were written a moment ago and are not hashed yet, told for the case of a kill.

A killed process leaves the page cache as it is: what it had written is there, as long as
the machine goes on.  So a record of this log is believed without a hash in the very boot
it was written in, where nobody has touched the part file since; in another boot it says
nothing.  Records go when their octets have been hashed (`rangedaemon.storage.extentlog`).

Blocks; called off the reactor thread.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic_ns

from xxhash import xxh3_64_intdigest

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.storage.extents import pack_header, seed_of
from rangedaemon.storage.partfile import storage_faults

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
SLACK_NS = 100_000_000
"""How much later than our last sign of life the part file may have been written by ourselves."""
PULSE_NS = 20_000_000
"""How old our last sign of life may be when octets are written."""

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
_FIELDS = struct.Struct("<QQQ")
_RECORD = struct.Struct("<24sQ")
_STRIDE = _RECORD.size << 15


def this_boot() -> int | None:
    """A number for the present boot of this machine; None where the system has none."""
    try:
        return xxh3_64_intdigest(BOOT_ID.read_bytes())
    except OSError:
        return None


class FreshLog:
    """The records of one job."""

    def __init__(
        self,
        path: Path,
        job_id: str,
        generation: int,
        boot: int,
        clock_ns: Callable[[], int] = monotonic_ns,
    ) -> None:
        """:param boot: what `this_boot` says."""
        with storage_faults(path):
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._fd = os.open(path, _FLAGS, 0o600)
        self.path = path
        self._boot = boot
        self._seed = seed_of(pack_header(job_id, generation))
        self._clock_ns = clock_ns
        self._touched_ns: int | None = None

    def writes(self) -> None:
        """Give a sign of life: octets are about to be written.

        A kill between them and their record would leave a part file that is newer than
        this log, as if a stranger had touched it, and nothing would be believed.

        :raises StorageFault: it could not be given.
        """
        now = self._clock_ns()
        if self._touched_ns is None or now - self._touched_ns > PULSE_NS:
            with storage_faults(self.path):
                os.utime(self._fd)
            self._touched_ns = now

    def wrote(self, piece: ByteRange) -> None:
        """Note that the octets of *piece* were just written.

        :raises NoSpace, StorageFault: it could not be noted.
        """
        fields = _FIELDS.pack(piece.start, piece.stop, self._boot)
        record = _RECORD.pack(fields, xxh3_64_intdigest(fields, self._seed))
        with storage_faults(self.path):
            size = os.fstat(self._fd).st_size
            if os.write(self._fd, record) < len(record):
                os.ftruncate(self._fd, size)

    def believed(self, part_written_ns: int) -> IntervalSet:
        """The octets that may be believed to be in the part file.

        :param part_written_ns: when that was last written to, by its mtime.
        """
        with storage_faults(self.path):
            status = os.fstat(self._fd)
            if part_written_ns > status.st_mtime_ns + SLACK_NS:
                return EMPTY
            found = EMPTY
            for offset in range(0, status.st_size, _STRIDE):
                for piece in self._pieces(os.pread(self._fd, _STRIDE, offset)):
                    found = found.add(piece)
            return found

    def _pieces(self, octets: bytes) -> Iterator[ByteRange]:
        """The whole records of this job and boot."""
        for fields, check in _RECORD.iter_unpack(octets[: len(octets) // 32 * 32]):
            start, stop, boot = _FIELDS.unpack(fields)
            ours = xxh3_64_intdigest(fields, self._seed) == check and boot == self._boot
            if ours and start < stop:
                yield ByteRange(start, stop)

    def clear(self) -> None:
        """Every octet that was noted has been hashed."""
        with storage_faults(self.path):
            if os.fstat(self._fd).st_size:
                os.ftruncate(self._fd, 0)

    def close(self) -> None:
        """Let go of the file; nothing happens the second time."""
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            os.close(descriptor)


def fresh_path(log: Path) -> Path:
    """Where the fresh log is that goes with an extent log."""
    return log.with_suffix(".fresh")
