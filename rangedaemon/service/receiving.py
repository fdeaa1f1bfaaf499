"""The uploads of all mounts: their store, their receivers, what is done when one is whole."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.task import LoopingCall
from twisted.logger import Logger

from rangedaemon.config import Mount, Server, Uploads
from rangedaemon.core.uploads import Upload, UploadProtocol
from rangedaemon.errors import BadConfiguration, Complaint
from rangedaemon.server.uploads.access import Admission, Gate
from rangedaemon.server.uploads.arriving import Arriving
from rangedaemon.server.uploads.receiver import Receiver
from rangedaemon.server.uploads.rules import Rules
from rangedaemon.service.commands import Command, Commands
from rangedaemon.storage.ports import Transactions
from rangedaemon.storage.threads import InThread
from rangedaemon.storage.uploads.mounts import UploadMount
from rangedaemon.storage.uploads.store import open_upload_store

SWEEP_INTERVAL = 60.0
_PATIENCE = 10.0
"""Seconds that commands have to end at a stop."""


class Receiving:
    """Takes the uploads of *server*'s mounts."""

    _log = Logger()

    def __init__(
        self,
        server: Server,
        reactor: Any,
        in_thread: InThread,
        *,
        in_lane: InThread,
        state_dir: Path,
        journal: Transactions,
    ) -> None:
        """:raises StorageFault: a file of credentials cannot be used."""
        self._reactor = reactor
        self._in_thread = in_thread
        self._commands = Commands(reactor)
        self.finished = 0
        """Uploads that became files."""
        self._sweeps = LoopingCall(lambda: ensureDeferred(self._sweep()))
        self._sweeps.clock = reactor
        taking = [(mount, mount.uploads) for mount in server.mounts if mount.uploads is not None]
        self._hooks = {mount.path: uploads.hooks.on_receive for mount, uploads in taking}
        self._store = open_upload_store(
            state_dir,
            [_upload_mount(mount, uploads) for mount, uploads in taking],
            journal=journal,
            in_thread=in_thread,
            in_lane=in_lane,
            clock=reactor,
            on_published=self._received,
        )
        self.receivers: Mapping[str, Receiver] = {
            mount.path: self._receiver(mount, uploads) for mount, uploads in taking
        }

    def _receiver(self, mount: Mount, uploads: Uploads) -> Receiver:
        admission = Admission(uploads.anonymous, uploads.tokens_file, uploads.htpasswd_file)
        gate = Gate(admission, self._reactor, self._in_thread)
        gate.check_files()
        return Receiver(
            mount.path,
            map(UploadProtocol, uploads.protocols),
            self._store,
            _rules(uploads),
            gate,
            Arriving(self._reactor),
        )

    def begin(self) -> None:
        """Finish what a kill has left, and have what expires removed from now on."""
        self._sweeps.start(SWEEP_INTERVAL)

    async def _sweep(self) -> None:
        try:
            while await self._store.sweep():
                pass
        except Exception:  # noqa: BLE001 - the next sweep is due whatever this one met
            self._log.failure("expired uploads could not be removed")

    async def close(self) -> None:
        """End all that is under way, keeping what came."""
        if self._sweeps.running:
            self._sweeps.stop()
        await self._store.close()
        ended: Deferred[None] = self._commands.close()
        ended.addTimeout(_PATIENCE, self._reactor)
        try:
            await ended
        except DeferredTimeout:
            self._commands.kill()

    def _received(self, upload: Upload) -> None:
        self.finished += 1
        self._log.info(
            "received {path}: {length} octets by {protocol} from {owner}",
            path=upload.path,
            length=upload.length,
            protocol=upload.scope.protocol.value,
            owner=upload.scope.owner or "anybody",
        )
        command = self._hooks.get(upload.scope.mount)
        if command is not None:
            self._commands.run(Command(command, told_of(upload)))


def told_of(upload: Upload) -> dict[str, str]:
    """What a command finds in its environment."""
    return {
        "RANGEDAEMON_PATH": str(upload.path),
        "RANGEDAEMON_NAME": upload.name if upload.path is None else upload.path.name,
        "RANGEDAEMON_SIZE": str(upload.length),
        "RANGEDAEMON_TYPE": _plain(upload.media_type),
        "RANGEDAEMON_MOUNT": upload.scope.mount,
        "RANGEDAEMON_PROTOCOL": upload.scope.protocol.value,
        "RANGEDAEMON_OWNER": upload.scope.owner or "",
    }


def _plain(text: str | None) -> str:
    """Text of a peer without what an environment cannot hold."""
    return (text or "").replace("\0", "")


def _upload_mount(mount: Mount, uploads: Uploads) -> UploadMount:
    return UploadMount(
        path=mount.path,
        root=mount.root,
        on_conflict=uploads.on_conflict,
        hidden_files=mount.hidden_files,
        max_size=uploads.max_size,
        expire=uploads.expire,
        quota=uploads.quota,
        quota_per_owner=uploads.token_quota,
        max_unfinished=uploads.max_unfinished,
        max_parallel=uploads.max_parallel,
    )


def _rules(uploads: Uploads) -> Rules:
    return Rules(
        directory=tuple(uploads.directory.split("/")) if uploads.directory else (),
        names=uploads.names,
        types=uploads.types,
        max_size=uploads.max_size,
        expire=uploads.expire,
    )


_FIXED_UPLOADS = (
    "which mounts take uploads, and how, cannot change while the daemon runs: "
    "put back what was there, or restart the daemon"
)


def taking(server: Server | None) -> list[tuple[object, ...]]:
    """The mounts that take uploads, and how they do."""
    mounts = server.mounts if server is not None else ()
    return [
        (mount.path, mount.root, mount.hidden_files, mount.uploads)
        for mount in mounts
        if mount.uploads is not None
    ]


def refuse_other_uploads(before: Server | None, after: Server | None) -> None:
    """:raises BadConfiguration: other mounts would take uploads, or would do it otherwise."""
    if taking(after) != taking(before):
        raise BadConfiguration([Complaint("server.mounts", _FIXED_UPLOADS)])
