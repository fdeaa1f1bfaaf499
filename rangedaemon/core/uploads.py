"""
Uploads as values: who asks for which one, what is wished of it, what has come of it.

The words are those of all protocols together: tus 1.0.0, the IETF draft "Resumable
Uploads for HTTP", the segmented form of the nginx upload module, and PUT with
Content-Range.  Pure; the rules of what may be done stand in
`rangedaemon.core.uploadrules`, what is on the disk in `rangedaemon.storage.uploads`.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from rangedaemon.core.intervals import EMPTY, ByteRange, IntervalSet


class UploadProtocol(StrEnum):
    """How octets arrive; it also says who makes up the ids, and in which order octets come."""

    SEGMENTED = "segmented"
    """Ids by the client, segments in any order and in parallel."""
    TUS = "tus"
    """Ids by us, octets in order."""
    IETF = "ietf"
    """Ids by us, octets in order."""
    PUT = "put"
    """The id is the target's path, octets in order."""

    @property
    def ids_by_client(self) -> bool:
        """Whether clients make up the ids: they are theirs alone then, and may be reused."""
        return self in (UploadProtocol.SEGMENTED, UploadProtocol.PUT)

    @property
    def in_order(self) -> bool:
        """Whether a run has to begin where the octets end that are there."""
        return self is not UploadProtocol.SEGMENTED


_OWN_ID = re.compile(r"[0-9a-f]{32}")
LONGEST_ID = 4096
"""Characters of an id that a client makes up."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Where and by whom an upload is asked for; one of another scope is not there."""

    mount: str
    """The mount's URL prefix."""
    protocol: UploadProtocol
    owner: str | None = None
    """The name of the token or user; None: anonymous."""

    def key_of(self, upload_id: str) -> str | None:
        """What the upload is kept under; None where *upload_id* can be none.

        An id by the client is mixed with the scope, so that nobody meets another's.
        """
        if not self.protocol.ids_by_client:
            return upload_id if _OWN_ID.fullmatch(upload_id) else None
        if not 0 < len(upload_id) <= LONGEST_ID:
            return None
        told = json.dumps([self.mount, self.protocol, self.owner, upload_id])
        return "c-" + hashlib.sha256(told.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Wish:
    """What the one who creates an upload says of it."""

    name: str
    """The final file's name as the client has it; it is made safe, or refused."""
    id: str | None = None
    """By the client where its protocol says so (`UploadProtocol.ids_by_client`), else None."""
    directory: tuple[str, ...] = ()
    """Decoded path segments from the mount's root to the final file's directory."""
    length: int | None = None
    """Octets; None: told later, once."""
    media_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    """Anything the protocol has to tell again; kept as it is."""
    partial: bool = False
    """Whether it will only ever be joined with others (tus concatenation): never published."""
    digest: str | None = None
    """``algorithm=hex`` of the whole, checked before it is published."""
    replace: bool = False
    """Whether a finished or gone upload of that id (by the client) makes way for this one."""


class UploadState(StrEnum):
    """How far it is; what comes behind the first only `UploadStore.finish` brings about."""

    OPEN = "open"
    """Takes octets, or is whole and waits for being finished."""
    PUBLISHING = "publishing"
    """Whole and checked; on its way to its final name."""
    FINISHED = "finished"
    """The file is under its final name."""
    KEPT = "kept"
    """Finished long ago: not found any more, counted as long as its file is there."""
    GONE = "gone"
    """Expired, terminated, or not what was promised; remembered for a while."""


@dataclass(frozen=True, slots=True)
class Upload:
    """An upload at one moment: what is said here is on the disk and stays there."""

    key: str
    id: str
    """As the client knows it."""
    scope: Scope
    name: str
    """Made safe; the published file's may have a number in it, see `path`."""
    file: str
    """What its octets' file in the state directory is called; no client ever sees that."""
    created: float
    """Seconds since the epoch."""
    expires: float
    """Seconds since the epoch; each run that is committed moves it."""
    directory: tuple[str, ...] = ()
    length: int | None = None
    arrived: IntervalSet = EMPTY
    """Octets that are synced and committed."""
    reserved: int = 0
    """Octets that count against quotas: declared, or else arrived or announced."""
    media_type: str | None = None
    metadata: Mapping[str, str] = field(default_factory=dict)
    partial: bool = False
    parts: tuple[str, ...] | None = None
    """The ids it is joined from (tus): it takes no octets itself."""
    digest: str | None = None
    state: UploadState = UploadState.OPEN
    path: Path | None = None
    """The published file; None before."""

    @property
    def offset(self) -> int:
        """The end of the first contiguous run: where octets in order go on."""
        return self.arrived.reach(0)

    @property
    def whole(self) -> bool:
        """Whether the length is known and every octet is there, finished or not."""
        return self.length is not None and self.arrived.covers(ByteRange(0, self.length))

    @property
    def finished(self) -> bool:
        """Whether the file is under its final name."""
        return self.state is UploadState.FINISHED
