"""
A part file and the log of what was written to it, as one thing.

Every write is hashed and logged after it returned.  When a job comes back, the log
proves octets that no checkpoint has claimed yet (a kill loses nothing that reached
the page cache), and finds claimed ones that somebody has changed since.
Everything blocks and is called off the reactor thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import OnConflict
from rangedaemon.errors import StorageFault
from rangedaemon.storage.extentlog import ExtentLog, log_path, remove_log
from rangedaemon.storage.extents import verify_extents
from rangedaemon.storage.partfile import PartFile, claim_name, part_path


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a part file that was left holds."""

    covered: IntervalSet
    """Octets that are there: proved, or claimed and not disproved."""
    gained: int
    """How many of them no checkpoint had claimed."""
    lost: int
    """How many claimed octets are gone or are not what was written."""


SCRATCH = 512 * 1024
"""Octets that are read back and hashed at a time."""


class LedgeredFile:
    """An open part file with its log."""

    def __init__(self, part: PartFile, log: ExtentLog) -> None:
        self.part = part
        self._log = log
        self._one_by_one = Lock()
        self._scratch: bytearray | None = None
        """Where octets are that were moved past us, while they are hashed."""

    @classmethod
    def create(
        cls, state_dir: Path, job_id: str, generation: int, wanted: Path, on_conflict: OnConflict
    ) -> tuple[Path, LedgeredFile]:
        """Settle the final name; a new part file beside it, with an empty log.

        :raises NameTaken, NoSpace, NotWritable, StorageFault: there can be none.
        """
        final, part = claim_name(wanted, on_conflict)
        remove_log(log_path(state_dir, job_id))
        return final, cls._with_log(part, state_dir, job_id, generation)

    @classmethod
    def reopen(cls, state_dir: Path, job_id: str, generation: int, final: Path) -> LedgeredFile:
        """What an earlier run left.

        :raises PartFileLost: it is gone, or somebody else's.
        """
        return cls._with_log(PartFile.reopen(part_path(final)), state_dir, job_id, generation)

    @classmethod
    def reopen_published(
        cls, state_dir: Path, job_id: str, generation: int, final: Path
    ) -> LedgeredFile:
        """What a kill between the publication and the journal left under the final name.

        :raises PartFileLost: nothing is there.
        """
        return cls._with_log(PartFile.reopen(final), state_dir, job_id, generation)

    @classmethod
    def _with_log(
        cls, part: PartFile, state_dir: Path, job_id: str, generation: int
    ) -> LedgeredFile:
        try:
            log = ExtentLog.open(log_path(state_dir, job_id), job_id, generation)
        except BaseException:
            part.close()
            raise
        return cls(part, log)

    def recover(self, claimed: IntervalSet) -> Recovered:
        """Compare what is on the disk with the log; *claimed* is what the journal says."""
        good, bad = verify_extents(self.part.read, self._log.load())
        gone = claimed - IntervalSet([ByteRange(0, self.part.size)])
        kept = claimed - bad - gone
        covered = kept | good
        if covered != kept:
            self.part.sync()  # what a kill left may be in memory only, and is claimed next
        return Recovered(covered, covered.total - kept.total, claimed.total - kept.total)

    def write(self, offset: int, blocks: Sequence[bytes]) -> int:
        """Put *blocks* at *offset*, then log them; how many octets that was."""
        count = self.part.write(offset, blocks)
        self._log.wrote(offset, blocks)
        return count

    def splice(self, offset: int, pipe: int, count: int) -> int:
        """Put *count* octets that are in *pipe* at *offset*, then log them; how many it was."""
        self.part.splice(offset, pipe, count)
        with self._one_by_one:
            self._scratch = self._scratch or bytearray(SCRATCH)
            for start in range(offset, offset + count, SCRATCH):
                view = memoryview(self._scratch)[: offset + count - start]
                self.part.read_into(start, view)
                self._log.wrote(start, [view])
        return count

    def sync(self) -> None:
        """Return when everything written, and its log, is on the disk."""
        self.part.sync()
        self._log.sync()
        if self._log.bloated:
            self._log.rewrite()

    def close(self) -> None:
        """Let go of both; the files stay."""
        self.part.close()
        with suppress(StorageFault):  # a log without its last records just proves less
            self._log.close()
        if self.part.unsure:
            self._log.remove()  # its octets are in memory, and perhaps never on the disk

    def forget(self) -> None:
        """Remove the log: the file is published, or begins again from nothing."""
        self._log.remove()
