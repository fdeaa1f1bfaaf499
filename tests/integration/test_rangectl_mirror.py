"""``rangectl`` and mirrors: what is asked for, and whom words mean."""

from __future__ import annotations

from dataclasses import replace

from rangedaemon.core.jobs import JobSpec
from rangedaemon.core.mirrors import MirrorSpec
from rangedaemon.core.repeats import Repeat
from tests.integration.rangectl_case import SiteCase

URL = "http://origin.example/pub/"


class MirrorTests(SiteCase):
    """Over a real socket, with jobs that only change when they are told to."""

    def test_options(self) -> None:
        """Every option has its wish; the mirror is told by its address."""
        ended = self.ctl(
            "mirror", URL, "--into", "sub", "--include", "*.iso", "--include", "a/*", "--exclude",
            "old", "--depth", "2", "--delete", "-H", "A: b", "-s", "3", "-p", "-2", "--limit",
            "2MiB", "--paused", "--window", "22:00-06:00", "--every", "6h", "--versions", "1",
        )  # fmt: skip
        self.assertEqual((ended.code, ended.err), (0, ""))
        self.assertEqual(ended.lines, [f"0000000000000001 paused {URL} (no round yet)"])
        spec = self.jobs.jobs["0000000000000001"].record.spec
        self.assertEqual(spec.mirror, MirrorSpec(("*.iso", "a/*"), ("old",), 2, delete=True))
        self.assertEqual((spec.kind, spec.directory), ("mirror", "/srv/downloads/sub"))
        self.assertEqual((spec.headers, spec.segments), ({"A": "b"}, 3))
        self.assertEqual((spec.priority, spec.rate_limit), (-2, 2 << 20))
        self.assertEqual((spec.repeat, spec.versions), (Repeat(every=21600.0), 1))
        self.assertEqual(spec.window, "22:00-06:00")

    def test_least(self) -> None:
        """An address will do; the folder is called as that ends."""
        self.assertEqual(self.ctl("mirror", "http://origin.example/a%20b").code, 0)
        spec = self.jobs.jobs["0000000000000001"].record.spec
        self.assertEqual(spec.directory, "/srv/downloads/a b")
        self.assertEqual(spec.urls, ("http://origin.example/a%20b/",))

    def test_refused(self) -> None:
        """What cannot be is told with its place, and nothing is added."""
        for option, value, told in (
            ("--depth", "33", "depth"),
            ("--into", "../x", "directory"),
            ("--exclude", "/", "exclude.0"),
            ("--cron", "never", "repeat.cron"),
        ):
            ended = self.ctl("mirror", URL, option, value)
            self.assertNotEqual(ended.code, 0, option)
            self.assertIn(told, ended.err)
        self.assertEqual(self.ctl("mirror", URL, "--paused", "--wait").code, 2)
        self.assertEqual(self.jobs.jobs, {})

    def test_set(self) -> None:
        """What a mirror keeps changes; ``none`` and ``all`` take away what was wished."""
        self.ctl(
            "mirror", URL, "--name", "mine", "--include", "*.iso", "--depth", "2", "--every", "6h"
        )
        self.assertEqual(self.ctl("set", "mine", "--exclude", "old", "--delete").code, 0)
        self.assertEqual(self.wishes.mirror, MirrorSpec(("*.iso",), ("old",), 2, delete=True))
        ended = self.ctl(
            "set", "mine", "--include", "none", "--depth", "all", "--keep", "--cron", "none"
        )
        self.assertEqual((ended.code, ended.err), (0, ""))
        self.assertEqual(self.wishes.mirror, MirrorSpec((), ("old",), None, delete=False))
        self.assertIsNone(self.wishes.repeat)
        self.assertIn("or all", self.ctl("set", "mine", "--depth", "few").err)

    @property
    def wishes(self) -> JobSpec:
        """Of the only job."""
        return self.jobs.jobs["0000000000000001"].record.spec

    def test_words(self) -> None:
        """Patterns mean no files of mirrors; a name that only a file has does."""
        self.assertEqual(self.ctl("mirror", URL, "--name", "mine").code, 0)
        self.assertEqual(self.ctl("add", "http://h.example/f", "--name", "lone").code, 0)
        child = self.jobs.jobs["0000000000000002"]
        spec = replace(child.record.spec, parent="0000000000000001")
        self.jobs.become("0000000000000002", spec=spec)
        self.assertEqual(self.ctl("pause", "*").code, 0)
        states = [job.record.state for job in self.jobs.jobs.values()]
        self.assertEqual(states, ["paused", "queued"])
        self.assertNotIn("lone", self.ctl("list").out)
        self.assertIn("lone", self.ctl("list", "--files", "mine").out)
        self.assertEqual(self.ctl("pause", "lone").code, 0)
        states = [job.record.state for job in self.jobs.jobs.values()]
        self.assertEqual(states, ["paused", "paused"])
