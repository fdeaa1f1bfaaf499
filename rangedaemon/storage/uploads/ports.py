"""
What the protocols need of the upload store, as interfaces; `store.Uploads` fulfils them.

The store keeps the octets and the account of them; the adapter speaks the protocol: it
checks fields, finds out who asks (`Scope`), and maps faults to its answers.

The story of one request::

    upload = await store.find(scope, upload_id)       # or create(scope, wish)
    writer = await store.write(upload, offset, ends)  # UploadBusy, OffsetMismatch, ...
    writer.push(block)                                # for each block; pause while writer.full
    upload = await writer.commit()                    # or abandon() when the connection is lost
    if upload.whole:
        upload = await store.finish(upload)

Every method is called, and every callback comes, in the reactor thread.  Any method may
raise a `StorageFault` (`NoSpace` with 507 where the disk is full) beside the faults it
names; the upload stays resumable from what was acknowledged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from rangedaemon.core.uploads import Scope, Upload, Wish
from rangedaemon.errors import Fault


def _nothing(_told: object = None) -> None:
    """Who listens to nothing."""


@dataclass(frozen=True, slots=True)
class Ears:
    """What a writer tells the one who pushes, each in the reactor thread."""

    on_drained: Callable[[], None] = _nothing
    """The writer was full and is not any more: go on reading."""
    on_end: Callable[[Fault], None] = _nothing
    """Once, where the writer ends before its time: `Preempted`, `TooLong`, `NoSpace`,
    `UploadGone` (terminated), ...; `commit` raises the same.  Stop reading and answer.
    It may come before `UploadStore.write` has answered."""
    on_committed: Callable[[int], None] = _nothing
    """After a checkpoint: the offset up to which the upload is safe without a hole (for
    interim answers)."""


DEAF = Ears()


class Writer(Protocol):
    """
    One run of octets on its way to one upload.

    It ends with `commit` or `abandon`; one of them has to be called, whatever happens.
    """

    @property
    def offset(self) -> int:
        """Where the next octet that is pushed goes."""

    @property
    def full(self) -> bool:
        """Whether so much waits in memory that nothing more should be read for now."""

    def push(self, block: bytes) -> None:
        """Take the next octets; never waits, never raises.

        Octets that are there already (a segment that is sent again) are passed over.
        After the end (`Ears.on_end`) they are dropped.
        """

    async def commit(self) -> Upload:
        """End the run; when this returns, every octet of it is synced and committed.

        :raises Fault: what ended the writer before; octets that came until then are kept.
        :raises DigestMismatch: the run is not what its digest says; all of it is dropped.
        """

    async def abandon(self) -> Upload:
        """The connection was lost: end the run, keep what came.

        A run with a digest is dropped, as nobody can judge a part of it.
        """


class UploadStore(Protocol):
    """The uploads of one state directory."""

    async def create(self, scope: Scope, wish: Wish) -> Upload:
        """A new upload; its id is in the answer.

        :raises NameRefused: the name or directory is not allowed here.
        :raises TooLong: the length is above what the mount takes.
        :raises QuotaExceeded, TooManyUploads: no more for this mount or owner.
        :raises NoSpace: the disk has no room for the length.
        :raises UploadBusy: the id (by the client) is in use.
        :raises UnknownUpload: the mount takes no uploads, or the id can be none.
        :raises UnknownAlgorithm: the digest is of a kind that we cannot make.
        """

    async def find(self, scope: Scope, upload_id: str, *, preempt: bool = False) -> Upload:
        """The upload as it is on the disk.

        :param preempt: end a request that writes to it now, keeping what it brought, so
            that the offset told stays true until the next write (HEAD of tus and IETF).
        :raises UnknownUpload: there is none of that id in that scope.
        :raises UploadGone: there was one.
        """

    async def set_length(self, upload: Upload, length: int) -> Upload:
        """Tell the length that was deferred; the same one again changes nothing.

        Where it was not known, a request that writes now is ended (`Preempted`): call this
        before `write`, or after `Writer.commit`.

        :raises LengthMismatch: another one is known, or more octets are there.
        :raises TooLong, QuotaExceeded, NoSpace: as for `create`.
        :raises AlreadyFinished: it is finished with another length.
        :raises UnknownUpload, UploadGone: it went meanwhile.
        """

    async def write(
        self,
        upload: Upload,
        offset: int,
        ears: Ears = DEAF,
        *,
        count: int | None = None,
        digest: str | None = None,
    ) -> Writer:
        """A writer for a run of octets from *offset* on.

        Of an upload in order there is one writer: a newer request ends the older one
        (`Preempted`), whose octets are written and committed before this one begins, so
        that *offset* is compared with what is true then.  Segments may be written in
        parallel where they do not touch each other's octets.

        :param count: octets of the run, where the request says so: more are refused, and
            quotas are asked for all of them at once; None: they may go on to the length.
        :param digest: ``algorithm=hex`` of the run (sha-1, sha-256, sha-512, md5): its
            octets count only when they are judged.
        :raises OffsetMismatch: octets in order go on elsewhere.
        :raises UploadBusy: a segment under way has some of these octets.
        :raises TooLong: the run ends behind the length or behind what the mount takes.
        :raises TooManyUploads: too many requests write to this mount.
        :raises TooManyPieces: the octets would lie in too many places.
        :raises QuotaExceeded: no more for this mount or owner.
        :raises AlreadyFinished: it takes no octets any more.
        :raises NotAPart: it is joined from others, and takes no octets.
        :raises UnknownAlgorithm: the digest is of a kind that we cannot make.
        :raises UnknownUpload, UploadGone: it went meanwhile.
        """

    async def finish(self, upload: Upload) -> Upload:
        """Check the whole against its digest and give it its final name.

        Where it is finished already this changes nothing.  A `partial` one has no final
        name, and is only looked at.

        :raises NotWhole: octets are missing, or the length is not known.
        :raises DigestMismatch: it is not what was promised, and is gone now.
        :raises NameTaken: the mount refuses names that are taken.
        :raises NameRefused: its directory is not there, or leads outside.
        :raises UnknownUpload, UploadGone: it went meanwhile.
        """

    async def concatenate(self, scope: Scope, wish: Wish, part_ids: Sequence[str]) -> Upload:
        """A new upload of the octets of others, one behind the other; not yet finished.

        The parts stay as they are, and expire an hour after the whole is published.

        :raises NotAPart: one of them was not created as `partial`.
        :raises NotWhole: one of them is not whole.
        :raises UnknownUpload, UploadGone: one of them is not there.
        :raises Fault: as for `create`.
        """

    async def terminate(self, upload: Upload) -> None:
        """Forget it and its octets, ending whoever writes to it; a finished file stays.

        :raises UnknownUpload, UploadGone: it went already.
        """

    async def sweep(self) -> bool:
        """Remove some of what has expired; whether there may be more at once.

        Whoever has the store calls this now and then; each call is short.
        """

    async def close(self) -> None:
        """End all writers, keeping what they brought; nothing may be asked after this."""
