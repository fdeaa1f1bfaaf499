"""
Reading the configuration again while the daemon runs, without dropping a transfer.

The file is read in a thread.  A bad one is refused whole, and so is one that asks for
what cannot be had (a port, a certificate, a token file): what was in force stays so.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from twisted.internet.defer import DeferredLock
from twisted.logger import Logger

from rangedaemon.client.declaring import planned, reconcile
from rangedaemon.client.hooks.calls import Hook, Hooks
from rangedaemon.client.network import Network
from rangedaemon.client.runner import Runner
from rangedaemon.config import Config
from rangedaemon.config.problems import KeyPath
from rangedaemon.config.reloading import changed_keys, load_again
from rangedaemon.control.problems import NotReady
from rangedaemon.control.routes.daemon import Readiness
from rangedaemon.control.site import ControlSite
from rangedaemon.core.declared import Difference
from rangedaemon.errors import BadConfiguration, Complaint, Fault
from rangedaemon.service.changes import Prepared, all_or_none
from rangedaemon.service.credentials import reach_of
from rangedaemon.service.hooking import hooks_of
from rangedaemon.service.listeners import Listeners, read_certificates
from rangedaemon.service.ports import StartFailed, clear_reasons, refuse_plain_remote
from rangedaemon.service.serving import Serving
from rangedaemon.service.watching import Watching, folder_of
from rangedaemon.service.wiring import entries_of, retuned, specs_of
from rangedaemon.storage.threads import InThread

_log = Logger()


@dataclass(frozen=True)
class Parts:
    """What of the daemon a configuration is put in force with."""

    reactor: Any
    serving: Serving
    control: Listeners
    site: ControlSite
    runner: Runner
    in_thread: InThread
    network: Network
    hooks: Hooks
    watching: Watching


async def declare(runner: Runner, config: Config) -> None:
    """Make the jobs what *config* declares."""
    await reconcile(runner, specs_of(config), config.downloads.on_removed)


def plan_of(
    reloader: Callable[[], Reloader | None],
) -> Callable[[], Awaitable[Sequence[Difference]]]:
    """`Reloader.plan` of a reloader that is there by and by."""

    async def plan() -> Sequence[Difference]:
        there = reloader()
        if there is None:
            raise NotReady("the daemon is starting")
        return await there.plan()

    return plan


class Reloader:
    """Puts the file *source* in force again and again."""

    def __init__(
        self, parts: Parts, config: Config, source: str | None, readiness: Readiness
    ) -> None:
        self._parts = parts
        self._readiness = readiness
        self.config = config
        """What is in force."""
        self._source = source
        self._turn = DeferredLock()

    async def finish(self) -> None:
        """Wait until nothing is half in force."""
        async with self._turn:
            pass

    async def reload(self) -> Sequence[str]:
        """
        Read the file, put it in force; the keys whose values are other ones now.

        :raises BadConfiguration: it cannot be used; nothing has changed.
        :raises NotReady: the daemon starts or stops.
        :raises StorageFault: all of it is in force, but declared jobs could not be added.
        """
        async with self._turn:
            if not self._readiness.ready:
                raise NotReady("the daemon is starting or stopping")
            try:
                changed = await self._reload()
            except Fault as fault:
                _log.error("reload refused: {why}", why=fault.detail)
                raise
            _log.info("reloaded; changed: {keys}", keys=", ".join(changed) or "nothing")
            return changed

    async def plan(self) -> Sequence[Difference]:
        """
        Read the file and say what a reload would make of the declared jobs; nothing changes.

        :raises BadConfiguration: it cannot be used.
        """
        if not self._readiness.ready:
            raise NotReady("the daemon is starting or stopping")
        _, config = await self._read()
        return await planned(self._parts.runner, specs_of(config))

    async def _read(self) -> tuple[Sequence[KeyPath], Config]:
        """The file as it is now, and the keys whose values are other ones."""
        if self._source is None:
            raise BadConfiguration([Complaint("", "the daemon was not started from a file")])
        read = self._parts.in_thread(load_again, self._source, os.environ, self.config)
        config: Config = await read
        return list(changed_keys(self.config, config)), config

    async def _reload(self) -> Sequence[str]:
        changed, config = await self._read()
        await self._put_in_force(config)
        self.config = config
        self._retune(config, changed)
        await self._parts.watching.change(folder_of(config))
        await declare(self._parts.runner, config)
        return [".".join(map(str, key)) for key in changed]

    async def _put_in_force(self, config: Config) -> None:
        """
        Ports, certificates, mounts, tokens and credentials: all of them or none.

        :raises BadConfiguration: something cannot be had.
        """
        try:
            with clear_reasons():
                await all_or_none(
                    [
                        lambda: self._prepare_access(config),
                        lambda: self._prepare_control(config),
                        lambda: self._prepare_reach(config),
                        lambda: self._prepare_hooks(config),
                        lambda: self._parts.serving.prepare(config.server),
                    ]
                )
        except StartFailed as exc:
            if isinstance(exc.__cause__, BadConfiguration):
                raise exc.__cause__ from exc
            raise BadConfiguration([Complaint("", str(exc))]) from exc

    async def _prepare_access(self, config: Config) -> Prepared:
        entries = await self._parts.in_thread(entries_of, config, os.urandom)
        control = config.control

        async def commit() -> None:
            self._parts.site.change_access(entries, control.allowed_hosts, control.allowed_origins)

        return Prepared(commit, _nothing)

    async def _prepare_control(self, config: Config) -> Prepared:
        change = self._parts.control.change_to(config.control.listen)
        try:
            await change.begin()
            if not config.control.allow_plain_remote:
                refuse_plain_remote(change.after)
            certificates = await read_certificates(change.kept, self._parts.in_thread)
        except BaseException:
            await change.undo()
            raise

        async def commit() -> None:
            await change.commit()
            certificates()

        return Prepared(commit, change.undo)

    async def _prepare_reach(self, config: Config) -> Prepared:
        reach = await self._parts.in_thread(reach_of, config.downloads, os.environ)

        async def commit() -> None:
            self._parts.network.renew(reach.policy)
            self._parts.runner.change_habits(lambda habits: retuned(habits, config, reach))

        return Prepared(commit, _nothing)

    async def _prepare_hooks(self, config: Config) -> Prepared:
        if config.hooks == self.config.hooks:
            return Prepared(_nothing, _nothing)  # their lines and programs stay as they are
        make = self._parts.in_thread(hooks_of, config.hooks, self._parts.reactor)
        hooks: Sequence[Hook] = await make

        async def commit() -> None:
            self._parts.hooks.change(hooks)

        return Prepared(commit, _nothing)

    def _retune(self, config: Config, changed: Sequence[KeyPath]) -> None:
        """The limits hold for all jobs at once."""
        runner, downloads = self._parts.runner, config.downloads
        # What somebody set for this run stays, unless the file says something new.
        new = {name: getattr(downloads, name) for name in _LIMITS if ("downloads", name) in changed}
        if new:
            runner.set_limits(replace(runner.limits, **new))


_LIMITS = ("max_active", "rate_limit", "rate_limit_per_host", "connections_per_host")


async def _nothing() -> None:
    """There is nothing to take back."""
