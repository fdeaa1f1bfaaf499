"""
The values that configurations are made of: sizes, durations, paths, endpoints, addresses.

Each type says in its error what was expected; the translator in
`rangedaemon.config.explain` adds what was there instead.  What a job may ask for is
judged by the very functions that judge it in the API.  Sizes are octets,
durations are seconds.  Paths and the file arguments of endpoints are resolved against the directory
that stands in the validation context as ``base``.
"""

from __future__ import annotations

import math
import os.path
import re
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, ValidationInfo, WithJsonSchema

from rangedaemon.control.wishes import (
    check_checksum,
    check_filename,
    check_headers,
    check_text,
    check_url,
    check_user,
)
from rangedaemon.core.calendar import check_start, check_window

_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?) ?(B|[kK]B|[MGT]B|[KMGT]iB)?")
_UNITS = {
    "B": 1, "kB": 10**3, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12,
    "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}  # fmt: skip
_DURATION = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,9})?) ?(ms|s|m|h|d)?")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_REFERENCE_PATTERN = r"\$\{"


def _described(kind: str, pattern: str, *examples: str) -> dict[str, Any]:
    """A number, a number with its unit, or a text with a reference to the environment."""
    text = {"type": "string", "pattern": rf"^(?:{pattern})$|{_REFERENCE_PATTERN}"}
    return {"anyOf": [{"type": kind, "minimum": 0}, text], "examples": list(examples)}


def _schema(kind: str, pattern: str, *examples: str) -> WithJsonSchema:
    return WithJsonSchema(_described(kind, pattern, *examples))


# -- numbers ----------------------------------------------------------------------


def _whole(value: object) -> object:
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("expected a whole number")


Whole = Annotated[int, BeforeValidator(_whole)]
Count = Annotated[Whole, Field(ge=1)]


def parse_size(value: object) -> int:
    """
    Octets of ``65536``, ``64KiB``, ``1.5MiB`` or ``2GB``.

    :raises ValueError: it is none of these; a part of an octet is cut off.
    """
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    match = _SIZE.fullmatch(value) if isinstance(value, str) else None
    if match is None or (match[2] is None and "." in match[1]):
        raise ValueError("expected a size such as 65536, 64KiB, 1.5MiB or 2GB")
    return int(Fraction(match[1]) * _UNITS[match[2] or "B"])


def parse_rate(value: object) -> int:
    """
    Octets per second of ``500KiB`` or ``2MB/s``.

    :raises ValueError: it is no rate.
    """
    try:
        return parse_size(value.removesuffix("/s") if isinstance(value, str) else value)
    except ValueError:
        raise ValueError("expected octets per second such as 500KiB or 2MB") from None


def parse_duration(value: object) -> float:
    """
    Seconds of ``30``, ``30s``, ``5m`` or ``2h``.

    :raises ValueError: it is none of these.
    """
    if isinstance(value, int | float) and not isinstance(value, bool):
        if math.isfinite(value) and value >= 0:
            return float(value)
    elif isinstance(value, str) and (match := _DURATION.fullmatch(value)):
        return float(match[1]) * _SECONDS[match[2] or "s"]
    raise ValueError("expected a duration such as 30, 30s, 5m or 2h")


Size = Annotated[
    int,
    BeforeValidator(parse_size),
    _schema("integer", _SIZE.pattern, "65536", "64KiB", "1.5MiB", "2GB"),
]
PositiveSize = Annotated[Size, Field(ge=1)]
RATE_SCHEMA = _described("integer", rf"{_SIZE.pattern}(?:/s)?", "500KiB", "2MB")
Rate = Annotated[int, BeforeValidator(parse_rate), Field(ge=1), WithJsonSchema(RATE_SCHEMA)]
Duration = Annotated[
    float,
    BeforeValidator(parse_duration),
    _schema("number", _DURATION.pattern, "30", "30s", "5m", "2h"),
]
PositiveDuration = Annotated[Duration, Field(gt=0)]


# -- text ---------------------------------------------------------------------------


def _printable(value: str) -> str:
    if not value.strip():
        raise ValueError("expected text that is not empty")
    return check_text(value)


def _field_value(value: str) -> str:
    check_headers({"x": value})
    return value


def _token_digest(value: str) -> str:
    if not re.fullmatch(r"sha-256=[0-9A-Fa-f]{64}", value):
        raise ValueError("expected sha-256= and 64 hexadecimal digits")
    return value.lower()


Text = Annotated[str, AfterValidator(_printable)]
User = Annotated[str, AfterValidator(check_user)]
FileName = Annotated[str, AfterValidator(check_filename)]
FieldValue = Annotated[str, AfterValidator(_field_value)]
Fields = Annotated[dict[str, str], AfterValidator(check_headers)]
TokenDigest = Annotated[str, AfterValidator(_token_digest)]
Checksum = Annotated[str, AfterValidator(check_checksum)]


StartAt = Annotated[str, AfterValidator(check_start)]
WindowText = Annotated[str, AfterValidator(check_window)]


# -- addresses ----------------------------------------------------------------------


def _origin(value: str) -> str:
    """What a browser sends in ``Origin``, or ``*``."""
    if value != "*" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://[^/?#\s@,]+", value):
        raise ValueError('expected "*" or an origin such as https://example.org')
    return value


def _url_prefix(value: str) -> str:
    """The path prefix of a mount, without slash at its end unless it is the root."""
    segments = value.split("/")[1:]
    bad = re.search(r"[\x00-\x20\x7f?#%\\]", value) or {".", ".."} & set(segments)
    if not value.startswith("/") or "//" in value or bad:
        raise ValueError("expected a path that begins with / and has no . .. // ? # % or spaces")
    return value.rstrip("/") or "/"


def _host(value: str) -> str:
    """A host as the ``Host`` field names it, without port."""
    if not re.fullmatch(r"\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+", value):
        raise ValueError("expected a host name or address without port, IPv6 in brackets")
    return value.lower()


HttpUrl = Annotated[str, AfterValidator(check_url)]
Origin = Annotated[str, AfterValidator(_origin)]
UrlPrefix = Annotated[str, AfterValidator(_url_prefix)]
Host = Annotated[str, AfterValidator(_host)]


# -- files --------------------------------------------------------------------------


def _below(value: str) -> str:
    """A directory below another; what that other one is, is not known here."""
    check_text(value)
    if not value or value.startswith(("/", "~")) or ".." in re.split(r"[/\\]", value):
        raise ValueError("expected a relative directory without ..")
    return value


def _base(info: ValidationInfo) -> Path:
    context: dict[str, Path] = info.context or {}
    return context.get("base", Path.cwd())


def _path(value: object, info: ValidationInfo) -> Path:
    if isinstance(value, Path):
        value = str(value)
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError("expected a path")
    if value == "~" or value.startswith("~/"):
        value = str(Path.home() / value[2:])
    return Path(os.path.normpath(_base(info) / value))


Below = Annotated[str, AfterValidator(_below)]
AbsolutePath = Annotated[Path, BeforeValidator(_path), WithJsonSchema({"type": "string"})]
