"""
What a file that was dropped into the watch folder asks for: jobs, or a reason why not.

Lists have one job a line, as ``rangectl add -i`` and aria2 read them; ``.meta4`` and
``.metalink`` have one job for each file that they describe.  Pure.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import PurePath

from rangedaemon.control.bodies import validated
from rangedaemon.control.cli.exits import CommandFault
from rangedaemon.control.cli.joblist import parse_list
from rangedaemon.control.models import NewJob
from rangedaemon.control.wishes import check_url, spec_of
from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.metalink_reading import parse_metalink
from rangedaemon.errors import Fault

METALINKS = frozenset({".meta4", ".metalink"})
LISTS = frozenset({".txt", ".list", ".urls", ".aria2"})
MAX_OCTETS = 4 * 1024 * 1024
"""Larger files are refused."""
MAX_JOBS = 10_000


def specs_in(
    name: str, octets: bytes, stamp: str, *, directory: str, segments: int
) -> list[JobSpec]:
    """
    The jobs of one file.

    :param stamp: tells this file from any other that ever had its name; the ids of the jobs
        are made of it, so that a file that is read again makes no job twice.
    :raises ValueError: it cannot be used; the message says why, and where.
    """
    if len(octets) > MAX_OCTETS:
        raise ValueError(f"larger than {MAX_OCTETS} octets")
    reads = _described if PurePath(name).suffix.lower() in METALINKS else _listed
    try:
        specs = reads(name, octets, directory, segments)
    except CommandFault as fault:
        raise ValueError(str(fault)) from fault
    except UnicodeDecodeError as fault:
        raise ValueError(f"not UTF-8 at octet {fault.start}") from fault
    if not 1 <= len(specs) <= MAX_JOBS:
        raise ValueError(f"it asks for {len(specs)} jobs; 1 to {MAX_JOBS} are taken")
    return [replace(spec, id=_id(stamp, at)) for at, spec in enumerate(specs)]


def _listed(name: str, octets: bytes, directory: str, segments: int) -> list[JobSpec]:
    bodies = parse_list(octets.decode("utf-8-sig").splitlines(), name)
    return [_spec(at, body, directory, segments) for at, body in enumerate(bodies, 1)]


def _spec(number: int, body: object, directory: str, segments: int) -> JobSpec:
    try:
        wish = validated(NewJob, body)
        return spec_of(wish, wish.addresses, base=directory, segments=segments, source="watch")
    except Fault as fault:
        raise ValueError(f"job {number}: {fault.detail}") from fault


def _described(name: str, octets: bytes, directory: str, segments: int) -> list[JobSpec]:
    try:
        described = parse_metalink(octets, name)
    except Fault as fault:
        raise ValueError(fault.detail) from fault
    return [
        JobSpec(
            urls=urls,
            directory=directory,
            filename=file.name,
            checksum=file.checksum,
            size=file.size,
            pieces=file.pieces,
            segments=segments,
            source="watch",
        )
        for file in described
        if (urls := tuple(filter(_is_url, file.urls)))
    ]


def _is_url(url: str) -> bool:
    try:
        check_url(url)
    except ValueError:
        return False
    return True


def _id(stamp: str, at: int) -> str:
    return hashlib.sha256(f"{stamp}\0{at}".encode()).hexdigest()[:16]
