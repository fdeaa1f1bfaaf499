"""What may be asked of a mirror, and the job that it becomes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import Field

from rangedaemon.control import wishes
from rangedaemon.control.models import Directory, Url, Wish
from rangedaemon.control.picked import PICKED, Picked, picked
from rangedaemon.core.disposition import filename_from_url, safe_filename
from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.mirroring import as_folder
from rangedaemon.core.mirrors import MirrorSpec
from rangedaemon.core.repeats import Repeat

_ALIKE = (
    *("name", "headers", "priority", "rate_limit", "paused"),
    *("on_change", "start_at", "window", "versions"),
)


class NewMirror(Wish, Picked):
    """What `POST /api/v1/jobs` takes where a folder, as a web server lists it, shall be mirrored.

    Each of its files becomes a job of its own, whose ``parent`` is the mirror, and which has
    its ``segments`` and ``rate_limit``.
    """

    kind: Literal["mirror"]
    url: Url
    """The folder's; queries and fragments are left out."""
    directory: Directory | None = None
    """By default one that is called as the mirror, or as its address ends."""
    versions: Annotated[int, Field(ge=0, le=1000)] = 0


def mirror_of(
    wish: object, *, base: str, segments: int, source: str = "api", guarded: bool = True
) -> JobSpec:
    """
    The job that *wish* asks for: a model of the API or of the configuration.

    :param base: the directory that no job leaves.
    :raises OutsideDirectory: its directory is not below *base*.
    """
    wished: Any = wish
    url = as_folder(wished.url)
    return JobSpec(
        urls=(url,),
        directory=wishes.confined(base, wished.directory or _called(wished.name, url)),
        kind="mirror",
        mirror=MirrorSpec(**picked(wished, PICKED)),
        segments=wished.segments or segments,
        source=source,
        guarded=guarded,
        logins=wishes.logins_of(url, wished.username, wished.password),
        repeat=None if wished.repeat is None else Repeat(**wished.repeat.model_dump()),
        **{name: getattr(wished, name) for name in _ALIKE},
    )


def _called(name: str | None, url: str) -> str:
    """A folder for the mirror alone: others' files might be in the way of its own."""
    return (safe_filename(name) if name else None) or filename_from_url(url)
