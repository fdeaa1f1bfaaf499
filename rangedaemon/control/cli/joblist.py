"""
Lists of jobs in a file: one job a line, for ``rangectl add -i``.

As aria2 reads its input files: several addresses on one line, parted by tabs, are
mirrors of one file; indented ``option=value`` lines below belong to the job above;
``#`` starts a comment line.  Options go by our names or by aria2's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rangedaemon.control.cli.exits import CommandFault, Exit
from rangedaemon.control.cli.units import parse_size, safe
from rangedaemon.core.timetable import parse_entries, timetable

Body = dict[str, Any]
"""A request body for ``POST /jobs``."""

_WORDS = {"true": True, "yes": True, "false": False, "no": False}


def parse_list(lines: Iterable[str], source: str) -> list[Body]:
    """
    The request bodies that *lines* mean.

    :param source: the file's name, for messages.
    :raises CommandFault: every wrong line, with its number.
    """
    bodies: list[Body] = []
    wrong: list[str] = []
    for number, line in enumerate(lines, 1):
        try:
            _take(line.rstrip("\r\n"), bodies)
        except ValueError as error:
            wrong.append(f"{source}:{number}: {error}")
    if wrong:
        raise CommandFault(Exit.INVALID, "\n".join(wrong))
    return bodies


def _take(line: str, bodies: list[Body]) -> None:
    """Put what one line says to *bodies*."""
    if not line.strip() or line.startswith("#"):
        return
    if not line[0].isspace():
        urls = line.strip().split("\t")
        bodies.append(addressed([url.strip() for url in urls if url.strip()]))
        return
    if not bodies:
        raise ValueError("an option without an address above it")
    name, sign, value = line.strip().partition("=")
    if not sign:
        raise ValueError(f"neither an address nor option=value: {safe(line.strip())}")
    bodies[-1].update(_option(name.strip(), value.strip(), bodies[-1]))


def parse_schedule(text: str) -> int | dict[str, int | None] | None:
    """
    A limit, or limits by the hour: ``08:00-18:00 2MiB; default none``.

    :raises ValueError: it is neither.
    """
    if "-" not in text:
        return parse_limit(text)
    entries = {name: parse_limit(limit) for name, limit in parse_entries(text).items()}
    timetable(entries)
    return entries


def addressed(urls: list[str]) -> Body:
    """The body for one file at *urls*."""
    return {"url": urls[0]} if len(urls) == 1 else {"urls": urls}


def _option(name: str, value: str, body: Body) -> Body:
    """What ``name=value`` adds to *body*."""
    meaning = _MEANINGS.get(name)
    if meaning is None:
        raise ValueError(f"unknown option {safe(name)!r}; known are {', '.join(sorted(_MEANINGS))}")
    return meaning(value, body)


def parse_header(text: str) -> tuple[str, str]:
    """
    Name and value in ``Name: value``.

    :raises ValueError: it is no such text; the message does not show it.
    """
    name, sign, value = text.partition(":")
    if not sign or not name.strip():
        raise ValueError("a header is written 'Name: value'")
    return name.strip(), value.strip()


def parse_limit(text: str) -> int | None:
    """
    Octets per second in *text*; None for ``none`` and ``0``: no limit.

    :raises ValueError: neither a size nor ``none``.
    """
    return None if text.strip().lower() == "none" else parse_size(text) or None


def _as(key: str, convert: Callable[[str], Any] = str) -> Callable[[str, Body], Body]:
    """An option that becomes the field *key*."""
    return lambda value, _: {key: convert(value)}


def _flag(text: str) -> bool:
    """True or false in words."""
    if text.lower() not in _WORDS:
        raise ValueError(f"neither true nor false: {safe(text)!r}")
    return _WORDS[text.lower()]


def _where(value: bool, meaning: str) -> Callable[[str, Body], Body]:
    """An option of aria2's that means a way out of a conflict where it is *value*."""
    return lambda text, _: {"on_conflict": meaning} if _flag(text) is value else {}


def _header(value: str, body: Body) -> Body:
    """One more request field."""
    name, text = parse_header(value)
    return {"headers": {**body.get("headers", {}), name: text}}


def _integer(text: str) -> int:
    """A whole number."""
    try:
        return int(text)
    except ValueError:
        raise ValueError(f"not a whole number: {safe(text)!r}") from None


_MEANINGS: Mapping[str, Callable[[str, Body], Body]] = {
    "name": _as("name"),
    "dir": _as("directory"),
    "directory": _as("directory"),
    "out": _as("filename"),
    "filename": _as("filename"),
    "checksum": _as("checksum"),
    "header": _header,
    "split": _as("segments", _integer),
    "segments": _as("segments", _integer),
    "priority": _as("priority", _integer),
    "limit": _as("rate_limit", parse_limit),
    "max-download-limit": _as("rate_limit", parse_limit),
    "pause": _as("paused", _flag),
    "paused": _as("paused", _flag),
    "on-conflict": _as("on_conflict"),
    "on-change": _as("on_change"),
    "start-at": _as("start_at"),
    "window": _as("window"),
    "allow-overwrite": _where(True, "overwrite"),
    "auto-file-renaming": _where(False, "fail"),
}
