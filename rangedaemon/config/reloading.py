"""
The configuration of a daemon that runs: what is different in its file now, and whether it may be.

`changed_keys` is pure.  What can be changed while transfers go on stands in `LIVE`; every
other key, and so every new one until somebody has thought about it, needs a restart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import BaseModel

from rangedaemon.config.document import read_document
from rangedaemon.config.loading import parse, read
from rangedaemon.config.models import Config
from rangedaemon.config.problems import ConfigError, KeyPath, Problem
from rangedaemon.config.reaching import Reaching

LIVE: tuple[KeyPath, ...] = (
    ("server",),
    ("control", "listen"),
    ("control", "allow_plain_remote"),
    ("control", "token_file"),
    ("control", "tokens"),
    ("control", "allowed_hosts"),
    ("control", "allowed_origins"),
    ("downloads", "watch"),
    ("downloads", "on_removed"),
    ("downloads", "max_active"),
    ("downloads", "rate_limit"),
    ("downloads", "rate_limit_per_host"),
    ("downloads", "lowest_speed"),
    ("downloads", "connections_per_host"),
    ("downloads", "min_segment_size"),
    *(("downloads", name) for name in Reaching.model_fields),
    ("downloads", "retry"),
    ("downloads", "stall_timeout"),
    ("downloads", "checkpoint_interval"),
    ("downloads", "resume_overlap"),
    ("downloads", "disk"),
    ("jobs",),
    ("hooks",),
    ("pushes",),
    ("log", "level"),
)
"""Keys, or whole sections, that may change while the daemon runs."""

_FIXED = "cannot change while the daemon runs: put back what was there, or restart the daemon"


def changed_keys(old: BaseModel, new: BaseModel, at: KeyPath = ()) -> Iterator[KeyPath]:
    """
    The paths of the keys whose values differ, in the order of the model.

    A list is one value, and so is a section that was not there before or is gone.
    """
    for name in type(new).model_fields:
        before, after = getattr(old, name), getattr(new, name)
        if isinstance(before, BaseModel) and isinstance(after, BaseModel):
            yield from changed_keys(before, after, (*at, name))
        elif before != after:
            yield (*at, name)


def may_change(path: KeyPath) -> bool:
    """Whether the value at *path* may change while the daemon runs."""
    return any(path[: len(live)] == live for live in LIVE)


def load_again(file: str | Path, environ: Mapping[str, str], running: Config) -> Config:
    """
    Read the file of a daemon that runs with *running*.  Blocking; nothing on disk changes.

    :raises ConfigError: it is bad, or changes what needs a restart; with every problem.
    """
    path = Path(file)
    data = read(path)
    config = parse(data, environ, name=str(file), base=path.resolve().parent)
    fixed = [key for key in changed_keys(running, config) if not may_change(key)]
    if fixed:
        raise ConfigError(str(file), _located(data, environ, fixed))
    return config


def _located(data: bytes, environ: Mapping[str, str], keys: list[KeyPath]) -> list[Problem]:
    document = read_document(data, environ)
    return [Problem(document.line_of(key), key, _FIXED) for key in keys]
