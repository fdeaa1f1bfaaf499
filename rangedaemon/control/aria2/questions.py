"""aria2's methods that only ask: lists, structs, counts, options."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rangedaemon.control.aria2.downloads import MAX_LISTED, WAITING_STATES, Downloads
from rangedaemon.control.aria2.envelope import RpcError
from rangedaemon.control.aria2.methods import Method
from rangedaemon.control.aria2.options import Defaults, global_options, options_of
from rangedaemon.control.aria2.params import Params
from rangedaemon.control.aria2.status import files_of, servers_of, status, uris_of
from rangedaemon.control.ports import Jobs
from rangedaemon.core.jobs import FINISHED, RUNNING, JobSnapshot

PROTOCOL_VERSION = "1.37.0"
"""The aria2 whose interface this is; clients compare it."""
FEATURES = ["Async DNS", "GZip", "HTTPS", "Message Digest", "Metalink"]


class Questions:
    """The methods that change nothing."""

    def __init__(
        self,
        jobs: Jobs,
        downloads: Downloads,
        defaults: Defaults,
        *,
        session_id: str,
        version: str,
    ) -> None:
        self._jobs = jobs
        self._downloads = downloads
        self._defaults = defaults
        self._session_id = session_id
        self._version = version

    def table(self) -> Mapping[str, Method]:
        """The methods by their wire names."""
        return {
            "aria2.tellStatus": self.tell_status,
            "aria2.tellActive": self.tell_active,
            "aria2.tellWaiting": self.tell_waiting,
            "aria2.tellStopped": self.tell_stopped,
            "aria2.getUris": self.get_uris,
            "aria2.getFiles": self.get_files,
            "aria2.getPeers": self.get_peers,
            "aria2.getServers": self.get_servers,
            "aria2.getOption": self.get_option,
            "aria2.getGlobalOption": self.get_global_option,
            "aria2.getGlobalStat": self.get_global_stat,
            "aria2.getVersion": self.get_version,
            "aria2.getSessionInfo": self.get_session_info,
        }

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
        """What the daemon is configured with, and what was changed since."""
        return global_options(self._defaults, self._jobs.limits)

    async def get_global_stat(self, _: Params) -> dict[str, str]:
        """Counts and rates."""
        totals = await self._jobs.totals()
        counts = totals.counts
        stopped = sum(counts.get(state, 0) for state in FINISHED) + self._downloads.remembered
        return {
            "downloadSpeed": str(round(totals.rate_in)),
            "uploadSpeed": str(round(totals.rate_out)),
            "numActive": str(sum(counts.get(state, 0) for state in RUNNING)),
            "numWaiting": str(sum(counts.get(state, 0) for state in WAITING_STATES)),
            "numStopped": str(min(stopped, MAX_LISTED)),
            "numStoppedTotal": str(stopped),
        }

    async def get_version(self, _: Params) -> dict[str, Any]:
        """Whose interface this is, and what is behind it."""
        features = {"version": PROTOCOL_VERSION, "enabledFeatures": FEATURES}
        return {**features, "rangedaemon": self._version}

    async def get_session_info(self, _: Params) -> dict[str, str]:
        """What tells this run from another."""
        return {"sessionId": self._session_id}

    async def _not_stopped(self, gid: str) -> JobSnapshot:
        snapshot, gone = await self._downloads.find(gid)
        if gone or snapshot.record.state in FINISHED:
            raise RpcError(f"No data is available for GID#{snapshot.record.id}")
        return snapshot
