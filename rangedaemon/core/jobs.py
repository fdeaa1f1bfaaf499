"""
What a job is: the values that runner, journal and control pass to each other.

A job is what the operator asked for (`JobSpec`) and what became of it
(`JobRecord`); `Live` is what only a running job knows.  All frozen; a change is a
new value (`dataclasses.replace`).  Field names follow the public job object.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple

from rangedaemon.core.intervals import EMPTY, IntervalSet
from rangedaemon.core.mirrors import Mirrored, MirrorSpec
from rangedaemon.core.pieces import Pieces
from rangedaemon.core.push.values import Pushed, PushSpec
from rangedaemon.core.repeats import Repeat
from rangedaemon.core.timetable import Rate

ACTIVE = frozenset({"sha-256", "sha-512"})
"""The algorithms that RFC 9530 calls active: good against more than accidents."""


class JobState(StrEnum):
    """The states of a job's life; the moves between them are in `core.transfer`."""

    QUEUED = "queued"
    PROBING = "probing"
    ACTIVE = "active"
    WAITING = "waiting"
    PAUSED = "paused"
    VERIFYING = "verifying"
    COMPLETE = "complete"
    FAILED = "failed"


RUNNING = frozenset({JobState.PROBING, JobState.ACTIVE, JobState.VERIFYING})
"""States in which a job holds a slot of ``max_active``."""

FINISHED = frozenset({JobState.COMPLETE, JobState.FAILED})


class OnConflict(StrEnum):
    """What to do where the final name is taken already."""

    RENAME = "rename"
    OVERWRITE = "overwrite"
    FAIL = "fail"


class OnChange(StrEnum):
    """What to do where the representation changed under a part file."""

    RESTART = "restart"
    KEEP_OLD = "keep-old"
    FAIL = "fail"


class Verified(StrEnum):
    """By what a finished file was checked, strongest first."""

    CHECKSUM = "checksum"
    REPR_DIGEST = "repr-digest"
    PIECES = "pieces"
    LENGTH = "length"


class Login(NamedTuple):
    """Credentials for one origin, and for no other."""

    origin: str
    """``scheme://host:port``, lower case."""
    user: str
    password: str

    def __repr__(self) -> str:
        return f"Login({self.origin!r}, ...)"


@dataclass(frozen=True, slots=True)
class JobSpec:
    """What was asked for."""

    urls: tuple[str, ...]
    """One or more addresses of one file, the first preferred; http or https."""
    directory: str
    """Absolute path of the directory that the file goes to."""
    name: str | None = None
    filename: str | None = None
    """The final name asked for; None: from Content-Disposition or the URL."""
    checksum: str | None = None
    """``algorithm=hex``, lower case; or the address of a list that has it."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Extra request fields; may hold secrets, so never shown."""
    logins: tuple[Login, ...] = ()
    """What the job may say to whom who it is; never shown."""
    guarded: bool = True
    """Whether it may only ask addresses that the operator opened to strangers."""
    segments: int = 8
    priority: int = 0
    """Higher runs first."""
    rate_limit: int | None = None
    """Octets per second, None: no limit of its own."""
    lowest_speed: int | None = None
    """Octets per second below which it is too slow; 0: it never is. None: as for all jobs."""
    on_conflict: OnConflict = OnConflict.RENAME
    on_change: OnChange = OnChange.RESTART
    paused: bool = False
    start_at: str | None = None
    """The earliest start (`core.calendar.check_start`); it is over once the job was begun."""
    window: str | None = None
    """The hours in which it may run (`core.calendar.check_window`)."""
    repeat: Repeat | None = None
    """When it runs again after its end."""
    versions: int = 0
    """How many former files stay beside the one that replaces them."""
    declared: Mapping[str, Any] | None = field(default=None, repr=False)
    """What the configuration said of it last (`core.declared.wishes_of`)."""
    replaces: str | None = None
    """What a former run called its file, which this one replaces."""
    kind: str = "download"
    source: str = "api"
    """``api`` or ``config``: who declared the job."""
    size: int | None = None
    """Octets that the file must have, where a metalink told."""
    pieces: Pieces | None = None
    """What each piece hashes to, where a metalink told."""
    sums: str | None = None
    """The ``checksum`` that was asked for, where it was the address of a list."""
    id: str | None = None
    """The id that was asked for, 16 lower-case hex digits; None: a fresh one."""
    metalink: str | None = None
    """The address of the metalink that was followed."""
    described: Mapping[str, Any] | None = field(default=None, repr=False)
    """``urls``, ``checksum`` and ``headers`` as asked for, where the metalink was asked for itself:
    at its next turn the job reads it again."""
    unlinked: Mapping[str, Any] | None = field(default=None, repr=False)
    """``urls`` and ``checksum`` as asked for, where a description that the origin of the present
    representation links to has changed them; another representation has another one."""
    push: PushSpec | None = None
    """For an upload, and only there: ``directory`` and ``filename`` are the local file's,
    the one of ``urls`` is where uploads are begun."""
    mirror: MirrorSpec | None = None
    """For a mirror, and only there: the one of ``urls`` is the folder's, ``directory`` is where
    its files go."""
    parent: str | None = None
    """The id of the mirror whose file it fetches."""

    @property
    def on_taken(self) -> OnConflict:
        """What to do where the final name is taken: what is our own may be replaced."""
        return self.on_conflict if self.replaces is None else OnConflict.OVERWRITE

    @property
    def is_upload(self) -> bool:
        """Whether octets leave by this job."""
        return self.push is not None


@dataclass(frozen=True, slots=True)
class JobError:
    """Why a job failed or waits: a stable word, a sentence, the address it was about."""

    code: str
    message: str
    url: str | None = None


@dataclass(frozen=True, slots=True)
class Remembered:
    """
    What an origin said of the representation that a part file holds a part of.

    ``etag`` and ``last_modified`` and ``date`` are the raw field texts.
    """

    etag: str | None = None
    last_modified: str | None = None
    date: str | None = None
    length: int | None = None
    url: str | None = None
    """The final address, after redirects, that the answer came from."""
    asked: str | None = None
    """The address that was asked: mirrors have validators of their own."""
    digest: str | None = None
    """What was promised of the whole representation, ``algorithm=hex``."""


@dataclass(frozen=True, slots=True)
class JobRecord:
    """One row of the journal: the whole truth about a job that survives a kill."""

    id: str
    """16 lower-case hex digits."""
    spec: JobSpec
    state: JobState
    created: float
    """Seconds since the epoch, as are the other times."""
    seq: int = 0
    """Order of arrival, given by the journal at `add`; newest has the highest."""
    started: float | None = None
    finished: float | None = None
    attempts: int = 0
    """Tries since the last octet that was won; what the retry policy counts."""
    retry_at: float | None = None
    error: JobError | None = None
    filename: str | None = None
    """The final name once it is settled; the part file is ``<filename>.part``."""
    remembered: Remembered = Remembered()
    accepts_ranges: bool | None = None
    covered: IntervalSet = EMPTY
    """Octets that were synced to the part file before they were claimed here; of an upload:
    that the server has acknowledged."""
    refetched: int = 0
    changes: int = 0
    """How often the representation changed under us."""
    verified: Verified | None = None
    digest: str | None = None
    """The digest that was checked at the end, ``algorithm=hex``."""
    pushed: Pushed | None = None
    """What an upload must not forget."""
    mirrored: Mirrored | None = None
    """What became of a mirror's latest round."""

    @property
    def was_complete(self) -> bool:
        """Whether an earlier run of it came to its end: its file, or its round, was whole."""
        rounds = self.mirrored
        return self.verified is not None or (rounds is not None and rounds.ended is not None)

    @property
    def vouched(self) -> bool:
        """Whether a digest will prove the whole, so that segments need no validator."""
        promised = (self.remembered.digest or "").partition("=")[0]
        return self.spec.checksum is not None or promised in ACTIVE

    @property
    def size(self) -> int | None:
        """Complete length in octets, None until an origin told it."""
        return self.remembered.length


@dataclass(frozen=True, slots=True)
class Live:
    """What only a running job knows; all zero for the others."""

    received: int | None = None
    """Octets written to the part file by now; None: what the record says."""
    rate: float = 0.0
    """Octets per second over the last seconds."""
    connections: int = 0


@dataclass(frozen=True, slots=True)
class JobSnapshot:
    """A job as it is at one moment: its record and, where it runs, its live part."""

    record: JobRecord
    live: Live = Live()


@dataclass(frozen=True, slots=True)
class SegmentSnapshot:
    """One segment of a job: octets ``[start, end)``, how many of them are there."""

    start: int
    end: int
    received: int
    state: str
    """``done``, ``active`` or ``missing``."""
    url: str | None = None


@dataclass(frozen=True, slots=True)
class JobChange:
    """A change to a job's wishes; None leaves a field as it is."""

    priority: int | None = None
    segments: int | None = None
    rate_limit: int | None = None
    set_rate_limit: bool = False
    """Whether ``rate_limit`` is meant (None is a meaning: no limit)."""
    lowest_speed: int | None = None
    urls: tuple[str, ...] | None = None
    """Other addresses; a running job takes them at its next start."""
    directory: str | None = None
    """Absolute; like ``filename`` only where no octet has come yet."""
    filename: str | None = None
    headers: Mapping[str, str] | None = field(default=None, repr=False)
    """Other request fields, in place of all that there were."""
    login: tuple[str, str] | None = field(default=None, repr=False)
    """Another user and password for the origin of the first address."""
    calendar: Mapping[str, Any] = field(default_factory=dict)
    """Of ``start_at``, ``window``, ``repeat`` and ``versions`` those that shall be others."""
    mirror: Mapping[str, Any] = field(default_factory=dict)
    """Of a `MirrorSpec` those fields that shall be others, from the next round on."""

    @property
    def moves(self) -> bool:
        """Whether the file shall have another place."""
        return self.directory is not None or self.filename is not None


@dataclass(frozen=True, slots=True)
class Limits:
    """What all jobs together may take."""

    max_active: int
    """Jobs that run at once."""
    rate_limit: Rate
    """Octets per second over all jobs."""
    rate_limit_per_host: Rate = None
    """Octets per second from each host."""
    connections_per_host: int = 8
    rate_now: int | None = field(default=None, compare=False)
    """What ``rate_limit`` is at this moment; told, and never taken."""


@dataclass(frozen=True, slots=True)
class JobPage:
    """A page of a listing, newest first, and where the next one starts."""

    jobs: tuple[JobSnapshot, ...]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class JobEvent:
    """Something happened to a job: ``job`` (its new snapshot), ``changed`` or ``removed``."""

    kind: str
    snapshot: JobSnapshot


@dataclass(frozen=True, slots=True)
class Totals:
    """The jobs of the daemon at one moment."""

    counts: Mapping[JobState, int]
    rate_in: float
    """Octets per second received from origins."""
    rate_out: float = 0.0
    """Octets per second pushed to other servers."""
