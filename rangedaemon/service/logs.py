"""
What the daemon's log looks like: lines for people, JSON for programs, or for the journal.

twistd takes the observer from the application, which also leaves out what is below the
level that is asked for; only syslog is left to twistd.  systemd's journal reads a priority
off the front of each line (sd-daemon(3)) and keeps times itself; whether it is what we
write to stands in ``$JOURNAL_STREAM`` (systemd.exec(5)).
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from twisted.application.service import MultiService
from twisted.logger import (
    FileLogObserver,
    FilteringLogObserver,
    ILogFilterPredicate,
    ILogObserver,
    LogEvent,
    LogLevel,
    PredicateResult,
    formatEvent,
    textFileLogObserver,
)
from twisted.python.components import Componentized
from twisted.python.logfile import LogFile
from zope.interface import implementer

_PRIORITIES = {
    LogLevel.debug: 7,
    LogLevel.info: 6,
    LogLevel.warn: 4,
    LogLevel.error: 3,
    LogLevel.critical: 2,
}
_PLAIN = (str, int, float, bool)


@implementer(ILogFilterPredicate)
class Threshold:
    """A filter that lets through what is as bad as its level, or worse; that may change."""

    def __init__(self, level: str) -> None:
        self.set(level)

    def set(self, level: str) -> None:
        """Another level, as the configuration names it."""
        self._least = LogLevel.lookupByName(level)

    def __call__(self, event: LogEvent) -> Any:
        """As `ILogFilterPredicate`."""
        return PredicateResult.no if _level(event) < self._least else PredicateResult.maybe


class LoggingRoot(MultiService):
    """The service at the top of an application, which may say how that logs."""

    observer: ILogObserver | None = None
    """What twistd is to log by; None: by its own."""
    threshold: Threshold | None = None
    """What decides how much of it."""

    def setServiceParent(self, parent: Any) -> None:
        """Join the application that twistd has made."""
        super().setServiceParent(parent)  # type: ignore[no-untyped-call]
        if self.observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self.observer)


def is_journal(environ: Mapping[str, str], output: int) -> bool:
    """Whether the descriptor *output* leads to systemd's journal."""
    device, _, inode = environ.get("JOURNAL_STREAM", "").partition(":")
    facts = os.fstat(output)
    return (device, inode) == (str(facts.st_dev), str(facts.st_ino))


def output_of(options: Mapping[str, Any]) -> Any:
    """
    What is logged to: standard output, a file that begins anew now and then; None for syslog.

    :param options: twistd's, which say where the log goes.
    """
    file, detached = options.get("logfile"), not options.get("nodaemon")
    if options.get("syslog"):
        return None
    if file == "-" or (not file and not detached):
        return sys.stdout
    return LogFile.fromFullPath(file or "twistd.log")


def begin_anew(output: Any) -> None:
    """Have a file of ours begin anew; what else we write to is somebody else's."""
    if isinstance(output, LogFile):
        output.rotate()


def observer_of(
    form: str, threshold: Threshold, environ: Mapping[str, str], output: Any
) -> ILogObserver:
    """What writes *form*, as far as *threshold* lets it through, to *output*."""
    if form == "auto":
        ours = output is sys.stdout and is_journal(environ, output.fileno())
        form = "journal" if ours else "text"
    line = _FORMS.get(form)
    observer = FileLogObserver(output, line) if line else textFileLogObserver(output)
    return FilteringLogObserver(observer, [threshold])


def json_line(event: LogEvent) -> str:
    """One JSON object: when, how bad, who, what, and the plain values that it was made of."""
    when = datetime.fromtimestamp(event["log_time"], UTC)
    told: dict[str, Any] = {
        "time": when.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": _level(event).name,
        "logger": event.get("log_namespace") or "-",
        "message": _message(event),
    }
    values = {
        name: value
        for name, value in event.items()
        if not name.startswith("log_") and name not in told and isinstance(value, _PLAIN)
    }
    if values and event.get("log_format"):
        told["values"] = values
    failure = event.get("log_failure")
    if failure is not None:
        told["traceback"] = failure.getTraceback()
    return json.dumps(told, ensure_ascii=False) + "\n"


def journal_line(event: LogEvent) -> str:
    """Lines with a priority each, as all of one message would be cut apart otherwise."""
    text = f"{event.get('log_namespace') or '-'}: {_message(event)}"
    failure = event.get("log_failure")
    if failure is not None:
        text += "\n" + failure.getTraceback()
    front = f"<{_PRIORITIES[_level(event)]}>"
    return "".join(f"{front}{line}\n" for line in text.splitlines())


def _level(event: LogEvent) -> Any:
    return event.get("log_level") or LogLevel.info


def _message(event: LogEvent) -> str:
    return formatEvent(event).replace("\0", "")


_FORMS: Mapping[str, Callable[[LogEvent], str]] = {"json": json_line, "journal": journal_line}
