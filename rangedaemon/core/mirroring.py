"""
Mirrors: what of a folder at an origin is wanted here, and what it is called; pure.

A mirror is a job that has jobs: one for each file, known again by its address.  A known
file keeps the name that it has; a new one gets its own, made safe, or a numbered one where
that is another's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from fnmatch import fnmatchcase
from posixpath import dirname, join, split
from typing import Any

from rangedaemon.core.disposition import FALLBACK_NAME, numbered_filename, safe_filename
from rangedaemon.core.indexes import Entry
from rangedaemon.core.jobs import JobRecord, JobSpec, OnConflict
from rangedaemon.core.mirrors import MirrorSpec

MOST_FILES = 100_000
"""Of one mirror."""
MOST_FOLDERS = 20_000
_INHERITED = (
    *("headers", "logins", "guarded", "segments", "priority", "rate_limit"),
    *("on_change", "window", "versions"),
)
"""Wishes that a mirror's files share with it."""
DEEPEST = 32
"""Levels of folders, whatever a mirror asks for: some servers list links to folders above."""


def as_folder(url: str) -> str:
    """*url* as the address of a folder: what is listed there lies below it."""
    bare = url.partition("#")[0].partition("?")[0]
    return bare if bare.endswith("/") else f"{bare}/"


def path_below(root: str, url: str) -> str | None:
    """The path of the file at *url* below the folder *root*, decoded; None: it is elsewhere."""
    if not url.startswith(root):
        return None
    return "/".join(Entry(segment).name for segment in url.removeprefix(root).split("/"))


def wants_folder(spec: MirrorSpec, path: str) -> bool:
    """Whether the folder at *path*, decoded and without a slash at its end, is gone into."""
    depth = DEEPEST if spec.depth is None else min(spec.depth, DEEPEST)
    return path.count("/") < depth and not _is_excluded(spec, path)


def wants_file(spec: MirrorSpec, path: str) -> bool:
    """Whether the file at *path* is wanted, where its folders are."""
    if _is_excluded(spec, path):
        return False
    return not spec.include or any(_matches(pattern, path) for pattern in spec.include)


def is_wanted(spec: MirrorSpec, path: str) -> bool:
    """Whether the file at *path* is wanted, and each folder on the way to it."""
    folder = dirname(path)
    while folder:
        if not wants_folder(spec, folder):
            return False
        folder = dirname(folder)
    return wants_file(spec, path)


def _is_excluded(spec: MirrorSpec, path: str) -> bool:
    return any(_matches(pattern, path) for pattern in spec.exclude)


def _matches(pattern: str, path: str) -> bool:
    """A pattern with a slash is of the whole path, one without of the last name in it."""
    if "/" in pattern:
        return fnmatchcase(path, pattern.strip("/"))
    return fnmatchcase(path.rpartition("/")[2], pattern)


def safe_path(names: Iterable[str]) -> str:
    """Where the file of these names goes, below the mirror's directory."""
    return "/".join(safe_filename(name) or FALLBACK_NAME for name in names)


def settled(found: Mapping[str, str], taken: Iterable[str], *, folds: bool) -> dict[str, str]:
    """
    The paths of new files, each its own.

    :param found: address to the path that it would have.
    :param taken: the paths of files that are known.
    :param folds: whether the file system takes upper and lower case for the same.
    """
    used = {_key(path, folds=folds) for path in taken}
    paths: dict[str, str] = {}
    for url, wished in found.items():
        path, number = wished, 0
        while _key(path, folds=folds) in used:
            number += 1
            folder, _, name = wished.rpartition("/")
            path = join(folder, numbered_filename(name, number))
        used.add(_key(path, folds=folds))
        paths[url] = path
    return paths


def _key(path: str, *, folds: bool) -> str:
    return path.casefold() if folds else path


# -- the jobs of the files --------------------------------------------------------


def path_here(mirror: JobSpec, record: JobRecord) -> str:
    """Where the file of *record* is, below the mirror's directory."""
    name = record.filename or record.spec.filename or FALLBACK_NAME
    return join(record.spec.directory, name).removeprefix(f"{mirror.directory}/")


def spec_for(mirror: JobRecord, url: str, path: str) -> JobSpec:
    """The job for one new file of *mirror*; what is in its way there gives way."""
    spec = mirror.spec
    folder, name = split(path)
    return JobSpec(
        urls=(url,),
        directory=join(spec.directory, folder) if folder else spec.directory,
        filename=name,
        on_conflict=OnConflict.OVERWRITE,
        source="mirror",
        parent=mirror.id,
        **inherited(spec),
    )


def inherited(spec: JobSpec) -> dict[str, Any]:
    """What the jobs of a mirror's files share with it, by name."""
    return {name: getattr(spec, name) for name in _INHERITED}
