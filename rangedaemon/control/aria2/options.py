"""
aria2's options and ours, both ways; pure.

Values are strings, as aria2's are; plain JSON scalars are taken too.  Names that we
do not know are passed over, as aria2 does; a bad value of a known one is an error.
"""

from __future__ import annotations

import os.path
import re
from base64 import b64encode
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from rangedaemon.control.aria2.downloads import MAX_LISTED
from rangedaemon.control.aria2.envelope import RpcError
from rangedaemon.control.wishes import (
    check_checksum,
    check_filename,
    check_headers,
    check_text,
    confined,
)
from rangedaemon.core.jobs import JobChange, JobSpec, Limits, OnConflict
from rangedaemon.core.metalink_reading import Described
from rangedaemon.core.timetable import Timetable

MAX_SEGMENTS = 128
_SIZE = re.compile(r"([0-9]{1,15})([KkMm]?)")
_UNITS = {"": 1, "k": 1024, "m": 1024**2}

DANGEROUS = frozenset({"log", "save-cookies", "save-session", "server-stat-of"})
"""Global options that make aria2 write files anywhere; never over RPC here."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What the daemon is configured with, as far as aria2's options can say it."""

    directory: str
    segments: int = 8


def texts(options: Mapping[str, Any]) -> dict[str, str | list[str]]:
    """The options with all values as text; what has no text form is left out."""
    found = {name: _text_or_list(value) for name, value in options.items()}
    return {name: value for name, value in found.items() if value is not None}


def _text_or_list(value: object) -> str | list[str] | None:
    if isinstance(value, list):
        return [text for item in value if (text := _text(item)) is not None]
    return _text(value)


def _text(value: object) -> str | None:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, (str, int, float)) else None


class Reader:
    """Takes known options out of a struct; a value that cannot be is told by its name."""

    def __init__(self, options: Mapping[str, Any]) -> None:
        self._options = texts(options)

    def __contains__(self, name: str) -> bool:
        return name in self._options

    def one(self, name: str) -> str | None:
        """The option's text; the last one of a list."""
        value = self._options.get(name)
        if isinstance(value, list):
            return value[-1] if value else None
        return value

    def all(self, name: str) -> list[str]:
        """Every value of an option that may be given several times."""
        value = self._options.get(name, [])
        return value if isinstance(value, list) else value.splitlines()

    def flag(self, name: str) -> bool:
        """``true`` or ``false``; absent is false."""
        value = self.one(name)
        if value not in (None, "true", "false"):
            raise refused(name, "true or false")
        return value == "true"

    def number(self, name: str) -> int | None:
        """A count from 1 on."""
        value = self.one(name)
        if value is None:
            return None
        if not re.fullmatch("[0-9]{1,9}", value) or int(value) < 1:
            raise refused(name, "a number from 1 on")
        return int(value)

    def size(self, name: str) -> int | None:
        """Octets, with K or M for 1024 and its square."""
        value = self.one(name)
        if value is None:
            return None
        match = _SIZE.fullmatch(value)
        if match is None:
            raise refused(name, "a size such as 500K")
        return int(match[1]) * _UNITS[match[2].lower()]


def refused(name: str, why: object) -> RpcError:
    """The error for a value that cannot be."""
    return RpcError(f"We encountered a problem while processing the option '--{name}': {why}")


def spec_of(uris: list[str], options: Mapping[str, Any], defaults: Defaults) -> JobSpec:
    """
    The job that ``addUri`` asks for.

    :raises RpcError: a known option has a value that cannot be.
    :raises OutsideDirectory: ``dir`` or ``out`` lead out of the download directory.
    """
    reader = Reader(options)
    directory, filename = _place(reader, defaults.directory, defaults.directory)
    return JobSpec(
        urls=tuple(dict.fromkeys(uris)),
        directory=directory,
        filename=filename,
        checksum=_checksum(reader),
        headers=_headers(reader),
        segments=_segments(reader) or defaults.segments,
        rate_limit=reader.size("max-download-limit") or None,
        lowest_speed=reader.size("lowest-speed-limit"),
        on_conflict=_on_conflict(reader),
        paused=reader.flag("pause"),
        source="aria2",
        id=_gid(reader),
    )


def described_spec(file: Described, options: Mapping[str, Any], defaults: Defaults) -> JobSpec:
    """
    The job for one file of a metalink; its name and hashes are the document's.

    :raises RpcError, OutsideDirectory: as `spec_of` does.
    """
    own = {name: value for name, value in options.items() if name not in ("out", "checksum", "gid")}
    return replace(
        spec_of(list(file.urls), own, defaults),
        filename=file.name,
        checksum=file.checksum,
        size=file.size,
        pieces=file.pieces,
    )


def change_of(options: Mapping[str, Any], spec: JobSpec, defaults: Defaults) -> JobChange:
    """
    What ``changeOption`` changes of a job that was asked for by *spec*.

    :raises RpcError: an option that cannot be changed any more, or a bad value.
    :raises OutsideDirectory: ``dir`` or ``out`` lead out of the download directory.
    """
    reader = Reader(options)
    if "checksum" in reader:
        raise refused("checksum", "it cannot be changed once the download is there")
    directory = filename = None
    if reader.one("dir") or reader.one("out"):
        directory, filename = _place(reader, defaults.directory, spec.directory)
    return JobChange(
        segments=_segments(reader),
        rate_limit=reader.size("max-download-limit") or None,
        set_rate_limit="max-download-limit" in reader,
        lowest_speed=reader.size("lowest-speed-limit"),
        directory=None if directory == spec.directory else directory,
        filename=None if filename == spec.filename else filename,
        headers=_headers(reader) if _FIELDS & set(options) else None,
    )


_FIELDS = frozenset({"header", "user-agent", "referer", "http-user", "http-passwd"})


def limits_of(options: Mapping[str, Any], present: Limits) -> Limits:
    """
    What ``changeGlobalOption`` makes of the *present* limits.

    :raises RpcError: a bad value.
    """
    reader = Reader(options)
    rate = reader.size("max-overall-download-limit")
    return replace(
        present,
        max_active=reader.number("max-concurrent-downloads") or present.max_active,
        rate_limit=present.rate_limit if rate is None else rate or None,
    )


def options_of(spec: JobSpec) -> dict[str, str | list[str]]:
    """What ``getOption`` tells of a job; `spec_of` takes it again. Never a credential."""
    shown: dict[str, str | list[str]] = {
        "dir": spec.directory,
        "split": str(spec.segments),
        "max-connection-per-server": str(spec.segments),
        "max-download-limit": str(spec.rate_limit or 0),
        "allow-overwrite": _yes(spec.on_conflict is OnConflict.OVERWRITE),
        "auto-file-renaming": _yes(spec.on_conflict is OnConflict.RENAME),
        "pause": "false",
    }
    if spec.filename is not None:
        shown["out"] = spec.filename
    if spec.lowest_speed is not None:
        shown["lowest-speed-limit"] = str(spec.lowest_speed)
    if spec.checksum is not None:
        shown["checksum"] = spec.checksum
    return shown


def global_options(defaults: Defaults, limits: Limits) -> dict[str, str]:
    """What ``getGlobalOption`` tells."""
    return {
        "dir": defaults.directory,
        "split": str(defaults.segments),
        "max-connection-per-server": str(defaults.segments),
        "max-concurrent-downloads": str(limits.max_active),
        "max-overall-download-limit": str(_rate_now(limits) or 0),
        "max-overall-upload-limit": "0",
        "max-download-limit": "0",
        "allow-overwrite": "false",
        "auto-file-renaming": "true",
        "continue": "true",
        "always-resume": "false",
        "file-allocation": "none",
        "check-certificate": "true",
        "max-download-result": str(MAX_LISTED),
    }


def _rate_now(limits: Limits) -> int | None:
    """aria2 knows no hours: what holds at this moment."""
    return limits.rate_now if isinstance(limits.rate_limit, Timetable) else limits.rate_limit


def _yes(value: bool) -> str:
    return "true" if value else "false"


LIVE = frozenset({"max-concurrent-downloads", "max-overall-download-limit"})
"""Global options that can be changed; they hold until the daemon ends."""


def _gid(reader: Reader) -> str | None:
    gid = reader.one("gid")
    if gid is None:
        return None
    if not re.fullmatch("[0-9A-Fa-f]{16}", gid) or not int(gid, 16):
        raise refused("gid", "16 hexadecimal digits, not all zero")
    return gid.lower()


def _place(reader: Reader, base: str, present: str) -> tuple[str, str | None]:
    wanted, out = reader.one("dir"), reader.one("out")
    try:
        directory = confined(base, check_text(wanted)) if wanted else present
        if not out:
            return directory, None
        head, name = os.path.split(check_text(out))
        return confined(base, os.path.join(directory, head)), check_filename(name)  # noqa: PTH118
    except ValueError as wrong:
        raise refused("out" if out else "dir", wrong) from wrong


def _segments(reader: Reader) -> int | None:
    wanted = [reader.number("split"), reader.number("max-connection-per-server")]
    given = [number for number in wanted if number is not None]
    return min(*given, MAX_SEGMENTS) if given else None


def _checksum(reader: Reader) -> str | None:
    value = reader.one("checksum")
    try:
        return check_checksum(value) if value else None
    except ValueError as wrong:
        raise refused("checksum", wrong) from wrong


def _on_conflict(reader: Reader) -> OnConflict:
    if reader.flag("allow-overwrite"):
        return OnConflict.OVERWRITE
    renaming = reader.flag("auto-file-renaming") or "auto-file-renaming" not in reader
    return OnConflict.RENAME if renaming else OnConflict.FAIL


def _headers(reader: Reader) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in reader.all("header"):
        name, colon, value = line.partition(":")
        if not colon:
            raise refused("header", "a field as Name: value")
        fields[name.strip()] = value.strip()
    for option, name in (("user-agent", "User-Agent"), ("referer", "Referer")):
        if text := reader.one(option):
            fields.setdefault(name, text)
    if user := reader.one("http-user"):
        pair = f"{user}:{reader.one('http-passwd') or ''}"
        fields.setdefault("Authorization", f"Basic {b64encode(pair.encode()).decode()}")
    try:
        return check_headers(fields)
    except ValueError as wrong:
        raise refused("header", wrong) from wrong
