"""Tests for jobs of ``kind: mirror``."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import Config, ConfigError, parse
from rangedaemon.core.declared import Change, begins_anew, differences, rewished, wishes_of
from rangedaemon.core.jobs import JobRecord, JobSpec, JobState
from rangedaemon.core.mirrors import MirrorSpec
from rangedaemon.core.repeats import Repeat
from rangedaemon.service.wiring import specs_of

BASE = Path("/etc/rangedaemon")
MIRROR = """
downloads: {directory: got}
jobs:
  - kind: mirror
    name: updates
    url: https://dist.example.org/pub/updates
"""


def read(text: str) -> Config:
    return parse(text.encode(), {}, name="conf.yaml", base=BASE)


class MirrorTests(SynchronousTestCase):
    """Folders that are declared to be mirrored."""

    def spec(self, more: str = "") -> JobSpec:
        """The job that is declared with *more*."""
        [spec] = specs_of(read(MIRROR + more))
        return spec

    def test_least(self) -> None:
        """A name and an address will do: all files, into a folder of that name."""
        spec = self.spec()
        self.assertEqual((spec.kind, spec.source), ("mirror", "config"))
        self.assertEqual(spec.urls, ("https://dist.example.org/pub/updates/",))
        self.assertEqual(spec.directory, str(BASE / "got" / "updates"))
        self.assertEqual((spec.mirror, spec.repeat), (MirrorSpec(), None))

    def test_all(self) -> None:
        """Every key has its place."""
        spec = self.spec(
            "    directory: a/b\n    include: ['*.iso', 'x/*']\n    exclude: [old]\n"
            "    depth: 3\n    delete: true\n    repeat: {every: 6h}\n    versions: 2\n"
            "    username: u\n    password: p\n    headers: {X-Key: k}\n"
        )
        self.assertEqual(spec.mirror, MirrorSpec(("*.iso", "x/*"), ("old",), 3, delete=True))
        self.assertEqual((spec.repeat, spec.versions), (Repeat(every=21600.0), 2))
        self.assertEqual(spec.directory, str(BASE / "got" / "a" / "b"))
        self.assertEqual(spec.logins[0].origin, "https://dist.example.org:443")
        self.assertEqual(spec.headers, {"X-Key": "k"})

    def test_bad_values(self) -> None:
        """Each is told of with its place, and nothing besides."""
        table = {
            "depth: -1": "jobs.0.depth",
            "depth: 33": "jobs.0.depth",
            "include: '*.iso'": "jobs.0.include",
            "exclude: ['/']": "jobs.0.exclude.0: a pattern of names",
            "delete: perhaps": "jobs.0.delete",
            "directory: ../x": "jobs.0.directory",
            "filename: a": "jobs.0.filename",
            "checksum: sha-256=00": "jobs.0.checksum",
            "mirrors: ['http://h/']": "jobs.0.mirrors",
            "password: p": "jobs.0: a password needs a username",
            "repeat: {}": "jobs.0.repeat: give either every or cron",
        }
        for line, told in table.items():
            error = self.assertRaises(ConfigError, read, f"{MIRROR}    {line}\n")
            [problem] = str(error).splitlines()
            self.assertIn(told, problem, line)

    def test_declared_otherwise(self) -> None:
        """Other patterns are taken on; another folder or address is another mirror."""
        first = self.spec()
        known = replace(first, declared=wishes_of(first))
        record = JobRecord("0" * 16, known, JobState.COMPLETE, 0.0, seq=1)
        table = {
            "    delete: true\n": False,
            "    include: ['*.iso']\n": False,
            "    directory: other\n": True,
        }
        told: list[tuple[str, str]] = []
        for more, anew in table.items():
            now = self.spec(more)
            [difference] = differences([replace(now, declared=wishes_of(now))], [record])
            self.assertIs(difference.change, Change.CHANGED)
            self.assertIs(begins_anew(difference), anew, more)
            spec = rewished(difference)
            assert spec is not None
            self.assertEqual(spec.mirror, now.mirror)
            if not anew:
                told.append((difference.fields[0].old, difference.fields[0].new))
        self.assertEqual(
            told, [("nothing special", "delete True"), ("nothing special", "include *.iso")]
        )
        self.assertEqual(differences([replace(first, declared=wishes_of(first))], [record]), [])
