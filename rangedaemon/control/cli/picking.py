"""
Which jobs are meant: by id, the start of one, a name, or a pattern over both.

Pure: the words of the command line and the jobs in, the jobs out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import fnmatchcase
from typing import Any

from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.units import safe

Job = dict[str, Any]
"""A job object of the API."""

_WHOLE_ID = re.compile("[0-9a-f]{16}")
_PATTERN = re.compile(r"[*?\[]")
_SHOWN = 5


def is_id(word: str) -> bool:
    """Whether *word* is a whole id, for which nobody needs a list."""
    return _WHOLE_ID.fullmatch(word) is not None


def label(job: Job) -> str:
    """What people call *job*: its name, else its file's, else its address."""
    urls = job.get("urls") or [""]
    return safe(job.get("name") or job.get("filename") or urls[0])


def pick(words: Sequence[str], jobs: Iterable[Job]) -> list[Job]:
    """
    The jobs that *words* mean, each once, in the order of the words.

    :raises CommandFault: a word means no job, or more than one without being a pattern.
    """
    known = list(jobs)
    chosen: dict[str, Job] = {}
    for word in words:
        for job in _matches(word, known):
            chosen.setdefault(job["id"], job)
    return list(chosen.values())


def _matches(word: str, jobs: list[Job]) -> list[Job]:
    """The jobs that one word means."""
    if (exactly := [job for job in jobs if label(job) == word]) and len(exactly) == 1:
        return exactly
    if _PATTERN.search(word):
        found = [job for job in jobs if any(fnmatchcase(name, word) for name in _names(job))]
    else:
        found = _plain(word, jobs)
        if len(found) > 1:
            raise CommandFault(Exit.USAGE, _ambiguous(word, found))
    if not found:
        raise CommandFault(Exit.NOT_FOUND, f"no job matches {safe(word)!r}; see: rangectl list")
    return found


def _plain(word: str, jobs: list[Job]) -> list[Job]:
    """Who is named exactly so, else whose id starts so."""
    named = [job for job in jobs if word in (*_names(job), label(job))]
    return named or [job for job in jobs if word and job["id"].startswith(word.lower())]


def _names(job: Job) -> list[str]:
    """Everything that *job* may be called."""
    return [str(job[key]) for key in ("id", "name", "filename") if job.get(key)]


def _ambiguous(word: str, found: list[Job]) -> str:
    """Which jobs *word* could mean."""
    shown = ", ".join(f"{job['id']} ({label(job)})" for job in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return f"{safe(word)!r} could be {shown}{more}; give more of the id"
