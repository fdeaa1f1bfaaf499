"""
aria2's methods over our jobs: what each takes, does and answers.

A coroutine per method, from `Params` to plain JSON; a fault of ours becomes code 1
with its sentence, as all failures inside of aria2's methods do.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from rangedaemon.control.aria2.downloads import WAITING_STATES, Downloads, all_of
from rangedaemon.control.aria2.envelope import RpcError
from rangedaemon.control.aria2.options import (
    DANGEROUS,
    Defaults,
    change_of,
    global_options,
    options_of,
    refused,
    spec_of,
    texts,
)
from rangedaemon.control.aria2.params import Params
from rangedaemon.control.aria2.queue import place
from rangedaemon.control.aria2.status import files_of, servers_of, status, uris_of
from rangedaemon.control.ports import Jobs
from rangedaemon.control.wishes import check_url
from rangedaemon.core.jobs import FINISHED, RUNNING, JobChange, JobSnapshot, JobState
from rangedaemon.errors import StateForbids

PROTOCOL_VERSION = "1.37.0"
"""The aria2 whose interface this is; clients compare it."""
FEATURES = ["Async DNS", "GZip", "HTTPS", "Message Digest"]

Method = Callable[[Params], Awaitable[Any]]


class Methods:
    """Every method but ``system.*``, by name."""

    def __init__(
        self,
        jobs: Jobs,
        downloads: Downloads,
        defaults: Defaults,
        *,
        session_id: str,
        shutdown: Callable[[], None],
        version: str,
    ) -> None:
        self._jobs = jobs
        self._downloads = downloads
        self._defaults = defaults
        self._session_id = session_id
        self._shutdown = shutdown
        self._version = version

    def table(self) -> Mapping[str, Method]:
        """The methods by their wire names."""
        short = {
            "addUri": self.add_uri,
            **dict.fromkeys(("remove", "forceRemove"), self.remove),
            **dict.fromkeys(("pause", "forcePause"), self.pause),
            **dict.fromkeys(("pauseAll", "forcePauseAll"), self.pause_all),
            "unpause": self.unpause,
            "unpauseAll": self.unpause_all,
            "tellStatus": self.tell_status,
            "getUris": self.get_uris,
            "getFiles": self.get_files,
            "getPeers": self.get_peers,
            "getServers": self.get_servers,
            "tellActive": self.tell_active,
            "tellWaiting": self.tell_waiting,
            "tellStopped": self.tell_stopped,
            "changePosition": self.change_position,
            "changeUri": self.change_uri,
            "getOption": self.get_option,
            "changeOption": self.change_option,
            "getGlobalOption": self.get_global_option,
            "changeGlobalOption": self.change_global_option,
            "getGlobalStat": self.get_global_stat,
            "purgeDownloadResult": self.purge_results,
            "removeDownloadResult": self.remove_result,
            "getVersion": self.get_version,
            "getSessionInfo": self.get_session_info,
            **dict.fromkeys(("shutdown", "forceShutdown"), self.shut_down),
            "saveSession": self.save_session,
        }
        return {f"aria2.{name}": method for name, method in short.items()}

    # -- adding and removing ------------------------------------------------------

    async def add_uri(self, params: Params) -> str:
        """The GID of a new download of one file from any of its addresses."""
        given = params.texts(0)
        options = params.options(1)
        position = params.position(2)
        if not given:
            raise RpcError("URI is not provided.")
        uris = [uri for uri in given if _is_url(uri)]
        if not uris:
            raise RpcError("No URI to download.")
        [added] = await self._jobs.add([spec_of(uris, options, self._defaults)])
        if position is not None:
            await place(self._jobs, added, position)
        return added.record.id

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
        await self._jobs.change(job_id, change_of(params.options(1)))
        return "OK"

    async def change_global_option(self, params: Params) -> str:
        """Refuse what cannot be changed, and what never may be over RPC."""
        options = texts(params.options(0))
        for name in sorted(DANGEROUS & set(options)):
            raise refused(name, "it lets the daemon write files anywhere")
        present = global_options(self._defaults)
        for name, value in options.items():
            if name in present and value != present[name]:
                raise refused(name, "it is set in the configuration")
        return "OK"

    # -- asking -------------------------------------------------------------------

    async def tell_status(self, params: Params) -> dict[str, Any]:
        """One status struct."""
        snapshot, gone = await self._downloads.find(params.text(0))
        return status(snapshot, params.keys(1), removed=gone)

    async def tell_active(self, params: Params) -> list[dict[str, Any]]:
        """Whatever runs."""
        keys = params.keys(0)
        running = (each for each in self._jobs.running_now() if each.record.state in RUNNING)
        return [status(snapshot, keys) for snapshot in running]

    async def tell_waiting(self, params: Params) -> list[dict[str, Any]]:
        """A stretch of the queue."""
        offset, number, keys = params.integer(0), params.integer(1, 0), params.keys(2)
        found = await self._downloads.waiting(offset, number)
        return [status(snapshot, keys) for snapshot in found]

    async def tell_stopped(self, params: Params) -> list[dict[str, Any]]:
        """A stretch of what is stopped."""
        offset, number, keys = params.integer(0), params.integer(1, 0), params.keys(2)
        found = await self._downloads.stopped(offset, number)
        return [status(snapshot, keys, removed=gone) for snapshot, gone in found]

    async def get_uris(self, params: Params) -> list[dict[str, str]]:
        """The addresses of one that is not stopped."""
        return uris_of(await self._not_stopped(params.text(0)))

    async def get_files(self, params: Params) -> list[dict[str, Any]]:
        """The one file."""
        snapshot, _ = await self._downloads.find(params.text(0))
        return files_of(snapshot)

    async def get_peers(self, params: Params) -> list[Any]:
        """Nobody: that is BitTorrent's."""
        await self._not_stopped(params.text(0))
        return []

    async def get_servers(self, params: Params) -> list[dict[str, Any]]:
        """Who is asked at this moment."""
        snapshot, gone = await self._downloads.find(params.text(0))
        job_id = snapshot.record.id
        if gone or snapshot.record.state not in RUNNING:
            raise RpcError(f"No active download for GID#{job_id}")
        return servers_of(await self._jobs.segments(job_id), snapshot.live.rate)

    async def get_option(self, params: Params) -> dict[str, Any]:
        """What was asked for."""
        snapshot, _ = await self._downloads.find(params.text(0))
        return options_of(snapshot.record.spec)

    async def get_global_option(self, _: Params) -> dict[str, str]:
        """What the daemon is configured with."""
        return global_options(self._defaults)

    async def get_global_stat(self, _: Params) -> dict[str, str]:
        """Counts and rates."""
        totals = await self._jobs.totals()
        counts = totals.counts
        stopped = sum(counts.get(state, 0) for state in FINISHED) + self._downloads.remembered
        return {
            "downloadSpeed": str(round(totals.rate_in)),
            "uploadSpeed": "0",
            "numActive": str(sum(counts.get(state, 0) for state in RUNNING)),
            "numWaiting": str(sum(counts.get(state, 0) for state in WAITING_STATES)),
            "numStopped": str(stopped),
            "numStoppedTotal": str(stopped),
        }

    async def get_version(self, _: Params) -> dict[str, Any]:
        """Whose interface this is, and what is behind it."""
        features = {"version": PROTOCOL_VERSION, "enabledFeatures": FEATURES}
        return {**features, "rangedaemon": self._version}

    async def get_session_info(self, _: Params) -> dict[str, str]:
        """What tells this run from another."""
        return {"sessionId": self._session_id}

    async def save_session(self, _: Params) -> str:
        """Nothing to do: every change is in the journal when it is answered."""
        return "OK"

    async def shut_down(self, _: Params) -> str:
        """Stop, once this is answered."""
        self._shutdown()
        return "OK"

    async def _not_stopped(self, gid: str) -> JobSnapshot:
        snapshot, gone = await self._downloads.find(gid)
        if gone or snapshot.record.state in FINISHED:
            raise RpcError(f"No data is available for GID#{snapshot.record.id}")
        return snapshot


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
