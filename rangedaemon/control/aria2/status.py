"""aria2's status struct, made of our jobs: strings throughout, only the keys asked for; pure."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from rangedaemon.control.redaction import shown
from rangedaemon.control.views import final_path, moment, rate
from rangedaemon.core.intervals import ByteRange, IntervalSet
from rangedaemon.core.jobs import RUNNING, JobSnapshot, JobState, SegmentSnapshot

MIN_PIECE = 1024 * 1024
MAX_PIECES = 4096
"""A bitfield is for people's eyes: pieces grow with the file."""
REMOVED = "31"
UNASKED = ("verifyIntegrityPending",)
"""Told whatever the keys, while it holds."""

STATES = {
    JobState.QUEUED: "waiting",
    JobState.WAITING: "waiting",
    JobState.PAUSED: "paused",
    JobState.COMPLETE: "complete",
    JobState.FAILED: "error",
    **dict.fromkeys(RUNNING, "active"),
}

ERROR_CODES = {
    "timed-out": "2",
    "not-found": "3",
    "too-slow": "5",
    "unreachable": "6",
    "changed": "8",
    "no-ranges": "8",
    "no-space": "9",
    "name-taken": "13",
    "not-writable": "16",
    "storage": "17",
    "part-file-lost": "17",
    "bad-response": "22",
    "bad-redirect": "22",
    "server-error": "22",
    "too-many-redirects": "23",
    "unauthorized": "24",
    "forbidden-address": "24",
    "throttled": "29",
    "checksum-mismatch": "32",
}
"""Our words for faults as aria2's numbers; what is not here is 1, unknown."""


def piece_length(size: int) -> int:
    """Octets per piece of the bitfield."""
    length = MIN_PIECE
    while size > length * MAX_PIECES:
        length *= 2
    return length


def bitfield(size: int, covered: IntervalSet) -> str:
    """One bit per piece that is there as a whole, the highest first, as hex."""
    length = piece_length(size)
    pieces = -(-size // length)
    bits = bytearray(-(-pieces // 8))
    for piece in covered:
        first = -(-piece.start // length)
        last = pieces if piece.stop >= size else piece.stop // length
        for at in range(first, last):
            bits[at // 8] |= 0x80 >> at % 8
    return bits.hex()


def completed(snapshot: JobSnapshot) -> int:
    """Octets that are there, be they synced or not."""
    record = snapshot.record
    if record.state is JobState.COMPLETE and record.size is not None:
        return record.size
    return max(record.covered.total, snapshot.live.received or 0)


def uris_of(snapshot: JobSnapshot) -> list[dict[str, str]]:
    """The addresses; the first is the one in use."""
    urls = snapshot.record.spec.urls
    return [
        {"uri": shown(url), "status": "used" if at == 0 else "waiting"}
        for at, url in enumerate(urls)
    ]


def files_of(snapshot: JobSnapshot) -> list[dict[str, Any]]:
    """The one file of a job."""
    return [
        {
            "index": "1",
            "path": shown(final_path(snapshot.record) or ""),
            "length": str(snapshot.record.size or 0),
            "completedLength": str(completed(snapshot)),
            "selected": "true",
            "uris": uris_of(snapshot),
        }
    ]


def servers_of(segments: Iterable[SegmentSnapshot], rate: float) -> list[dict[str, Any]]:
    """Who is asked at this moment."""
    active = [segment.url for segment in segments if segment.state == "active" and segment.url]
    share = str(round(rate / len(active))) if active else "0"
    servers = [
        {"uri": shown(url), "currentUri": shown(url), "downloadSpeed": share} for url in active
    ]
    return [{"index": "1", "servers": servers}]


def status(
    snapshot: JobSnapshot, keys: Collection[str] = (), *, removed: bool = False
) -> dict[str, Any]:
    """The struct, with *keys* alone where there are any."""
    makers = _makers(snapshot, removed)
    chosen = {*keys, *UNASKED} if keys else makers
    found = {key: make() for key, make in makers.items() if key in chosen}
    return {key: value for key, value in found.items() if value is not None}


def _makers(snapshot: JobSnapshot, removed: bool) -> Mapping[str, Callable[[], Any]]:
    """How each field is made, only where it is asked for."""
    record, live = snapshot.record, snapshot.live
    size = record.size
    length = piece_length(size or 0)

    def speed(other_way: bool) -> str:
        return "0" if removed or other_way else str(rate(snapshot))

    fields: dict[str, Callable[[], Any]] = {
        "gid": lambda: record.id,
        "status": lambda: "removed" if removed else STATES[record.state],
        "totalLength": lambda: str(size or 0),
        "completedLength": lambda: str(completed(snapshot)),
        "uploadLength": lambda: str(completed(snapshot) if record.spec.is_upload else 0),
        "bitfield": lambda: _bitfield(snapshot),
        "downloadSpeed": lambda: speed(record.spec.is_upload),
        "uploadSpeed": lambda: speed(not record.spec.is_upload),
        "connections": lambda: "0" if removed else str(live.connections),
        "pieceLength": lambda: str(length),
        "numPieces": lambda: str(-(-(size or 0) // length)),
        "files": lambda: files_of(snapshot),
        "dir": lambda: shown(record.spec.directory),
        "etag": lambda: record.remembered.etag,
        "lastModified": lambda: record.remembered.last_modified,
        "verified": lambda: record.verified and record.verified.value,
        "nextRetryAt": lambda: moment(record.retry_at),
        "verifyIntegrityPending": lambda: _verifying(snapshot, removed),
        "errorCode": lambda: _error_code(snapshot, removed),
        "errorMessage": lambda: _error_message(snapshot),
    }
    return fields


def _verifying(snapshot: JobSnapshot, removed: bool) -> str | None:
    return "true" if snapshot.record.state is JobState.VERIFYING and not removed else None


def _bitfield(snapshot: JobSnapshot) -> str | None:
    size = snapshot.record.size
    if size is None:
        return None
    whole = IntervalSet([ByteRange(0, size)])
    done = snapshot.record.state is JobState.COMPLETE
    return bitfield(size, whole if done else snapshot.record.covered)


def _error_code(snapshot: JobSnapshot, removed: bool) -> str | None:
    record = snapshot.record
    if removed:
        return REMOVED
    if record.state is JobState.COMPLETE:
        return "0"
    if record.state is not JobState.FAILED:
        return None
    return ERROR_CODES.get(record.error.code, "1") if record.error else "1"


def _error_message(snapshot: JobSnapshot) -> str | None:
    record = snapshot.record
    if record.state is JobState.COMPLETE:
        return ""
    if record.state is not JobState.FAILED or record.error is None:
        return None
    return shown(record.error.message)
