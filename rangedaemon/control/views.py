"""Jobs as the API shows them: pure, from snapshots to the models of the contract."""

from __future__ import annotations

import math
import os.path
from collections.abc import Iterable
from dataclasses import asdict
from datetime import UTC, datetime

from rangedaemon.control.jobobjects import JobErrorObject, JobList, JobObject
from rangedaemon.control.mirrored import MirrorObject, RoundObject
from rangedaemon.control.models import (
    FieldDifference,
    JobDifference,
    Plan,
    RepeatBody,
    SegmentList,
    SegmentObject,
    StatusObject,
)
from rangedaemon.control.ports import Place, Totals
from rangedaemon.control.redaction import shown, shown_or_none
from rangedaemon.core.declared import Difference
from rangedaemon.core.jobs import (
    JobError,
    JobPage,
    JobRecord,
    JobSnapshot,
    JobState,
    SegmentSnapshot,
)
from rangedaemon.core.naming import finished_name
from rangedaemon.core.push.values import PushProtocol
from rangedaemon.core.repeats import Repeat


def moment(seconds: float | None) -> str | None:
    """RFC 3339 in UTC, to the millisecond."""
    if seconds is None:
        return None
    text = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds")
    return text.removesuffix("+00:00") + "Z"


def received(record: JobRecord) -> int:
    """Octets that are safely in the file: synced and journalled."""
    if record.state is JobState.COMPLETE and record.size is not None:
        return record.size
    return record.covered.total


def rate(snapshot: JobSnapshot) -> int:
    """Octets per second while octets come; what lingers in the average afterwards is none."""
    return round(snapshot.live.rate) if snapshot.record.state is JobState.ACTIVE else 0


def eta(snapshot: JobSnapshot) -> int | None:
    """Whole seconds until the last octet at the present rate."""
    size, present = snapshot.record.size, snapshot.live.rate
    if snapshot.record.state is not JobState.ACTIVE or size is None or present <= 0:
        return None
    done = max(received(snapshot.record), snapshot.live.received or 0)
    return math.ceil(max(0, size - done) / present)


def final_path(record: JobRecord) -> str | None:
    """Where the finished file is, or will be once its name is settled."""
    name = finished_name(record)
    return None if name is None else os.path.join(record.spec.directory, name)  # noqa: PTH118


def job_object(snapshot: JobSnapshot) -> JobObject:
    """The job object of the contract."""
    record, live = snapshot.record, snapshot.live
    spec, origin = record.spec, record.remembered
    return JobObject(
        id=record.id,
        seq=record.seq,
        kind=spec.kind,
        name=shown_or_none(spec.name),
        urls=[shown(url) for url in spec.urls],
        directory=_text(spec.directory),
        filename=_text_or_none(record.filename or spec.filename),
        path=_text_or_none(final_path(record)),
        state=record.state,
        size=record.size,
        received=received(record),
        refetched=record.refetched,
        rate=rate(snapshot),
        eta_s=eta(snapshot),
        connections=live.connections,
        etag=_text_or_none(origin.etag),
        last_modified=_text_or_none(origin.last_modified),
        accepts_ranges=record.accepts_ranges,
        checksum=record.digest or spec.checksum,
        verified=record.verified,
        error=_error_object(record.error),
        attempts=record.attempts,
        retry_at=moment(record.retry_at),
        created=moment(record.created) or "",
        started=moment(record.started),
        finished=moment(record.finished),
        priority=spec.priority,
        rate_limit=spec.rate_limit,
        segments=spec.segments,
        start_at=spec.start_at,
        window=spec.window,
        repeat=_repeat(spec.repeat),
        versions=spec.versions,
        protocol=_protocol(record),
        parent=spec.parent,
        mirror=_mirror(record),
    )


def _repeat(repeat: Repeat | None) -> RepeatBody | None:
    return None if repeat is None else RepeatBody.model_construct(**asdict(repeat))


def _protocol(record: JobRecord) -> PushProtocol | None:
    """The one in use, or the one that was asked for."""
    if record.pushed is not None:
        return record.pushed.protocol
    return record.spec.push.protocol if record.spec.push is not None else None


def _mirror(record: JobRecord) -> MirrorObject | None:
    spec, told = record.spec.mirror, record.mirrored
    if spec is None:
        return None
    times = told and {"began": moment(told.began), "ended": moment(told.ended)}
    return MirrorObject.model_construct(
        include=[shown(pattern) for pattern in spec.include],
        exclude=[shown(pattern) for pattern in spec.exclude],
        depth=spec.depth,
        delete=spec.delete,
        round=told and RoundObject.model_construct(**asdict(told) | (times or {})),
    )


def job_list(page: JobPage) -> JobList:
    """A page of jobs."""
    return JobList(jobs=[job_object(job) for job in page.jobs], next=page.next_cursor)


def segment_list(segments: Iterable[SegmentSnapshot]) -> SegmentList:
    """A job's segments."""
    return SegmentList(segments=[_segment_object(segment) for segment in segments])


def status_object(
    totals: Totals,
    *,
    version: str,
    uptime: float,
    rate_out: float,
    config: str | None,
    files: Iterable[Place] = (),
) -> StatusObject:
    """The daemon's status; every state is counted, be it zero."""
    folders = list(files)
    return StatusObject(
        version=version,
        uptime_s=round(uptime, 3),
        jobs={state: totals.counts.get(state, 0) for state in JobState},
        rate_in=round(totals.rate_in),
        rate_out=round(rate_out + totals.rate_out),
        config=_text_or_none(config),
        files=[place.url for place in folders],
        uploads=[place.url for place in folders if place.uploads],
    )


def plan_object(found: Iterable[Difference]) -> Plan:
    """What a reload would make of the declared jobs."""
    return Plan(
        changes=[
            JobDifference(
                change=each.change,
                name=shown(each.name),
                fields=[
                    FieldDifference(field=f.field, old=shown(f.old), new=shown(f.new))
                    for f in each.fields
                ],
            )
            for each in found
        ]
    )


def _segment_object(segment: SegmentSnapshot) -> SegmentObject:
    return SegmentObject(
        start=segment.start,
        end=segment.end,
        received=segment.received,
        state=segment.state,
        url=shown_or_none(segment.url),
    )


def _error_object(error: JobError | None) -> JobErrorObject | None:
    if error is None:
        return None
    return JobErrorObject(
        code=error.code, message=shown(error.message), url=shown_or_none(error.url)
    )


def _text(text: str) -> str:
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def _text_or_none(text: str | None) -> str | None:
    return None if text is None else _text(text)
