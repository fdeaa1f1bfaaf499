"""The log's view of the jobs: one line for each change of state."""

from __future__ import annotations

from datetime import UTC, datetime

from twisted.logger import Logger

from rangedaemon.core.jobs import FINISHED, JobEvent, JobRecord, JobState

_IN_TURN = frozenset({JobState.QUEUED, JobState.PROBING})
_NEWS = {"removed": "removed", "changed": "the file changed at the origin"}
_NEWS_OF_UPLOADS = {**_NEWS, "changed": "the local file changed"}


class JobLog:
    """A listener for `Jobs.subscribe`; remembers the states of unfinished jobs only."""

    _log = Logger()

    def __init__(self) -> None:
        self._states: dict[str, JobState] = {}

    def __call__(self, event: JobEvent) -> None:
        """Write down what is new."""
        record = event.snapshot.record
        news = _NEWS_OF_UPLOADS if record.spec.is_upload else _NEWS
        if event.kind in news:
            self._log.info("job {job}: {news}", job=_called(record), news=news[event.kind])
        elif event.kind == "job" and self._is_news(record):
            before, self._states[record.id] = self._states.get(record.id), record.state
            self._write(record, before)
        if event.kind == "removed" or record.state in FINISHED:
            self._states.pop(record.id, None)

    def _is_news(self, record: JobRecord) -> bool:
        """A job that has just come and waits is none: there may be thousands a second."""
        before = self._states.get(record.id)
        if before is None:
            return record.state not in (JobState.QUEUED, JobState.PAUSED)
        return before is not record.state

    def _write(self, record: JobRecord, before: JobState | None) -> None:
        if record.verified is not None and record.state in _IN_TURN:
            return  # there may be thousands whose turn comes at once: what it brings is told
        if record.error is not None and record.state is not JobState.QUEUED:
            code, message = record.error.code, record.error.message
            self._log.warn(
                "job {job}: {state}, {code}: {why}{again}",
                job=_called(record), state=record.state.value, code=code, why=message,
                again=_again(record),
            )  # fmt: skip
        elif record.verified is not None and before is JobState.PROBING:
            self._log.info("job {job}: unchanged", job=_called(record))
        else:
            self._log.info("job {job}: {state}", job=_called(record), state=record.state.value)


def _again(record: JobRecord) -> str:
    """When a job that waits is tried again, and how often it was without progress."""
    if record.retry_at is None:
        return ""
    at = datetime.fromtimestamp(record.retry_at, UTC).isoformat(timespec="seconds")
    return f"; try {record.attempts} without progress, the next at {at}"


def _called(record: JobRecord) -> str:
    """What people know the job by; never its address, which may hold a secret."""
    return record.spec.name or record.filename or record.id
