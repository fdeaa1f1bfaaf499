"""
What may be asked of an upload, and the job that it becomes; a folder becomes many.

Files are named by their absolute path, or by one from the first allowed directory on.
Whether there is such a file, and what it is, the job finds out when it runs; here only the
name has to be below a directory that files may be pushed from.
"""

from __future__ import annotations

import os.path
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rangedaemon.control.wishes import MAX_NAME_OCTETS, check_text, logins_of, repeat_of
from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.push.tus import is_metadata_key
from rangedaemon.core.push.values import PushSpec
from rangedaemon.errors import Complaint, FileMissing, InvalidInput, OutsideDirectory
from rangedaemon.storage.localfile import Allowed
from rangedaemon.storage.threads import InThread

MAX_FILES = 1000
"""Files that one folder may become jobs of at a time."""
RELATIVE = "relativePath"
"""The name in the metadata that tells where below the pushed folder a file was (as Uppy's)."""

_ALIKE = (
    *("name", "checksum", "headers", "priority", "rate_limit", "paused", "on_change"),
    *("start_at", "window"),
)


@dataclass(frozen=True, slots=True)
class PushPlaces:
    """Where files may be pushed from."""

    directories: tuple[str, ...] = ()
    """Absolute."""
    follow_symlinks: bool = False

    @property
    def allowed(self) -> Allowed:
        """The same, for who opens files."""
        return Allowed(map(Path, self.directories), follow_symlinks=self.follow_symlinks)

    def locate(self, wanted: str) -> str:
        """
        The absolute path that *wanted* means.

        :raises OutsideDirectory: it is below none of the directories.
        """
        if not self.directories:
            raise OutsideDirectory("files are pushed from nowhere (pushes.directories)")
        path = os.path.normpath(os.path.join(self.directories[0], wanted))  # noqa: PTH118 - lexical
        if not any(_is_below(path, directory) for directory in self.directories):
            raise OutsideDirectory(f"{wanted} is below none of pushes.directories")
        return path


def _is_below(path: str, directory: str) -> bool:
    return path == directory or path.startswith(directory.rstrip("/") + "/")


def upload_of(
    wish: object,
    path: str,
    *,
    segments: int,
    source: str = "api",
    guarded: bool = True,
    relative: str | None = None,
) -> JobSpec:
    """
    The job that pushes the file at *path*, as *wish* (of the API or the configuration) says.

    :param relative: where the file is below a pushed folder; its job is called so.
    """
    wished: Any = wish
    directory, filename = os.path.split(path)
    metadata = dict(wished.metadata) | ({} if relative is None else {RELATIVE: relative})
    spec = JobSpec(
        urls=(wished.url,),
        directory=directory,
        filename=filename,
        kind="upload",
        push=PushSpec(wished.protocol, metadata),
        segments=wished.segments or segments,
        source=source,
        guarded=guarded,
        logins=logins_of(wished.url, wished.username, wished.password),
        repeat=repeat_of(wish),
        **{name: getattr(wished, name) for name in _ALIKE},
    )
    return spec if relative is None else replace(spec, name=_called(wished.name, relative))


def _called(folder: str | None, relative: str) -> str:
    """The name of the job for one file of a folder."""
    return f"{folder}/{relative}" if folder else relative


class Pushes:
    """Turns the wishes of the API into jobs."""

    def __init__(
        self, places: Callable[[], PushPlaces], in_thread: InThread, *, segments: int
    ) -> None:
        """:param places: those that hold now."""
        self._places = places
        self._in_thread = in_thread
        self._segments = segments

    async def specs(self, wish: Any) -> list[JobSpec]:
        """
        One job for a file, one for each file of a folder.

        :raises OutsideDirectory: what shall be pushed is elsewhere.
        :raises InvalidInput: there is no such folder, or it has no files, or too many.
        """
        if wish.file is not None:
            path = self._places().locate(wish.file)
            return [upload_of(wish, path, segments=self._segments)]
        folder = self._places().locate(wish.folder)
        names = await self._names(folder)
        return [
            upload_of(wish, f"{folder}/{name}", segments=self._segments, relative=name)
            for name in names
        ]

    async def _names(self, folder: str) -> Sequence[str]:
        files_below = self._places().allowed.files_below
        try:
            names = await self._in_thread(files_below, Path(folder), MAX_FILES)
        except FileMissing as fault:
            raise InvalidInput([Complaint("folder", fault.detail)]) from fault
        if not names:
            raise InvalidInput([Complaint("folder", "there are no files below it")])
        return names


def check_file(path: str) -> str:
    """The path of a file or folder: no control characters, no way back up."""
    check_text(path)
    if ".." in path.split("/"):
        raise ValueError("a path without '..', please")
    if any(len(name.encode()) > MAX_NAME_OCTETS + 5 for name in path.split("/")):
        raise ValueError("a name in it is too long")
    return path


def check_metadata(metadata: Mapping[str, str]) -> dict[str, str]:
    """What a server is told besides: keys as tus writes them."""
    for key in metadata:
        if not is_metadata_key(key):
            raise ValueError("a key has 1 to 100 characters of ASCII, none a blank or comma")
    return dict(metadata)


def check_digest(checksum: str) -> str:
    """``algorithm=hex``; for a file that is here no list has to be asked.

    :raises ValueError: it is the address of a list.
    """
    if "://" in checksum:
        raise ValueError("algorithm=hex, not the address of a list")
    return checksum
