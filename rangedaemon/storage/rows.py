"""
A job's record as a row of the journal, and back.

Pure.  Texts that come from outside (names, fields of answers) are kept as JSON with
ASCII escapes: whatever Python can hold in a `str` survives, lone surrogates too.
The covered intervals are one text, ``start-stop,start-stop``, half-open.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import Any

from rangedaemon.core.intervals import IntervalSet
from rangedaemon.core.jobs import (
    JobError,
    JobRecord,
    JobSpec,
    JobState,
    Login,
    OnChange,
    OnConflict,
    Remembered,
    Verified,
)
from rangedaemon.core.mirrors import Mirrored, MirrorSpec
from rangedaemon.core.pieces import Pieces
from rangedaemon.core.push.values import LocalStamp, Part, Pushed, PushProtocol, PushSpec
from rangedaemon.core.repeats import Repeat
from rangedaemon.errors import JournalDamaged

Row = dict[str, Any]

_PLAIN = (
    *("id", "created", "started", "finished", "attempts", "retry_at"),
    *("accepts_ranges", "refetched", "changes", "digest"),
)
_SPEC = tuple(field.name for field in fields(JobSpec))
_PARTS = ("push", "repeat", "mirror")
"""Wishes that are values of several fields."""
_ERROR = tuple(field.name for field in fields(JobError))
_REMEMBERED = tuple(field.name for field in fields(Remembered))

_encode = json.JSONEncoder(separators=(",", ":")).encode
_BLANK = Remembered()


def to_row(record: JobRecord) -> Row:
    """The columns of *record*, all but ``seq``, which the journal gives."""
    spec = record.spec
    row: Row = {name: getattr(record, name) for name in _PLAIN}
    row["state"] = record.state.value
    row["priority"] = spec.priority
    row["name"] = lookup_name(spec.name)
    row["spec"] = _encode(_wishes(spec))
    row["error"] = _encode(_values(record.error, _ERROR)) if record.error else None
    row["filename"] = None if record.filename is None else _encode(record.filename)
    row["remembered"] = _remembered(record.remembered)
    row["covered"] = pack_intervals(record.covered)
    row["verified"] = record.verified.value if record.verified else None
    row["pushed"] = _encode(asdict(record.pushed)) if record.pushed else None
    row["parent"] = spec.parent
    row["mirrored"] = _encode(asdict(record.mirrored)) if record.mirrored else None
    return row


def from_row(row: Mapping[Any, Any]) -> JobRecord:
    """
    The record of a row.

    :raises JournalDamaged: the row holds what we never wrote.
    """
    try:
        return JobRecord(
            **{name: row[name] for name in _PLAIN},
            seq=row["seq"],
            state=JobState(row["state"]),
            spec=_spec(json.loads(row["spec"])),
            error=JobError(**json.loads(row["error"])) if row["error"] is not None else None,
            filename=json.loads(row["filename"]) if row["filename"] is not None else None,
            remembered=Remembered(**json.loads(row["remembered"])),
            covered=unpack_intervals(row["covered"]),
            verified=Verified(row["verified"]) if row["verified"] is not None else None,
            pushed=_pushed(json.loads(row["pushed"])) if row["pushed"] is not None else None,
            mirrored=Mirrored(**json.loads(row["mirrored"])) if row["mirrored"] else None,
        )
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise JournalDamaged(
            f"the journal's row of job {row['id']} cannot be read ({error!r}); "
            "restore a backup of the journal, or remove that job"
        ) from error


def lookup_name(name: str | None) -> str | None:
    """A job's name as the index has it: the same text wherever UTF-8 can say it."""
    if name is None:
        return None
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


def pack_intervals(covered: IntervalSet) -> str:
    """``0-500,900-1000`` for the octets 0 to 499 and 900 to 999."""
    return ",".join(f"{start}-{stop}" for start, stop in covered.to_pairs())


def unpack_intervals(text: str) -> IntervalSet:
    """
    The set that `pack_intervals` wrote.

    :raises ValueError: another text.
    """
    if not text:
        return IntervalSet()
    pairs = (piece.split("-") for piece in text.split(","))
    return IntervalSet.from_pairs((int(start), int(stop)) for start, stop in pairs)


def _wishes(spec: JobSpec) -> dict[str, Any]:
    """Its fields as plain JSON."""
    wishes = _values(spec, _SPEC)
    wishes["headers"] = dict(spec.headers)
    wishes["pieces"] = None  # `storage.piecerows` keeps the hashes
    for name in _PARTS:
        wishes[name] = _parts(wishes[name])
    return wishes


def _values(value: object, names: tuple[str, ...]) -> dict[str, Any]:
    """Like `dataclasses.asdict`, which copies deeply and takes ten times as long."""
    return {name: getattr(value, name) for name in names}


def _remembered(told: Remembered) -> str:
    return _NOTHING_TOLD if told == _BLANK else _encode(_values(told, _REMEMBERED))


_NOTHING_TOLD = _encode(_values(_BLANK, _REMEMBERED))


def _parts(value: Any) -> dict[str, Any] | None:
    return None if value is None else asdict(value)


def _spec(wishes: dict[str, Any]) -> JobSpec:
    wishes["urls"] = tuple(wishes["urls"])
    wishes["logins"] = tuple(Login(*login) for login in wishes.get("logins", ()))
    wishes["on_conflict"] = OnConflict(wishes["on_conflict"])
    wishes["on_change"] = OnChange(wishes["on_change"])
    if wishes.get("pieces") is not None:
        wishes["pieces"] = Pieces(*wishes["pieces"])
    if wishes.get("push") is not None:
        push = wishes["push"]
        wishes["push"] = PushSpec(PushProtocol(push["protocol"]), push["metadata"])
    if wishes.get("repeat") is not None:
        wishes["repeat"] = Repeat(**wishes["repeat"])
    if wishes.get("mirror") is not None:
        wanted = wishes["mirror"]
        patterns = {name: tuple(wanted[name]) for name in ("include", "exclude")}
        wishes["mirror"] = MirrorSpec(**wanted | patterns)
    return JobSpec(**wishes)


def _pushed(told: dict[str, Any]) -> Pushed:
    return Pushed(
        LocalStamp(**told["stamp"]),
        PushProtocol(told["protocol"]),
        tuple(Part(**part) for part in told["parts"]),
    )
