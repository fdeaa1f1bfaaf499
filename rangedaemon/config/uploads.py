"""The section ``uploads`` of a mount: what it takes, and from whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, model_validator

from rangedaemon.config.secrets import TokensFile, UsersFile
from rangedaemon.config.section import Section, defaults, empty_is_default
from rangedaemon.config.values import (
    Below,
    Count,
    PositiveDuration,
    PositiveSize,
    Text,
)
from rangedaemon.core.jobs import OnConflict

Protocol = Literal["tus", "ietf", "segmented", "put"]


class UploadHooks(Section):
    """Commands that are told of uploads."""

    on_receive: Annotated[tuple[Text, ...], Field(min_length=1)] | None = None
    """Program and arguments, run without a shell for each file that is there; it finds
    RANGEDAEMON_PATH, _NAME, _SIZE, _TYPE, _MOUNT, _PROTOCOL and _OWNER in its environment."""


class Uploads(Section):
    """A mount that takes files."""

    protocols: Annotated[tuple[Protocol, ...], Field(min_length=1)] = (
        "tus",
        "ietf",
        "segmented",
        "put",
    )
    """tus 1.0.0, the IETF draft, nginx's segmented form, PUT with Content-Range."""
    directory: Below | None = None
    """Where files go, below root; by default root itself."""
    max_size: PositiveSize | None = None
    """Octets of one file."""
    expire: PositiveDuration = 7 * 24 * 3600.0
    """Seconds after its last octet that an unfinished upload is kept."""
    on_conflict: OnConflict = OnConflict.RENAME
    """What to do where the name is taken."""
    anonymous: bool = False
    """Whether everybody may upload."""
    tokens_file: TokensFile | None = None
    """Lines NAME:TOKEN, or NAME:sha-256=<hex> of it; read again when it has changed."""
    htpasswd_file: UsersFile | None = None
    """Users and passwords as htpasswd -B writes them; read again when it has changed."""
    quota: PositiveSize | None = None
    """Octets of all uploads together, as long as their files are there."""
    token_quota: PositiveSize | None = None
    """The same for each token or user."""
    max_parallel: Count = 32
    """Requests that bring octets at the same time."""
    max_unfinished: Count = 1000
    """Uploads that are not finished."""
    names: tuple[Text, ...] = ()
    """Patterns of the shell that names must fit, such as *.iso; by default all do."""
    types: tuple[Text, ...] = ()
    """Patterns that media types must fit, such as image/*; by default all do."""
    hooks: Annotated[UploadHooks, BeforeValidator(empty_is_default)] = defaults()
    """Commands that are told of uploads."""

    @model_validator(mode="after")
    def _without_contradiction(self) -> Uploads:
        for complaint in self._contradictions():
            raise ValueError(complaint)
        return self

    def _contradictions(self) -> Iterator[str]:
        named = self.tokens_file is not None or self.htpasswd_file is not None
        if not named and not self.anonymous:
            yield "needs tokens_file or htpasswd_file; or anonymous: true, if everybody may upload"
        if named and self.anonymous:
            yield "anonymous: true lets everybody in; leave out tokens_file and htpasswd_file"
        if self.token_quota is not None and not named:
            yield "token_quota needs tokens_file or htpasswd_file"
        if len(set(self.protocols)) < len(self.protocols):
            yield "protocols has one of them twice"
        yield from self._impossible_sizes()

    def _impossible_sizes(self) -> Iterator[str]:
        limits = [("token_quota", self.token_quota), ("quota", self.quota)]
        for name, limit in limits:
            if limit is not None and self.max_size is not None and self.max_size > limit:
                yield f"max_size must not be above {name}"
        if None not in {self.quota, self.token_quota} and self.token_quota > self.quota:  # type: ignore[operator]
            yield "token_quota must not be above quota"
