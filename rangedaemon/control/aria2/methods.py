"""
aria2's methods that change something: what each takes, does and answers.

A coroutine per method, from `Params` to plain JSON; a fault of ours becomes code 1
with its sentence, as all failures inside of aria2's methods do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from rangedaemon.control.aria2.downloads import WAITING_STATES, Downloads, all_of
from rangedaemon.control.aria2.envelope import RpcError
from rangedaemon.control.aria2.options import (
    DANGEROUS,
    LIVE,
    Defaults,
    change_of,
    described_spec,
    global_options,
    limits_of,
    refused,
    spec_of,
    texts,
)
from rangedaemon.control.aria2.params import Params
from rangedaemon.control.aria2.queue import place
from rangedaemon.control.ports import Jobs
from rangedaemon.control.wishes import check_url
from rangedaemon.core.jobs import FINISHED, RUNNING, JobChange, JobSnapshot, JobSpec, JobState
from rangedaemon.core.metalink_reading import parse_metalink
from rangedaemon.errors import Fault, StateForbids

Method = Callable[[Params], Awaitable[Any]]


class Methods:
    """The methods that add, steer and remove."""

    def __init__(
        self,
        jobs: Jobs,
        downloads: Downloads,
        defaults: Defaults,
        shutdown: Callable[[], None],
    ) -> None:
        self._jobs = jobs
        self._downloads = downloads
        self._defaults = defaults
        self._shutdown = shutdown

    def table(self) -> Mapping[str, Method]:
        """The methods by their wire names."""
        short = {
            "addUri": self.add_uri,
            "addMetalink": self.add_metalink,
            **dict.fromkeys(("remove", "forceRemove"), self.remove),
            **dict.fromkeys(("pause", "forcePause"), self.pause),
            **dict.fromkeys(("pauseAll", "forcePauseAll"), self.pause_all),
            "unpause": self.unpause,
            "unpauseAll": self.unpause_all,
            "changePosition": self.change_position,
            "changeUri": self.change_uri,
            "changeOption": self.change_option,
            "changeGlobalOption": self.change_global_option,
            "purgeDownloadResult": self.purge_results,
            "removeDownloadResult": self.remove_result,
            **dict.fromkeys(("shutdown", "forceShutdown"), self.shut_down),
            "saveSession": self.save_session,
        }
        return {f"aria2.{name}": method for name, method in short.items()}

    # -- adding and removing ------------------------------------------------------

    async def add_uri(self, params: Params) -> str:
        """The GID of a new download of one file from any of its addresses."""
        spec, position = self._wanted(params), params.position(2)
        [added] = await self._jobs.add([spec])
        if position is not None:
            await place(self._jobs, added, position)
        return added.record.id

    def _wanted(self, params: Params) -> JobSpec:
        """:raises RpcError, OutsideDirectory: there can be no such download."""
        given, options = params.texts(0), params.options(1)
        if not given:
            raise RpcError("URI is not provided.")
        uris = [uri for uri in given if _is_url(uri)]
        if not uris:
            raise RpcError("No URI to download.")
        return spec_of(uris, options, self._defaults)

    async def add_metalink(self, params: Params) -> list[str]:
        """The GIDs of new downloads, one for each file that the document describes."""
        octets, options, position = params.octets(0), params.options(1), params.position(2)
        described = parse_metalink(octets, "metalink:")
        fit = [replace(file, urls=tuple(filter(_is_url, file.urls))) for file in described]
        specs = [described_spec(file, options, self._defaults) for file in fit if file.urls]
        if not specs:
            raise RpcError("No URI to download.")
        added = await self._jobs.add(specs)
        if position is not None:
            for at, snapshot in enumerate(added, position):
                await place(self._jobs, snapshot, at)
        return [snapshot.record.id for snapshot in added]

    async def add_many(self, calls: Sequence[Params]) -> Sequence[str | RpcError]:
        """Several `add_uri` without a place in the queue: as one, or else one by one."""
        specs = [self._spec_or_error(params) for params in calls]
        wanted = [spec for spec in specs if isinstance(spec, JobSpec)]
        try:
            gids = iter([added.record.id for added in await self._jobs.add(wanted)])
        except Fault:
            return [await self._add_or_error(params) for params in calls]
        return [next(gids) if isinstance(spec, JobSpec) else spec for spec in specs]

    def _spec_or_error(self, params: Params) -> JobSpec | RpcError:
        try:
            return self._wanted(params)
        except Fault as fault:
            return RpcError(fault.detail)
        except RpcError as error:
            return error

    async def _add_or_error(self, params: Params) -> str | RpcError:
        try:
            return await self.add_uri(params)
        except Fault as fault:
            return RpcError(fault.detail)
        except RpcError as error:
            return error

    async def remove(self, params: Params) -> str:
        """Stop and forget a download; its files stay."""
        snapshot, gone = await self._downloads.find(params.text(0))
        job_id = snapshot.record.id
        if gone or snapshot.record.state in FINISHED:
            raise RpcError(f"Active Download not found for GID#{job_id}")
        await self._jobs.remove(job_id, delete_files=False)
        return job_id

    async def purge_results(self, _: Params) -> str:
        """Forget everything that is stopped."""
        self._downloads.forget_all()
        for job_id in await all_of(self._jobs, FINISHED):
            await self._jobs.remove(job_id, delete_files=False)
        return "OK"

    async def remove_result(self, params: Params) -> str:
        """Forget one that is stopped."""
        snapshot, gone = await self._downloads.find(params.text(0))
        job_id = snapshot.record.id
        if gone:
            self._downloads.forget(job_id)
        elif snapshot.record.state in FINISHED:
            await self._jobs.remove(job_id, delete_files=False)
        else:
            raise RpcError(f"Could not remove download result of GID#{job_id}")
        return "OK"

    # -- steering -----------------------------------------------------------------

    async def pause(self, params: Params) -> str:
        """Pause one."""
        snapshot, gone = await self._downloads.find(params.text(0))
        job_id = snapshot.record.id
        error = RpcError(f"GID#{job_id} cannot be paused now")
        if gone:
            raise error
        try:
            await self._jobs.pause(job_id)
        except StateForbids as forbidden:
            raise error from forbidden
        return job_id

    async def unpause(self, params: Params) -> str:
        """Queue one that is paused."""
        snapshot, gone = await self._downloads.find(params.text(0))
        job_id = snapshot.record.id
        error = RpcError(f"GID#{job_id} cannot be unpaused now")
        if gone:
            raise error
        try:
            await self._jobs.resume(job_id)
        except StateForbids as forbidden:
            raise error from forbidden
        return job_id

    async def pause_all(self, _: Params) -> str:
        """Pause whatever runs or waits; the waiting first, so that nothing moves up."""
        waiting = await all_of(self._jobs, WAITING_STATES - {JobState.PAUSED})
        running = await all_of(self._jobs, RUNNING)
        await _each([*waiting, *running], self._jobs.pause)
        return "OK"

    async def unpause_all(self, _: Params) -> str:
        """Queue whatever is paused."""
        paused = await all_of(self._jobs, frozenset({JobState.PAUSED}))
        await _each(paused, self._jobs.resume)
        return "OK"

    async def change_position(self, params: Params) -> int:
        """Move one in the queue; its new place."""
        gid, target, how = params.text(0), params.integer(1), params.text(2)
        if how not in ("POS_SET", "POS_CUR", "POS_END"):
            raise RpcError("Illegal argument.")
        snapshot, gone = await self._downloads.find(gid)
        if gone or snapshot.record.state not in WAITING_STATES:
            raise RpcError(f"GID#{snapshot.record.id} not found in the waiting queue.")
        return await place(self._jobs, snapshot, target, how)

    async def change_uri(self, params: Params) -> list[int]:
        """Take addresses away and put others in; how many of each."""
        snapshot, gone = await self._downloads.find(params.text(0))
        index, position = params.integer(1, 1), params.position(4)
        if gone or snapshot.record.state in FINISHED or index != 1:
            raise RpcError(f"Cannot remove URIs from GID#{snapshot.record.id}")
        urls = list(snapshot.record.spec.urls)
        deleted = [url for url in params.texts(2) if _taken_out(urls, url)]
        added = [url for url in params.texts(3) if _is_url(url) and url not in urls]
        at = len(urls) if position is None else position
        urls[at:at] = added
        if not urls:
            raise RpcError("A download needs an address.")
        await self._jobs.change(snapshot.record.id, JobChange(urls=tuple(urls)))
        return [len(deleted), len(added)]

    async def change_option(self, params: Params) -> str:
        """Change wishes, while it runs too."""
        snapshot, gone = await self._downloads.find(params.text(0))
        job_id = snapshot.record.id
        if gone or snapshot.record.state in FINISHED:
            raise RpcError(f"Cannot change option for GID#{job_id}")
        change = change_of(params.options(1), snapshot.record.spec, self._defaults)
        await self._jobs.change(job_id, change)
        return "OK"

    async def change_global_option(self, params: Params) -> str:
        """Change the limits; refuse what cannot be changed, and what never may be over RPC."""
        options = texts(params.options(0))
        for name in sorted(DANGEROUS & set(options)):
            raise refused(name, "it lets the daemon write files anywhere")
        present = global_options(self._defaults, self._jobs.limits)
        for name, value in options.items():
            if name not in LIVE and name in present and value != present[name]:
                raise refused(name, "it is set in the configuration")
        limits = limits_of(options, self._jobs.limits)
        if limits != self._jobs.limits:
            self._jobs.set_limits(limits)
        return "OK"

    # -- the daemon ---------------------------------------------------------------

    async def save_session(self, _: Params) -> str:
        """Nothing to do: every change is in the journal when it is answered."""
        return "OK"

    async def shut_down(self, _: Params) -> str:
        """Stop, once this is answered."""
        self._shutdown()
        return "OK"


async def _each(job_ids: Sequence[str], act: Callable[[str], Awaitable[JobSnapshot]]) -> None:
    """Do it to each; one that changed meanwhile is passed over."""
    for job_id in job_ids:
        try:
            await act(job_id)
        except StateForbids:
            continue


def _taken_out(urls: list[str], url: str) -> bool:
    if url not in urls:
        return False
    urls.remove(url)
    return True


def _is_url(text: str) -> bool:
    try:
        check_url(text)
    except ValueError:
        return False
    return len(text) <= 8000
