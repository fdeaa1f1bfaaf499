"""
Watching jobs to their end: the events of the daemon, applied to a board of jobs.

The list is read after the stream of events has been opened, so nothing falls
between them; where the stream breaks off, both are done again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console, RenderableType
from rich.live import Live
from rich.panel import Panel

from rangedaemon.control.cli.client import ApiClient, StreamEnded
from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.picking import Job
from rangedaemon.control.cli.render import progress, state_line
from rangedaemon.control.cli.sse import Event

FINISHED = frozenset({"complete", "failed"})
DELAYS = (0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds before the stream is opened again, time after time without success."""
_SILENT = "the daemon does not answer, trying again"
FEW = 20
"""So many jobs are asked for one by one; for more the list is read."""


class Board:
    """The jobs that are watched, and how they stand."""

    def __init__(self, wanted: Iterable[str] | None) -> None:
        """*wanted*: their ids; None: every job that is told of, but for the files of mirrors."""
        self._wanted = None if wanted is None else list(dict.fromkeys(wanted))
        self.jobs: dict[str, Job] = {}
        self.removed: set[str] = set()

    @property
    def pending(self) -> list[str]:
        """The ids of those that have not come to their end."""
        ids = self.jobs if self._wanted is None else self._wanted
        return [
            job_id
            for job_id in ids
            if job_id not in self.removed and self.jobs.get(job_id, {}).get("state") not in FINISHED
        ]

    @property
    def follows_all(self) -> bool:
        """Whether it never comes to an end by itself."""
        return self._wanted is None

    def take(self, job: Job) -> bool:
        """Take news of a job; whether it is a new state of one that is watched."""
        job_id = job["id"]
        meant = not job.get("parent") if self._wanted is None else job_id in self._wanted
        if not meant:
            return False
        before = self.jobs.get(job_id, {}).get("state")
        self.jobs[job_id] = job
        self.removed.discard(job_id)
        return bool(before != job["state"])

    def drop(self, job_id: str) -> bool:
        """Note that a job is no more; whether it was a watched one that had not ended."""
        if job_id not in self.pending:
            return False
        self.removed.add(job_id)
        self.jobs.pop(job_id, None)
        return True

    @property
    def exit_code(self) -> Exit:
        """How it went for all of them."""
        failed = any(job["state"] == "failed" for job in self.jobs.values())
        return Exit.JOB_FAILED if failed or self.removed else Exit.OK


class View(Protocol):
    """Shows a board while it changes."""

    def __enter__(self) -> Self:
        """Begin."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""

    def changed(self, job: Job) -> None:
        """A job has a new state."""

    def removed(self, job_id: str) -> None:
        """A job is no more."""

    def heard(self, *, well: bool) -> None:
        """The daemon is heard again, or not any more: what is shown may be old."""


class LineView:
    """One line for each change of state: for files, pipes and terminals that are none."""

    def __init__(self, console: Console, *, as_json: bool = False) -> None:
        self._console = console
        self._as_json = as_json

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Everything has been said."""

    def changed(self, job: Job) -> None:
        """Print its line, or the job object."""
        self._print(json.dumps(job) if self._as_json else state_line(job))

    def removed(self, job_id: str) -> None:
        """Say so; a job object there is none."""
        if not self._as_json:
            self._print(f"{job_id} removed")

    def heard(self, *, well: bool) -> None:
        """Nothing: lines are of what was, and the last word is the caller's."""

    def _print(self, line: str) -> None:
        self._console.out(line, highlight=False)
        self._console.file.flush()


class LiveView:
    """Bars that move, below the prompt or on the whole screen."""

    def __init__(
        self, console: Console, board: Board, *, screen: bool, clock: Callable[[], float]
    ) -> None:
        self._console, self._board = console, board
        self._screen, self._clock = screen, clock
        self._well = True
        self._live = Live(
            console=console, screen=screen, get_renderable=self._picture, refresh_per_second=4
        )

    def _picture(self) -> RenderableType:
        """What is to be seen now."""
        jobs = list(self._board.jobs.values())
        width, height = self._console.size
        if self._screen:
            bars = progress(jobs, width - 4, height - 2, self._clock())
            end = "Ctrl-C ends" if self._well else f"{_SILENT} · Ctrl-C ends"
            return Panel(bars, title="rangedaemon", subtitle=end, height=height)
        bars = progress(jobs, width, height - 1 - (not self._well), self._clock())
        return bars if self._well else bars.append(f"\n{_SILENT}"[:width], style="yellow")

    def __enter__(self) -> Self:
        self._live.start(refresh=True)
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the last picture, and say why what failed did."""
        self._live.stop()
        for job in list(self._board.jobs.values()):
            if job["state"] == "failed" or (self._screen and job["state"] in FINISHED):
                self._console.out(state_line(job), highlight=False)

    def changed(self, job: Job) -> None:
        """The next picture shows it."""

    def removed(self, job_id: str) -> None:
        """Say it above the bars."""
        self._console.out(f"{job_id} removed", highlight=False)

    def heard(self, *, well: bool) -> None:
        """The next picture says so."""
        self._well = well


def _passing(fault: CommandFault) -> bool:
    """Whether a daemon that was there may come back from it."""
    return fault.exit_code in {Exit.UNREACHABLE, Exit.SERVER}


class Watch:
    """Keeps a board up to date until all of its jobs have come to their end."""

    def __init__(
        self,
        client: ApiClient,
        board: Board,
        view: View,
        *,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client, self._board, self._view = client, board, view
        self._pause = pause

    def run(self) -> Exit:
        """
        Watch; the exit code that the jobs' ends mean.

        :raises CommandFault: the daemon cannot be reached (any more).
        """
        failures: int | None = None
        with self._view:
            while True:
                try:
                    if self._once():
                        return self._board.exit_code
                    failures = 0
                except CommandFault as fault:
                    if failures is None or not _passing(fault) or failures == len(DELAYS):
                        raise
                    failures += 1
                self._view.heard(well=False)
                self._pause(DELAYS[max(0, failures - 1)])

    def _once(self) -> bool:
        """Follow one stream of events; whether everything came to its end."""
        with self._client.events() as stream:
            self._read_list()
            self._view.heard(well=True)
            try:
                if self._ended:
                    return True
                for event in stream:
                    self._apply(event)
                    if self._ended:
                        return True
            except StreamEnded:
                return False
        return False

    @property
    def _ended(self) -> bool:
        return not self._board.follows_all and not self._board.pending

    def _apply(self, event: Event) -> None:
        """Put what one event tells on the board."""
        if event.kind == "job":
            self._take(self._client.job_of(event))
        elif event.kind == "removed":
            self._drop(self._client.removed_id(event))

    def _take(self, job: Job) -> None:
        if self._board.take(job):
            self._view.changed(job)

    def _drop(self, job_id: str) -> None:
        if self._board.drop(job_id):
            self._view.removed(job_id)

    def _read_list(self) -> None:
        """See how the watched jobs stand now."""
        asked = self._board.pending
        seen: set[str] = set()
        if self._board.follows_all or len(asked) > FEW:
            seen = self._read_pages(set(asked))
        for job_id in asked:
            if job_id not in seen:
                self._ask(job_id)

    def _read_pages(self, asked: set[str]) -> set[str]:
        """Read the list as far as it is needed; the ids that were in it."""
        seen: set[str] = set()
        for job in self._client.jobs():
            if job["id"] in asked or job["state"] not in FINISHED:
                self._take(job)
            seen.add(job["id"])
            if not self._board.follows_all and asked <= seen:
                break
        return seen

    def _ask(self, job_id: str) -> None:
        """See how one job stands now."""
        try:
            self._take(self._client.job(job_id))
        except CommandFault as fault:
            if fault.exit_code is not Exit.NOT_FOUND:
                raise
            self._drop(job_id)
