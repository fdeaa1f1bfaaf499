"""
The access log: one line for each answer, in the combined format or as JSON.

Query strings are left out, as they may hold secrets.  Lines are written in a thread,
in batches, and the file is opened anew for each batch: whoever moves it away to rotate
it needs to tell nobody.
"""

from __future__ import annotations

import json
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from twisted.internet.defer import Deferred, succeed
from twisted.logger import Logger
from twisted.python.failure import Failure

from rangedaemon.storage.threads import InThread

_MOST_WAITING = 10_000
"""Lines to hold for a disk that does not keep up; the oldest go first."""

_log = Logger()


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """What there is to say of one answer."""

    time: float
    """When the request was there, in seconds since the epoch."""
    peer: str
    method: str
    path: str
    protocol: str
    status: int
    sent: int
    """Octets of the body that went out."""
    seconds: float
    """From the request to the end of its answer."""
    complete: bool
    range: str | None = None
    referer: str | None = None
    agent: str | None = None
    received: int = 0
    """Octets of the request's body that an upload brought."""


def format_combined(record: AccessRecord) -> str:
    """The combined log format of Apache and nginx."""
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(record.time))
    request = _quoted(f"{record.method} {record.path} {record.protocol}")
    return (
        f"{record.peer} - - [{when}] {request} {record.status} {record.sent or '-'} "
        f"{_quoted(record.referer)} {_quoted(record.agent)}"
    )


def format_json(record: AccessRecord) -> str:
    """One JSON object on one line; its time as in RFC 3339."""
    told = asdict(record)
    whole, millis = divmod(int(record.time * 1000), 1000)
    told["time"] = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole)) + f".{millis:03}Z"
    told["seconds"] = round(record.seconds, 6)
    return json.dumps(told)


FORMATS: dict[str, Callable[[AccessRecord], str]] = {
    "combined": format_combined,
    "json": format_json,
}


def _quoted(text: str | None) -> str:
    """In quotes, with nothing in it that ends them or the line."""
    if not text:
        return '"-"'
    plain = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if " " <= c <= "~" else f"\\x{ord(c):02x}" for c in plain) + '"'


class AccessLog:
    """Appends lines to a file, off the reactor thread."""

    def __init__(self, path: str | Path, form: str, in_thread: InThread) -> None:
        self._path = Path(path)
        self._format = FORMATS[form]
        self._in_thread = in_thread
        self._lines: deque[str] = deque(maxlen=_MOST_WAITING)
        self._writing: Deferred[None] | None = None

    def write(self, record: AccessRecord) -> None:
        """Have a line written soon."""
        self._lines.append(self._format(record))
        if self._writing is None:
            self._write_batch()

    def written(self) -> Deferred[None]:
        """Fires when all lines so far are in the file, or have failed to get there."""
        done: Deferred[None] = Deferred()
        if self._writing is None:
            return succeed(None)
        self._writing.addCallback(lambda _: self.written().chainDeferred(done))
        return done

    def _write_batch(self) -> None:
        batch = "".join(f"{line}\n" for line in self._lines)
        self._lines.clear()
        self._writing = Deferred()
        self._in_thread(_append, self._path, batch).addErrback(self._failed).addCallback(self._next)

    def _failed(self, failure: Failure) -> None:
        _log.error("cannot write {path}: {why}", path=self._path, why=failure.getErrorMessage())

    def _next(self, _: object) -> None:
        written, self._writing = self._writing, None
        if self._lines:
            self._write_batch()
        if written is not None:
            written.callback(None)


def _append(path: Path, text: str) -> None:
    # One write for the whole batch: several processes may append, and no line may be torn.
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab", buffering=0) as stream:
        stream.write(text.encode())
