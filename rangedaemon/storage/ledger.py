"""
A part file and the log of what was written to it, as one thing.

Every write is logged after it returned: with its hash where the octets were in our
hands, else as fresh, and hashed with the next checkpoints, as many as fit into them.
When a job comes back, the logs prove octets that no checkpoint has claimed yet (a kill
loses nothing that reached the page cache), and find claimed ones that somebody has
changed since.
Everything blocks and is called off the reactor thread.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from mmap import MAP_PRIVATE, mmap
from pathlib import Path
from threading import Lock

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet
from rangedaemon.core.jobs import OnConflict
from rangedaemon.errors import StorageFault
from rangedaemon.storage.extentlog import ExtentLog, log_path, remove_log
from rangedaemon.storage.extents import verify_extents
from rangedaemon.storage.freshlog import FreshLog, fresh_path, this_boot
from rangedaemon.storage.holes import lost_octets
from rangedaemon.storage.intents import intent_of
from rangedaemon.storage.partfile import PartFile, part_path
from rangedaemon.storage.publishing import claim_name, publish


@dataclass(frozen=True, slots=True)
class Recovered:
    """What a part file that was left holds."""

    covered: IntervalSet
    """Octets that are there: proved, or claimed and not disproved."""
    gained: int
    """How many of them no checkpoint had claimed."""
    lost: int
    """How many claimed octets are gone or are not what was written."""


PROVED_EACH = 128 * 1024 * 1024
"""Octets that are hashed with a checkpoint: all that came, on lines up to a gigabit."""
SCRATCH = 256 * 1024
"""Octets that are read back and hashed at a time."""


class LedgeredFile:
    """An open part file with its log."""

    def __init__(self, part: PartFile, log: ExtentLog, fresh: FreshLog | None) -> None:
        """:param fresh: None: octets that were moved past us are hashed at once."""
        self.part = part
        self._log = log
        self._fresh = fresh
        self._unproved = EMPTY
        """Octets of this run that are not hashed yet."""
        self._one_by_one = Lock()
        self._scratch: mmap | None = None
        """Where octets are that were moved past us, while they are hashed."""

    @classmethod
    def create(
        cls, state_dir: Path, job_id: str, generation: int, wanted: Path, on_conflict: OnConflict
    ) -> tuple[Path, LedgeredFile]:
        """Settle the final name; a new part file beside it, with an empty log.

        :raises NameTaken, NoSpace, NotWritable, StorageFault: there can be none.
        """
        final, part = claim_name(wanted, on_conflict)
        remove_logs(state_dir, job_id)
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
        path, boot = log_path(state_dir, job_id), this_boot()
        try:
            log = ExtentLog.open(path, job_id, generation)
            fresh = boot and FreshLog(fresh_path(path), job_id, generation, boot)
        except BaseException:
            part.close()
            raise
        return cls(part, log, fresh or None)

    def recover(self, claimed: IntervalSet) -> Recovered:
        """Compare what is on the disk with the logs; *claimed* is what the journal says."""
        good, bad = verify_extents(self.part.read, self._log.load())
        there = IntervalSet([ByteRange(0, self.part.size)])
        fresh = self._fresh.believed(self.part.written_ns) & there if self._fresh else EMPTY
        self._unproved = fresh - good
        kept = (claimed - (bad - fresh)) & there
        covered = kept | good | fresh
        if covered != kept:
            self.part.sync()  # what a kill left may be in memory only, and is claimed next
        return Recovered(covered, covered.total - kept.total, claimed.total - kept.total)

    def write(self, offset: int, blocks: Sequence[bytes | memoryview]) -> int:
        """Put *blocks* at *offset*, then log them; how many octets that was."""
        self._announce()
        count = self.part.write(offset, blocks)
        self._log.wrote(offset, blocks)
        if self._fresh is not None:  # the log itself hears of small writes only in the sum
            with self._one_by_one:
                self._fresh.wrote(ByteRange(offset, offset + count))
        return count

    def splice(self, offset: int, pipe: int, count: int) -> int:
        """Put *count* octets that are in *pipe* at *offset*, then log them; how many it was."""
        self._announce()
        self.part.splice(offset, pipe, count)
        piece = ByteRange(offset, offset + count)
        with self._one_by_one:
            self._unproved = self._unproved.add(piece)
            if self._fresh is not None:
                self._fresh.wrote(piece)
        if self._fresh is None:
            self._prove(count)
        return count

    def _announce(self) -> None:
        if self._fresh is not None:
            self._fresh.writes()

    def _prove(self, most: int | None) -> None:
        """Hash and log octets that are not hashed yet, *most* of them; None: all."""
        done = 0
        while most is None or done < most:
            with self._one_by_one:
                piece = next(iter(self._unproved), None)
                if piece is None:
                    if self._fresh is not None:
                        self._log.note()
                        self._fresh.clear()
                    return
                done += self._prove_next(piece)

    def _prove_next(self, piece: ByteRange) -> int:
        if self._scratch is None:
            # Not of the heap: what its many threads free there, it keeps for each of them.
            self._scratch = mmap(-1, SCRATCH, MAP_PRIVATE)
        view = memoryview(self._scratch)[: len(piece)]
        self.part.read_into(piece.start, view)
        self._log.wrote(piece.start, [view])
        self._unproved = self._unproved.remove(ByteRange(piece.start, piece.start + len(view)))
        return len(view)

    def sync(self, *, prove: bool = True) -> None:
        """Return when everything written, and its log, is on the disk.

        :param prove: whether to hash of what is not hashed yet as much as fits here.
        :raises PartFileLost: it is without its name, so that nobody will find it.
        """
        self.part.sync()
        self.part.insist_on_name()
        if prove:
            self._prove(PROVED_EACH)
        self._log.sync()
        if self._log.bloated:
            self._log.rewrite()

    def lost(self, length: int) -> IntervalSet:
        """Which of its *length* octets, all of them written, somebody has cut off."""
        self.part.sync()
        return self.part.ask(lambda file: lost_octets(file, self.part.path.parent, length))

    def settle(self, modified: float | None = None) -> None:
        """
        Return when the whole file is on the disk, and the log that shows whose it is.

        It is about to get its final name.  A power cut before the journal knows leaves
        nothing else to recognize it by, so that without this log it gets no name.

        :param modified: the time that it will get, seconds since the epoch.
        :raises PartFileLost: it is not there any more.
        :raises StorageFault: file or log cannot be synced.
        """
        self.part.sync(times=True)
        self.part.insist_on_name()
        with suppress(StorageFault):
            self._prove(PROVED_EACH)
        times = {None, modified}
        self._log.intend(self.part.ask(lambda file: [intent_of(file, time) for time in times]))
        self._log.settle()

    def publish(self, final: Path, on_conflict: OnConflict) -> Path:
        """Give the file its final name, see `publishing.publish`.

        :raises PartFileLost: it is not there any more.
        """
        self.part.insist_on_name()
        return publish(self.part.path, final, on_conflict)

    @property
    def intended(self) -> bool:
        """Whether this very file, as it is, was about to get its final name."""
        return self._log.intended(self.part.ask(intent_of))

    def close(self, *, prove: bool = True) -> None:
        """Let go of all; the files stay.

        :param prove: whether to hash what is not hashed yet: the logs will be needed.
        """
        with suppress(StorageFault):  # logs without their last records just prove less
            if prove and not self.part.unsure:
                self._prove(None)
        self.part.close()
        self._scratch = None  # Python may take its time to let a job go that has ended
        with suppress(StorageFault):
            self._log.close()
        if self._fresh is not None:
            self._fresh.close()
        if self.part.unsure:
            self.forget()  # its octets are in memory, and perhaps never on the disk

    def forget(self) -> None:
        """Remove the logs: the file is published, or begins again from nothing."""
        self._log.remove()
        remove_log(fresh_path(self._log.path))


def remove_logs(state_dir: Path, job_id: str) -> None:
    """Remove the logs of a job that is forgotten or begins anew, where there are any."""
    path = log_path(state_dir, job_id)
    remove_log(path)
    remove_log(fresh_path(path))
