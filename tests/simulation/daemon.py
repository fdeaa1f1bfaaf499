"""One life of a daemon after the other, over the same directories and the same journal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.runner import Runner
from rangedaemon.core.jobs import JobRecord
from rangedaemon.storage.rows import from_row, to_row
from tests.client.scripted import Script
from tests.client.world import HandFired, MemoryStore, World

T = TypeVar("T")


class Journal(MemoryStore):
    """A journal whose answers come one after the other, when the story says so."""

    def __init__(self, before: Callable[[], None]) -> None:
        super().__init__()
        self.waiting: list[Deferred[None]] = []
        self.held = False
        self._before = before

    async def _turn(self) -> None:
        if self.held or self.waiting:
            turn: Deferred[None] = Deferred()
            self.waiting.append(turn)
            await turn
        self._before()

    async def save(self, record: JobRecord) -> None:
        """As `JobStore.save`; what comes back after a restart is what a row can hold."""
        await self._turn()
        row = to_row(record) | {"seq": record.seq}
        again = from_row(row)
        spec = replace(again.spec, pieces=record.spec.pieces)  # they have a table of their own
        await super().save(replace(again, spec=spec))

    async def get(self, job_id: str) -> JobRecord | None:
        """As `JobStore.get`."""
        await self._turn()
        return await super().get(job_id)

    async def agenda(self, **asked: Any) -> Any:
        """As `JobStore.agenda`."""
        await self._turn()
        return await super().agenda(**asked)

    def fire(self) -> None:
        """Give the oldest answer."""
        self.waiting.pop(0).callback(None)


class Life:
    """A daemon from its start to its end."""

    MOST_TURNS = 20_000

    def __init__(
        self,
        journal: Journal,
        directories: tuple[Path, Path],
        script: Script,
        *,
        held: bool,
        seconds: float,
    ) -> None:
        """
        :param directories: of the downloads and of the state.
        :param held: whether disk and journal wait until they are told to do their work.
        :param seconds: what the clock shows.
        """
        self.case = _Case()
        self.threads = HandFired()
        self.threads.held = journal.held = held
        self.journal = journal
        world = World(self.case, in_thread=self.threads)
        world.clock.advance(seconds)
        world.directory = directories[0]
        world.store = journal
        world.habits = replace(
            world.habits, store=journal, state_dir=directories[1], resume_overlap=1024
        )
        world.origin.script = script
        self.world = world
        self.runner: Runner = world.runner()

    def start(self) -> None:
        """Begin to work, as after the start of the process."""
        self.finish(self.runner.recover())
        self.runner.startService()

    def work(self, which: int) -> bool:
        """Do a piece of the work that disk or journal have to do; whether there was any."""
        most = len(self.threads.waiting) + bool(self.journal.waiting)
        if not most:
            return False
        which %= most
        if which < len(self.threads.waiting):
            self.threads.waiting.pop(which)()
        else:
            self.journal.fire()
        return True

    def work_off(self) -> None:
        """Do everything that is due."""
        for _ in range(self.MOST_TURNS):
            if not self.work(0):
                return
        raise AssertionError("the work does not end")

    def pass_time(self, seconds: float) -> None:
        """Let the clock go on, and work meanwhile."""
        for _ in range(max(1, round(seconds / 0.5))):
            self.world.clock.advance(0.5)
            self.work_off()

    def finish(self, story: Awaitable[T] | Deferred[T]) -> T:
        """Work until *story* has ended; what it returns or raises."""
        result = story if isinstance(story, Deferred) else ensureDeferred(story)  # type: ignore[arg-type]
        self.world.clock.advance(0)
        self.work_off()
        for _ in range(200):
            if result.called and not result.paused:
                break
            self.pass_time(0.5)
        caught: list[Failure] = []
        result.addErrback(caught.append)
        value = self.case.successResultOf(result)
        if caught:
            caught[0].raiseException()
        return value  # type: ignore[no-any-return]

    def stop(self) -> float:
        """An orderly end; what the clock shows then."""
        self.finish(self.runner.stopService())
        self.case.doCleanups()
        return self.world.clock.seconds()


class _Case(SynchronousTestCase):
    """Somebody to give cleanups to."""

    def runTest(self) -> None:
        """Nothing of its own."""
