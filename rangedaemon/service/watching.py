"""
The watch folder: files that are dropped there become jobs.

A file is read once its time of modification rests, away from the reactor's thread.  One
that cannot be used gets a NAME.error beside it that says why, and is looked at again when
it changes.
"""

from __future__ import annotations

import stat
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from twisted.application.service import MultiService, Service
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.interfaces import IReactorTime
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rangedaemon.client.runner import Runner
from rangedaemon.config import Config
from rangedaemon.control.dropped import LISTS, MAX_OCTETS, METALINKS, specs_in
from rangedaemon.core.jobs import JobSpec
from rangedaemon.errors import Fault, UnknownJob
from rangedaemon.storage.threads import InThread

LOOK_SECONDS = 1.0
REST_SECONDS = 2.0
"""A file that was written to more recently may still be written."""
BATCH = 1000
ERROR, DONE = ".error", ".done"


@dataclass(frozen=True, slots=True)
class Dropped:
    """One file, and the jobs that it asks for or why it cannot."""

    path: Path
    specs: Sequence[JobSpec] = ()
    refusal: str | None = None


@dataclass(frozen=True, slots=True)
class Folder:
    """Where to look, and what becomes of the files; blocking."""

    directory: Path
    keep: bool
    """Whether a file that was taken is renamed to NAME.done; else it is deleted."""
    downloads: str
    segments: int
    wall: Callable[[], float]

    def look(self) -> list[Dropped]:
        """The files that rest, read; the oldest first."""
        self.directory.mkdir(parents=True, exist_ok=True)
        names = [p for p in self.directory.iterdir() if p.suffix.lower() in LISTS | METALINKS]
        return [found for path in sorted(names) if (found := self._read(path)) is not None]

    def _read(self, path: Path) -> Dropped | None:
        """None: it is still written, was refused as it is, or is no file."""
        try:
            seen = path.lstat()
            if not stat.S_ISREG(seen.st_mode) or self.wall() - seen.st_mtime < REST_SECONDS:
                return None
            if _was_refused(path, since=seen.st_ctime):
                return None
            with path.open("rb") as file:
                octets = file.read(MAX_OCTETS + 1)
        except OSError as error:
            return Dropped(path, refusal=error.strerror or "cannot be read")
        stamp = f"{path.name}\0{seen.st_mtime_ns}\0{seen.st_ino}\0{seen.st_size}"
        try:
            where = {"directory": self.downloads, "segments": self.segments}
            return Dropped(path, specs_in(path.name, octets, stamp, **where))  # type: ignore[arg-type]
        except ValueError as wrong:
            return Dropped(path, refusal=str(wrong))

    def taken(self, path: Path) -> None:
        """Its jobs are in the journal."""
        _beside(path, ERROR).unlink(missing_ok=True)
        if self.keep:
            path.replace(_beside(path, DONE))
        else:
            path.unlink(missing_ok=True)

    def refuse(self, path: Path, why: str) -> None:
        """Say beside it why there are no jobs."""
        _beside(path, ERROR).write_text(f"{why}\n", encoding="utf-8", errors="replace")


def _was_refused(path: Path, *, since: float) -> bool:
    """Whether there is a reason beside it that is younger; a rename makes the file young too."""
    try:
        return _beside(path, ERROR).stat().st_mtime > since
    except FileNotFoundError:
        return False


def _beside(path: Path, suffix: str) -> Path:
    return path.with_name(path.name + suffix)


def folder_of(config: Config) -> Folder | None:
    """The folder that *config* names, if it does."""
    downloads = config.downloads
    if downloads.watch is None:
        return None
    return Folder(
        directory=downloads.watch.directory,
        keep=downloads.watch.done == "rename",
        downloads=str(downloads.directory),
        segments=downloads.segments,
        wall=time.time,
    )


class Watching(MultiService):
    """Watches one folder, or none; by and by another."""

    def __init__(
        self, folder: Folder | None, runner: Runner, clock: IReactorTime, in_thread: InThread
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._means = runner, clock, in_thread
        self._folder: Folder | None = None
        self._watch(folder)

    async def change(self, folder: Folder | None) -> None:
        """Watch this one from now on, once the last look at the former is over."""
        if folder != self._folder:
            for former in [*self.services]:
                await maybeDeferred(former.disownServiceParent)
            self._watch(folder)

    def _watch(self, folder: Folder | None) -> None:
        self._folder = folder
        if folder is not None:
            WatchFolder(folder, *self._means).setServiceParent(self)  # type: ignore[no-untyped-call]


class WatchFolder(Service):
    """Looks every second."""

    _log = Logger()

    def __init__(
        self, folder: Folder, runner: Runner, clock: IReactorTime, in_thread: InThread
    ) -> None:
        self._folder, self._runner, self._in_thread = folder, runner, in_thread
        self._loop = LoopingCall(lambda: Deferred.fromCoroutine(self._look()))
        self._loop.clock = clock
        self._looking: Deferred[Any] | None = None

    def startService(self) -> None:
        """Look from now on."""
        super().startService()  # type: ignore[no-untyped-call]
        self._looking = self._loop.start(LOOK_SECONDS)
        self._looking.addErrback(lambda why: self._log.failure("the watch folder is left", why))

    def stopService(self) -> Deferred[Any] | None:
        """Look no more; fires when the last look is over."""
        super().stopService()  # type: ignore[no-untyped-call]
        if self._loop.running:
            self._loop.stop()
        return self._looking

    async def _look(self) -> None:
        try:
            for dropped in await self._in_thread(self._folder.look):
                await self._take(dropped)
        except OSError as error:
            self._log.error("the watch folder cannot be used: {why}", why=str(error))

    async def _take(self, dropped: Dropped) -> None:
        refusal = dropped.refusal or await self._add(dropped.specs)
        if refusal is None:
            await self._in_thread(self._folder.taken, dropped.path)
            self._log.info("{n} jobs of {name}", n=len(dropped.specs), name=dropped.path.name)
        else:
            await self._in_thread(self._folder.refuse, dropped.path, refusal)
            self._log.warn("{name}: {why}", name=dropped.path.name, why=refusal)

    async def _add(self, specs: Sequence[JobSpec]) -> str | None:
        """Add those that an earlier look has not added before it was cut short; or why not."""
        try:
            new = [spec for spec in specs if not await self._is_known(spec.id or "")]
            for start in range(0, len(new), BATCH):
                await self._runner.add(new[start : start + BATCH])
        except Fault as fault:
            return fault.detail
        return None

    async def _is_known(self, job_id: str) -> bool:
        try:
            await self._runner.get(job_id)
        except UnknownJob:
            return False
        return True
