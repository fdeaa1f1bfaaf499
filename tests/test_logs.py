"""The forms of the log, and which one is chosen."""

from __future__ import annotations

import io
import json
import os
import sys
import tempfile
from pathlib import Path

from twisted.logger import LogEvent, Logger, LogLevel
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.service.logs import (
    Threshold,
    begin_anew,
    is_journal,
    journal_line,
    json_line,
    observer_of,
    output_of,
)


def event_of(text: str, level: object = LogLevel.info, **values: object) -> LogEvent:
    """An event as a logger makes it."""
    caught: list[LogEvent] = []
    logger = Logger(namespace="some.where", observer=caught.append)  # type: ignore[arg-type]
    logger.emit(level, text, **values)  # type: ignore[arg-type]
    (event,) = caught
    return {**event, "log_time": 1700000000.25}


def failure_of(error: Exception) -> Failure:
    """A failure with a traceback."""
    try:
        raise error
    except type(error):
        return Failure()


class JsonTests(SynchronousTestCase):
    """`json_line`."""

    def test_line(self) -> None:
        """When, how bad, who, what; values beside it where they are plain."""
        event = event_of("job {job}: {state}", LogLevel.warn, job="ä\n", state=5, other=object())
        line = json_line(event)
        self.assertEqual(line.count("\n"), 1)
        self.assertEqual(
            json.loads(line),
            {
                "time": "2023-11-14T22:13:20.250Z",
                "level": "warn",
                "logger": "some.where",
                "message": "job ä\n: 5",
                "values": {"job": "ä\n", "state": 5},
            },
        )

    def test_failure(self) -> None:
        """Its traceback."""
        event = event_of("broke", log_failure=failure_of(ValueError("no")))
        self.assertIn("ValueError: no", json.loads(json_line(event))["traceback"])

    def test_bare(self) -> None:
        """What printing leaves, without level and name."""
        told = json.loads(json_line({"log_time": 0.0, "log_format": "x"}))
        self.assertEqual((told["level"], told["logger"], told["message"]), ("info", "-", "x"))


class JournalTests(SynchronousTestCase):
    """`journal_line`."""

    def test_priorities(self) -> None:
        """A priority on the front of every line (syslog(3))."""
        for level, number in (
            (LogLevel.debug, 7), (LogLevel.info, 6), (LogLevel.warn, 4), (LogLevel.error, 3),
            (LogLevel.critical, 2),
        ):  # fmt: skip
            self.assertEqual(journal_line(event_of("x", level)), f"<{number}>some.where: x\n")

    def test_lines(self) -> None:
        """No line of a message or traceback goes without; none can forge a priority."""
        event = event_of("a\n<0>b", LogLevel.error, log_failure=failure_of(ValueError("no")))
        lines = journal_line(event).splitlines()
        self.assertGreater(len(lines), 3)
        self.assertTrue(all(line.startswith("<3>") for line in lines))
        self.assertEqual(lines[1], "<3><0>b")


class ChosenTests(SynchronousTestCase):
    """`is_journal` and `observer_of`."""

    def test_auto(self) -> None:
        """The journal's form where the output is the journal's stream, by device and inode."""
        with tempfile.TemporaryFile() as file:
            facts = os.fstat(file.fileno())
            ours = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino}"}
            other = {"JOURNAL_STREAM": f"{facts.st_dev}:{facts.st_ino + 1}"}
            for environ, journal in ((ours, True), (other, False), ({}, False)):
                self.assertEqual(is_journal(environ, file.fileno()), journal)

    def test_output(self) -> None:
        """Standard output in the foreground, a file where there is one, nothing for syslog."""
        for options in ({"nodaemon": 1}, {"nodaemon": 1, "logfile": "-"}):
            self.assertIs(output_of(options), sys.stdout)
        self.assertIsNone(output_of({"syslog": 1, "logfile": "x"}))
        for options in ({"logfile": self.mktemp()}, {"logfile": self.mktemp(), "nodaemon": 1}):
            file = output_of(options)
            self.addCleanup(file.close)
            self.assertEqual(file.path, str(options["logfile"]))

    def test_forms(self) -> None:
        """Text for people, also by default; JSON; the journal's lines."""
        for form, line in (
            ("text", r"[0-9T:+-]+ \[some.where#info\] hello\n"),
            ("auto", r".*\[some.where#info\] .*\n"),
            ("json", r"\{.*\}\n"), ("journal", r"<6>some.where: hello\n"),
        ):  # fmt: skip
            self.assertRegex(self.logged(form, "info", LogLevel.info), rf"\A{line}\Z")

    def test_level(self) -> None:
        """What is less than the level is left out, in every form; failures never are."""
        for form in ("text", "json", "journal"):
            self.assertEqual(self.logged(form, "info", LogLevel.debug), "")
            self.assertEqual(self.logged(form, "error", LogLevel.warn), "")
            self.assertIn("hello", self.logged(form, "debug", LogLevel.debug))
            self.assertIn("hello", self.logged(form, "error", LogLevel.critical))

    def test_another_level(self) -> None:
        """The level may change while the observer is in use."""
        out, threshold = io.StringIO(), Threshold("info")
        observer = observer_of("text", threshold, {}, out)
        for level in ("info", "debug", "info"):
            threshold.set(level)
            observer(event_of(f"debug at {level}", LogLevel.debug))
        self.assertRegex(out.getvalue(), r"\A[^\n]* debug at debug\n\Z")

    def logged(self, form: str, least: str, level: object) -> str:
        """What is written of an event of *level*."""
        out = io.StringIO()
        observer_of(form, Threshold(least), {}, out)(event_of("hello", level))
        return out.getvalue()

    def test_begins_anew(self) -> None:
        """A file is put aside; standard output is not ours."""
        path = Path(self.mktemp())
        file = output_of({"logfile": str(path)})
        self.addCleanup(file.close)
        observer = observer_of("text", Threshold("info"), {}, file)
        observer(event_of("before"))
        begin_anew(file)
        observer(event_of("after"))
        self.assertIn("before", path.with_name(f"{path.name}.1").read_text())
        self.assertNotIn("before", path.read_text())
        begin_anew(sys.stdout)
