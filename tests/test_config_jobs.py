"""Tests for declared jobs: which hours and calendars they take, and what is refused."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import ConfigError, Job, parse
from rangedaemon.core.declared import OnRemoved


def declared(text: str) -> Job:
    """One declared download with one key more, on line 4."""
    data = f"jobs:\n  - name: a\n    url: http://h/f\n    {text}\n".encode()
    [job] = parse(data, {}, name="c.yaml", base=Path("/base")).jobs
    assert isinstance(job, Job)
    return job


class DeclaredCase(SynchronousTestCase):
    """Values and problems."""

    def assert_problem(self, text: str, *said: str) -> None:
        """It has one problem, on its fourth line, that says all of this."""
        error = self.assertRaises(ConfigError, declared, text)
        [problem] = error.problems
        self.assertEqual(problem.line, 4, text)
        for words in said:
            self.assertIn(words, problem.located("c.yaml"), text)


class HoursTests(DeclaredCase):
    """``start_at`` and ``window``."""

    def test_given(self) -> None:
        """Unquoted times stay times."""
        self.assertEqual(declared("start_at: 22:00").start_at, "22:00")
        instant = "2026-12-24T22:00:00+01:00"
        self.assertEqual(declared(f"start_at: {instant}").start_at, instant)
        self.assertEqual(declared("window: mon-fri 22:00-06:00").window, "mon-fri 22:00-06:00")

    def test_refused(self) -> None:
        """Told with line and key, and what was expected there."""
        self.assert_problem("start_at: noon", "start_at", "expected a time such as 22:00")
        self.assert_problem("start_at: 2026-02-30T00:00:00Z", "there is no such day")
        self.assert_problem("window: 22:00", "window", "expected a window such as")


class RepeatTests(DeclaredCase):
    """``repeat`` and ``versions``."""

    def test_given(self) -> None:
        """By a duration or by a cron expression."""
        repeat = declared("repeat: {every: 6h, jitter: 5m}").repeat
        assert repeat is not None
        self.assertEqual((repeat.every, repeat.cron, repeat.jitter), (21600.0, None, 300.0))
        repeat = declared('repeat: {cron: "0 3 * * *"}').repeat
        assert repeat is not None
        self.assertEqual((repeat.every, repeat.cron, repeat.jitter), (None, "0 3 * * *", 0.0))
        self.assertEqual(declared("versions: 3").versions, 3)

    def test_refused(self) -> None:
        """Neither or both, no such time, too often."""
        self.assert_problem("repeat: {}", "repeat", "either every or cron")
        self.assert_problem('repeat: {every: 1h, cron: "0 3 * * *"}', "either every or cron")
        self.assert_problem("repeat: {every: 0}", "repeat.every", "at least 1")
        self.assert_problem("repeat: {cron: daily}", "repeat.cron", "such as 0 3 * * *")
        self.assert_problem("repeat: {evry: 1h}", "repeat.evry", "every")
        self.assert_problem("versions: -1", "versions")


class RemovedTests(SynchronousTestCase):
    """``downloads.on_removed``."""

    def test_refused(self) -> None:
        """Another word is refused with those that would do."""
        data = b"downloads:\n  on_removed: forget\n"
        error = self.assertRaises(ConfigError, parse, data, {}, name="c.yaml", base=Path("/base"))
        [problem] = error.problems
        located = problem.located("c.yaml")
        self.assertIn("c.yaml:2: downloads.on_removed:", located)
        for word in OnRemoved:
            self.assertIn(word, located)


class WatchTests(SynchronousTestCase):
    """``downloads.watch``."""

    def test_refused(self) -> None:
        """Without a directory, or with another end than there is."""
        for text, words in (
            ("{}", "downloads.watch.directory: is required"),
            ("{directory: a, done: keep}", "downloads.watch.done: "),
            ("{directory: a, dnoe: delete}", "downloads.watch.dnoe: "),
        ):
            data = f"downloads:\n  watch: {text}\n".encode()
            error = self.assertRaises(ConfigError, parse, data, {}, name="c.yaml", base=Path("/b"))
            self.assertIn(f"c.yaml:2: {words}", error.problems[0].located("c.yaml"))
