"""Tests for the section ``downloads`` of the configuration: what it takes, what it says no to."""

from __future__ import annotations

import json
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import ConfigError, Downloads, parse
from rangedaemon.config.schema import schema_text
from rangedaemon.core.retry import RetryClass
from rangedaemon.core.timetable import timetable

MIB = 1 << 20


def downloads(text: str) -> Downloads:
    """The section, of a configuration with nothing else."""
    data = f"downloads:\n  {text}\n".encode()
    return parse(data, {}, name="c.yaml", base=Path("/base")).downloads


class DownloadsCase(SynchronousTestCase):
    """Values and problems."""

    def assert_problem(self, text: str, *said: str) -> None:
        """It has one problem, on its second line, that says all of this."""
        error = self.assertRaises(ConfigError, downloads, text)
        [problem] = error.problems
        self.assertEqual(problem.line, 2, text)
        for words in said:
            self.assertIn(words, problem.located("c.yaml"), text)


class RateTests(DownloadsCase):
    """``rate_limit`` and ``rate_limit_per_host``."""

    def test_forms(self) -> None:
        """A rate, one line of windows, or keys and values: all the same thing."""
        night = timetable({"22:00-06:00": None, "default": 2 * MIB})
        for text, meaning in (
            ("null", None),
            ("2MiB", 2 * MIB),
            ("1000", 1000),
            ('"22:00-06:00 none; default 2MiB"', night),
            ('{"22:00-06:00": null, default: 2MiB/s}', night),
            ("{22:00-06:00: none, default: 2097152}", night),
            ("08:00-18:00 2MiB", timetable({"08:00-18:00": 2 * MIB})),
        ):
            self.assertEqual(downloads(f"rate_limit: {text}").rate_limit, meaning, text)
            given = downloads(f"rate_limit_per_host: {text}")
            self.assertEqual(given.rate_limit_per_host, meaning, text)

    def test_refused(self) -> None:
        """Told with line and key, and what was expected there."""
        for text, words in (
            ("0", "must be at least 1"),
            ("fast", "expected octets per second"),
            ("{}", "needs a window"),
            ("{night: 1}", "expected a window such as 08:00-18:00"),
            ("{08:00-25:00: 1}", "expected a window"),
            ('{"08:00-18:00": fast}', "08:00-18:00: expected octets per second"),
            ('"08:00-18:00"', "expected windows with a limit each"),
            ("[1]", "expected octets per second"),
        ):
            self.assert_problem(f"rate_limit: {text}", "downloads.rate_limit", words)

    def test_schema(self) -> None:
        """The published schema lets through what the configuration takes."""
        keys = json.loads(schema_text())["$defs"]["Downloads"]["properties"]
        forms = keys["rate_limit"]["anyOf"][0]["anyOf"]
        self.assertEqual({form.get("type", "any") for form in forms}, {"any", "string", "object"})


class LowestSpeedTests(DownloadsCase):
    """``lowest_speed``."""

    def test_given(self) -> None:
        """A rate, and how long."""
        floor = downloads("lowest_speed: {rate: 10KiB, period: 2m}").lowest_speed
        self.assertIsNotNone(floor)
        if floor is not None:
            self.assertEqual((floor.rate, floor.period), (10240, 120.0))
        self.assertIsNone(downloads("lowest_speed: null").lowest_speed)

    def test_refused(self) -> None:
        """Without a rate, or with one that is none."""
        self.assert_problem("lowest_speed: {}", "downloads.lowest_speed.rate", "is required")
        self.assert_problem("lowest_speed: {rate: 0}", "downloads.lowest_speed.rate")
        self.assert_problem("lowest_speed: {rate: 1, time: 3}", "downloads.lowest_speed.time")
        self.assert_problem("lowest_speed: {rate: 1, period: 0}", "must be more than 0")


class RetryTests(DownloadsCase):
    """``retry``."""

    def test_given(self) -> None:
        """Classes by status and by code; a pace of its own for who asks for peace."""
        classes = "{404: transient, too-slow: permanent}"
        retry = downloads(
            f"retry: {{attempts: 3, throttled: {{attempts: 20}}, classes: {classes}}}"
        ).retry
        self.assertEqual(
            retry.classes, {"404": RetryClass.TRANSIENT, "too-slow": RetryClass.PERMANENT}
        )
        self.assertEqual((retry.attempts, retry.throttled and retry.throttled.attempts), (3, 20))

    def test_refused(self) -> None:
        """Statuses and codes that there are not, classes that there are not."""
        self.assert_problem("retry: {classes: {200: transient}}", "expected a status such as 404")
        self.assert_problem(
            "retry: {classes: {unreachabel: transient}}", 'did you mean "unreachable"?'
        )
        self.assert_problem(
            "retry: {classes: {404: later}}", "downloads.retry.classes.404", "'permanent'"
        )
        self.assert_problem(
            "retry: {throttled: {initial_delay: 10m}}", "downloads.retry.throttled", "max_delay"
        )


class DiskTests(DownloadsCase):
    """``disk``."""

    def test_given(self) -> None:
        """Sizes, words and permissions."""
        disk = downloads(
            'disk: {keep_free: 1GiB, preallocation: falloc, file_time: origin, file_mode: "0640"}'
        ).disk
        self.assertEqual((disk.keep_free, disk.file_mode), (1 << 30, 0o640))
        self.assertEqual((disk.preallocation, disk.file_time), ("falloc", "origin"))
        bare = downloads("disk:").disk
        self.assertEqual((bare.keep_free, bare.preallocation, bare.file_mode), (0, "none", None))

    def test_refused(self) -> None:
        """Octal without quotes, modes that lock the owner out, words that are none."""
        for text, words in (
            ("{file_mode: 0640}", 'expected permissions in quotes, such as "0640"'),
            ('{file_mode: "0999"}', "expected permissions"),
            ('{file_mode: "0044"}', "must let its owner read and write"),
            ("{preallocation: full}", "expected 'none' or 'falloc'"),
            ("{file_time: remote}", "expected 'now' or 'origin'"),
            ("{keep_free: much}", "expected a size"),
            ("{keep_fre: 1}", 'did you mean "keep_free"?'),
        ):
            self.assert_problem(f"disk: {text}", "downloads.disk.", words)


class ResumeOverlapTests(DownloadsCase):
    """``resume_overlap``."""

    def test_sizes(self) -> None:
        """Octets, none too; 64 KiB where nothing is said."""
        for text, octets in (
            ("resume_overlap: 0", 0),
            ("resume_overlap: 1MiB", MIB),
            ("{}", 65536),
        ):
            self.assertEqual(downloads(text).resume_overlap, octets, text)

    def test_refused(self) -> None:
        """What is no size."""
        for text in ("-1", "lots", "null", "true"):
            self.assert_problem(f"resume_overlap: {text}", "downloads.resume_overlap: ")
