"""
The configuration as values: every key, its unit, its default.

The names are public (README, ``conf/rangedaemon.yaml``); the docstring below each
field becomes its description in the JSON Schema.  Everything is frozen, and an
unknown key is an error.  Only `rangedaemon.service` and `rangedaemon.tap` read this.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from rangedaemon.config.downloads import Downloads
from rangedaemon.config.endpoints import Endpoints, OwnEndpoints
from rangedaemon.config.hooks import Hook
from rangedaemon.config.jobs import AnyJob, Upload
from rangedaemon.config.logs import Log
from rangedaemon.config.pushes import Pushes
from rangedaemon.config.section import Section, defaults, empty_is_default
from rangedaemon.config.uploads import Uploads
from rangedaemon.config.values import (
    AbsolutePath,
    Count,
    Duration,
    FieldValue,
    Host,
    Origin,
    PositiveDuration,
    PositiveSize,
    Rate,
    Text,
    TokenDigest,
    UrlPrefix,
    Whole,
)


class Mount(Section):
    """A directory served below a URL prefix."""

    path: UrlPrefix
    """URL prefix."""
    root: AbsolutePath
    """Directory served; nothing outside of it ever is."""
    listing: bool = False
    """Whether directories have an index."""
    disposition: Literal["inline", "attachment"] = "inline"
    """Whether browsers show a file or save it."""
    cache_control: FieldValue | None = None
    """Cache-Control field of every file."""
    cors: tuple[Origin, ...] = ()
    """Origins whose pages may read the files; "*" for all."""
    hidden_files: bool = False
    """Whether names that begin with a dot are served."""
    follow_symlinks: bool = False
    """Whether symbolic links are followed; never outside root, whatever this says."""
    rate_limit: Rate | None = None
    """Octets per second and connection."""
    rate_limit_total: Rate | None = None
    """Octets per second over all connections; workers share it out evenly."""
    precompressed: bool = True
    """Whether NAME.zst, NAME.br and NAME.gz are sent for NAME to who likes them."""
    metalink: bool = True
    """Whether NAME.meta4 describes NAME by its hashes, and NAME's answers say so."""
    uploads: Uploads | None = None
    """What may be uploaded, and by whom; null: nothing by nobody."""


class Sample(Section):
    """A file of fixed content that the daemon makes at start where it is missing."""

    path: AbsolutePath
    """Where; below the root of a mount."""
    size: PositiveSize = 64 << 20
    """How many octets."""


class AccessLog(Section):
    """One line for each answer."""

    path: AbsolutePath
    """Appended to; opened anew for every batch of lines, so it may be moved away."""
    format: Literal["combined", "json"] = "combined"
    """As Apache and nginx write it, or one JSON object on each line."""


class Limits(Section):
    """What readers of files may take."""

    connections: Count | None = None
    """Connections at once; by default as many as there are open files for."""
    connections_per_address: Count | None = None
    """Connections of one address at once; each worker counts its own."""
    head_timeout: PositiveDuration = 30.0
    """Seconds for the whole head of a request."""
    idle_timeout: PositiveDuration = 60.0
    """Seconds without a request after which a connection is closed."""
    stall_timeout: PositiveDuration = 60.0
    """Seconds for which a reader may take nothing of its answer."""
    drain_timeout: Duration = 10.0
    """Seconds that answers under way have to end at a stop."""


class Server(Section):
    """Serving files; leave the section out to run as a pure downloader."""

    listen: Endpoints = ("tcp:8080:interface=127.0.0.1",)
    """Twisted server endpoint strings."""
    mounts: tuple[Mount, ...] = ()
    """The longest prefix that fits a request's path wins."""
    workers: Annotated[Whole, Field(ge=0, le=64)] = 0
    """Processes that serve the mounts, and carry uploads to the daemon's own; 0: that one does."""
    access_log: AccessLog | None = None
    """One line for each answer."""
    limits: Annotated[Limits, BeforeValidator(empty_is_default)] = defaults()
    """What readers may take."""
    sample: Sample | None = None
    """A file to try the daemon with."""


class Token(Section):
    """A token beside the one of token_file, which may do less; gone from here, it is void."""

    name: Text
    """Who has it; for the log and for messages."""
    scope: Literal["read", "add", "admin"] = "read"
    """read: look; add: add jobs too; admin: everything."""
    token_file: AbsolutePath | None = None
    """The file that holds it, made with mode 0600 where it is missing."""
    digest: TokenDigest | None = Field(None, repr=False)
    """sha-256=<hex> of the token, in place of a file."""

    @model_validator(mode="after")
    def _one_source(self) -> Token:
        if (self.token_file is None) == (self.digest is None):
            raise ValueError("needs either token_file or digest")
        return self


class Control(Section):
    """The control API, its web page and its metrics."""

    listen: OwnEndpoints = ("tcp:6880:interface=127.0.0.1",)
    """Twisted server endpoint strings; a Unix socket has mode 600 unless it says another."""
    allow_plain_remote: bool = False
    """Whether it may listen beyond loopback without TLS, where others can read the token."""
    token_file: AbsolutePath | None = None
    """Made with mode 0600 where it is missing; by default control.token in state_dir."""
    tokens: tuple[Token, ...] = ()
    """Further tokens, each with its scope."""
    allowed_hosts: tuple[Host, ...] = ("localhost", "127.0.0.1", "[::1]")
    """Hosts that a request may name, against DNS rebinding."""
    allowed_origins: tuple[Origin, ...] = ()
    """Origins of other pages that may steer the daemon with a token, such as an AriaNg."""
    notify_strangers: bool = False
    """Whether aria2 WebSocket clients that show no token are told of downloads (by GID)."""


class Config(Section):
    """A rangedaemon configuration."""

    state_dir: AbsolutePath = Path("var/state")
    """Journal, control token, partial uploads; $STATE_DIRECTORY under systemd."""
    server: Server | None = None
    """Serving files; leave it out to run as a pure downloader."""
    control: Annotated[Control, BeforeValidator(empty_is_default)] = defaults()
    """The control API."""
    downloads: Annotated[Downloads, BeforeValidator(empty_is_default)] = defaults()
    """How files are fetched."""
    log: Annotated[Log, BeforeValidator(empty_is_default)] = defaults()
    """The daemon's own log."""
    pushes: Annotated[Pushes, BeforeValidator(empty_is_default)] = defaults()
    """How files are pushed to other servers."""
    hooks: tuple[Hook, ...] = ()
    """What is called when something becomes of a job."""
    jobs: tuple[AnyJob, ...] = ()
    """Downloads, uploads and mirrors to add at start."""

    @model_validator(mode="after")
    def _pushed_from_where(self) -> Config:
        for job in self.jobs:
            if isinstance(job, Upload) and not self._is_open(job.file):
                raise ValueError(f"job {job.name}: its file is below none of pushes.directories")
        return self

    def _is_open(self, file: Path) -> bool:
        return any(file.is_relative_to(directory) for directory in self.push_directories)

    @property
    def push_directories(self) -> tuple[Path, ...]:
        """Where files may be pushed from."""
        if self.pushes.directories is None:
            return (self.downloads.directory,)
        return self.pushes.directories

    @property
    def token_file(self) -> Path:
        """Where the control token is."""
        return self.control.token_file or self.state_dir / "control.token"
