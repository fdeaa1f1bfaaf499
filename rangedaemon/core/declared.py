"""
What a configuration declares against what it declared before: new, changed, removed; pure.

A job remembers its wishes as they were declared last.  So what a run made of them
(mirrors that a metalink named, a checksum from a list) is no difference, and what somebody
changed by hand stays until the file says something new.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from typing import Any

from rangedaemon.core.jobs import RUNNING, JobRecord, JobSpec

SECRET = frozenset({"headers", "logins", "metadata"})
"""Wishes whose values are never shown."""
PLACE = frozenset({"directory", "filename"})
"""Wishes that say where the file goes."""
WHAT = frozenset({"urls", "checksum"})
"""Wishes that say which file it is."""
HOW = frozenset({"protocol", "metadata"})
"""Wishes that say how a file is pushed."""
_COMPARED = (
    *("urls", "directory", "filename", "checksum", "headers", "logins", "segments", "priority"),
    *("rate_limit", "on_conflict", "on_change", "start_at", "window", "repeat", "versions"),
    *("protocol", "metadata", "mirror"),
)


class OnRemoved(StrEnum):
    """What becomes of a job that is not declared any more."""

    KEEP = "keep"
    PAUSE = "pause"
    REMOVE = "remove"


class Change(StrEnum):
    """What is different about a job."""

    NEW = "new"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class FieldChange:
    """One wish; texts for people, no secret among them."""

    field: str
    old: str
    new: str


@dataclass(frozen=True, slots=True)
class Difference:
    """One job that is not as declared."""

    change: Change
    name: str
    fields: tuple[FieldChange, ...] = ()
    spec: JobSpec | None = None
    """As it is declared now; None: it is not."""
    record: JobRecord | None = None
    """As it is known; None: it is not."""


def wishes_of(spec: JobSpec) -> Mapping[str, Any]:
    """What is compared of *spec*, as JSON has it; of secrets a digest."""
    told: dict[str, Any] = {name: getattr(spec, name) for name in _COMPARED if name not in HOW}
    told["protocol"] = spec.push and spec.push.protocol
    told["metadata"] = spec.push and dict(spec.push.metadata)
    told["repeat"] = spec.repeat and asdict(spec.repeat)
    told["mirror"] = spec.mirror and asdict(spec.mirror)
    told["headers"], told["logins"] = dict(spec.headers), sorted(map(list, spec.logins))
    plain: dict[str, Any] = json.loads(json.dumps(told))
    for name in SECRET:
        octets = json.dumps(plain[name], sort_keys=True).encode()
        plain[name] = hashlib.sha256(octets).hexdigest() if plain[name] else None
    return plain


def differences(specs: Sequence[JobSpec], known: Sequence[JobRecord]) -> list[Difference]:
    """
    New and changed jobs in the order they are declared, then the removed ones.

    :param specs: what is declared now, each under a name of its own.
    :param known: the records of those names, and all others that were declared before.
    """
    records = {record.spec.name: record for record in sorted(known, key=lambda r: r.seq)}
    found = [_judged(spec, records.pop(spec.name, None)) for spec in specs]
    removed = [
        Difference(Change.REMOVED, record.spec.name or record.id, record=record)
        for record in records.values()
        if record.spec.source == "config"
    ]
    return [*(difference for difference in found if difference is not None), *removed]


def _judged(spec: JobSpec, record: JobRecord | None) -> Difference | None:
    """How *spec* differs; a job that somebody else added under its name is left alone."""
    name = spec.name or ""
    if record is None:
        return Difference(Change.NEW, name, spec=spec)
    before = record.spec.declared
    if before is None or record.spec.source != "config":
        return None
    now = wishes_of(spec)
    fields = tuple(
        FieldChange(field, _shown(field, before.get(field)), _shown(field, now[field]))
        for field in _COMPARED
        if field in before and before[field] != now[field]  # else nobody has asked before
    )
    return Difference(Change.CHANGED, name, fields, spec, record) if fields else None


def _shown(field: str, value: Any) -> str:
    if field in SECRET:
        return "none" if value is None else "(secret)"
    if isinstance(value, list):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        told = [f"{key} {_shown(key, each)}" for key, each in value.items() if each]
        return ", ".join(told) or "nothing special"
    return "none" if value is None else str(value)


def begins_anew(difference: Difference) -> bool:
    """Whether a changed job is another one now: the file that it has is not what is asked for."""
    record, fields = difference.record, {change.field for change in difference.fields}
    if (
        record is not None
        and difference.spec is not None
        and difference.spec.kind != record.spec.kind
    ):
        return True
    if record is not None and record.spec.is_upload:
        begun = record.state in RUNNING or record.pushed is not None
        return begun and bool(fields & (PLACE | WHAT | HOW))
    if record is not None and record.spec.mirror is not None:
        return bool(fields & (PLACE | WHAT))
    if record is None or record.filename is None:
        return False
    return bool(fields & PLACE) or bool(fields & WHAT and record.verified is not None)


def rewished(difference: Difference) -> JobSpec | None:
    """The wishes of a changed job, with what is declared otherwise now."""
    if difference.spec is None or difference.record is None:
        return None
    changed: dict[str, Any] = {
        change.field: getattr(difference.spec, change.field)
        for change in difference.fields
        if change.field not in HOW
    }
    if WHAT & set(changed):
        changed |= {"metalink": None, "pieces": None, "size": None, "sums": None, "described": None}
    return replace(
        difference.record.spec,
        declared=difference.spec.declared,
        push=difference.spec.push,
        **changed,
    )
