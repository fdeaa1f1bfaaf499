"""
Reading a file while it is still downloaded: what is missing is fetched first.

Only octets that were received, judged and written are ever handed out, and only of
the one representation that the reading began with.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Protocol

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import RUNNING, JobRecord, JobState, Remembered
from rangedaemon.errors import Changed, StateForbids
from rangedaemon.storage.partfile import storage_faults
from rangedaemon.storage.threads import InThread


class Grows(Protocol):
    """A running job, as its readers see it."""

    in_thread: InThread

    @property
    def record(self) -> JobRecord:
        """What the journal knows of it."""

    @property
    def written(self) -> IntervalSet:
        """The octets that are in the part file now."""

    @property
    def path(self) -> Path:
        """Where the finished file is or will be."""

    async def come_to(self, offset: int) -> None:
        """Return when the octet at *offset* is there. :raises Fault: it will not come."""


class GrowingFile:
    """One reader of one running job's file."""

    def __init__(self, job: Grows, descriptor: int) -> None:
        """Take over *descriptor*, a reader of the part file; close it when done."""
        self.identity: Remembered = job.record.remembered
        self._job = job
        self._fd = descriptor
        self.generation = job.record.changes

    @property
    def length(self) -> int:
        """Complete length in octets."""
        return self.identity.length or 0

    @property
    def filename(self) -> str:
        """What the finished file is, or will be, called."""
        return self._job.record.filename or "download"

    async def read(self, offset: int, most: int) -> bytes:
        """At least one octet, at most *most*, from *offset* on; waits until it is there.

        :raises StateForbids: the job has stopped; the next run may begin the file anew.
        :raises Changed: the file is another one now.
        """
        reach = await self._reach(offset)
        self._insist_on_same()
        octets = await self._job.in_thread(self._pread, offset, min(most, reach - offset))
        self._insist_on_same()  # else the file may have been cut and written anew meanwhile
        return octets

    async def _reach(self, offset: int) -> int:
        """Up to where octets are there from *offset* on; at least one is."""
        while not self._is_complete():
            reach = self._job.written.reach(offset)
            if reach > offset:
                return reach
            self._insist_on_same()
            await self._job.come_to(offset)
        return self.length

    def _is_complete(self) -> bool:
        return self._job.record.state is JobState.COMPLETE

    def _insist_on_same(self) -> None:
        if self._job.record.changes != self.generation:
            raise Changed("the file changed at the origin while it was read")
        state = self._job.record.state
        if state not in RUNNING and state is not JobState.COMPLETE:
            raise StateForbids(f"the job is {state}: its file may be cut and written anew")

    def _pread(self, offset: int, length: int) -> bytes:
        with storage_faults(self._job.path):
            octets = os.pread(self._fd, length, offset)
        if not octets:
            raise StateForbids("the part file was cut while it was read")
        return octets

    async def close(self) -> None:
        """Let go of the file."""
        descriptor, self._fd = self._fd, -1
        if descriptor >= 0:
            await self._job.in_thread(os.close, descriptor)
