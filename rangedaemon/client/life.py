"""
What the lives of jobs of every kind have in common: a start, a story, an end.

The states and their moves are `core.transfer`'s; each move is one journal transaction
and one event.  Network waits can be cut short at any moment, disk work is always waited
for, so that nothing is at work on a file that was let go of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import replace

from twisted.logger import Logger

from rangedaemon.client.books import Books
from rangedaemon.client.growing import GrowingFile
from rangedaemon.client.habits import Habits
from rangedaemon.client.interrupt import Interrupt, Stopped
from rangedaemon.core.jobs import (
    JobRecord,
    JobSnapshot,
    JobSpec,
    Live,
    SegmentSnapshot,
)
from rangedaemon.core.repeats import next_turn
from rangedaemon.core.retry import RetryClass
from rangedaemon.core.telling import error_of
from rangedaemon.core.transfer import Trigger
from rangedaemon.errors import Fault, StorageFault

INTERNAL = "an internal error; the log has its traceback"


class Life(ABC):
    """A job of some kind while it runs."""

    _log = Logger()

    def __init__(self, record: JobRecord, habits: Habits) -> None:
        self._habits = habits
        self._around = habits.around
        self._books = Books(record, habits, self._live)
        self._interrupt = Interrupt()

    # -- seen from outside ------------------------------------------------------

    @property
    def record(self) -> JobRecord:
        """What the journal knows of it."""
        return self._books.record

    def snapshot(self) -> JobSnapshot:
        """The job at this moment."""
        return self._books.snapshot()

    def stop(self, by: Trigger) -> None:
        """End the run soon, with *by* (PAUSE or INTERRUPT) as its last event."""
        self._interrupt.stop(by)

    @property
    def stopping(self) -> bool:
        """Whether it was told to stop."""
        return self._interrupt.by is not None

    idle = False
    """Whether it only waits for others, and so holds no slot."""

    @abstractmethod
    def segments(self) -> list[SegmentSnapshot]:
        """Its segments in ascending order."""

    @abstractmethod
    async def change(self, spec: JobSpec) -> None:
        """Take on other wishes while it runs."""

    @abstractmethod
    async def reader(self) -> GrowingFile:
        """A reader of what is there and what comes.

        :raises StateForbids: there is nothing to read.
        """

    # -- what a kind of job tells -------------------------------------------------

    @abstractmethod
    def _live(self) -> Live:
        """What only the running job knows."""

    @abstractmethod
    async def _story(self) -> None:
        """From the slot to the last move, which is VERIFIED.

        :raises Stopped, Fault: it ended before.
        """

    @abstractmethod
    async def _last_checkpoint(self) -> None:
        """Something is wrong already: what can be claimed, is."""

    @abstractmethod
    async def _let_go(self) -> None:
        """Close everything, however it ended."""

    @abstractmethod
    def _progressed(self) -> bool:
        """Whether this run has won something that another one need not win again."""

    @abstractmethod
    def _about(self) -> str:
        """The address that a fault is about which names none."""

    # -- the story --------------------------------------------------------------

    async def run(self) -> None:
        """The whole story, from the slot (`core.turns`) to a state in which nothing runs."""
        try:
            self._books.announce("job")
            await self._story()
        except Stopped:
            await self._last_checkpoint()
            await self._books.move(self._interrupt.by or Trigger.INTERRUPT)
        except Fault as fault:
            await self._last_checkpoint()
            await self._after(fault)
        except Exception:  # noqa: BLE001 - a bug must end in a state, not in a job that hangs
            self._log.failure("job {id} met something unforeseen", id=self.record.id)
            await self._after(StorageFault(INTERNAL))
        finally:
            await self._let_go()

    def _again(self) -> float | None:
        """When its next turn is, now that it ends."""
        spec, around = self.record.spec, self._around
        chance = around.random.random() if spec.repeat is not None else 0.0
        return next_turn(spec.repeat, spec.window, around.wall(), around.zone, chance)

    async def _after(self, fault: Fault) -> None:
        """Fail, or wait for a better time."""
        error = error_of(fault, self.record.spec, self._about())
        attempts = 1 if self._progressed() else self.record.attempts
        rules, now = self._around.retry, self._around.wall()
        delay = rules.next_try(fault, attempts, self._around.random.random())
        if delay is None:
            await self._books.end(Trigger.FAIL, self._again(), error=error, finished=now)
            return
        if rules.class_of(fault) is RetryClass.PATIENT:
            error = replace(error, message=f"{error.message}; tried again until there is a change")
        await self._books.move(
            Trigger.POSTPONE, error=error, attempts=attempts, retry_at=now + delay
        )
