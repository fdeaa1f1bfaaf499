"""Tests for the section ``pushes`` and for jobs of ``kind: upload``."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import Config, ConfigError, Upload, parse
from rangedaemon.core.jobs import OnChange
from rangedaemon.core.push.values import PushProtocol
from rangedaemon.service.wiring import specs_of

BASE = Path("/etc/rangedaemon")
UPLOAD = """
jobs:
  - kind: upload
    name: backup
    file: out/backup.tar
    url: https://server.example/uploads
"""


def read(text: str) -> Config:
    return parse(text.encode(), {}, name="conf.yaml", base=BASE)


class PushesTests(SynchronousTestCase):
    """What leaves, and from where."""

    def complaints(self, text: str) -> list[str]:
        """The problems of a bad configuration, one a line."""
        return str(self.assertRaises(ConfigError, read, text)).splitlines()

    def test_default(self) -> None:
        """Only what was downloaded may leave."""
        config = read("downloads: {directory: got}")
        self.assertEqual(config.push_directories, (BASE / "got",))
        self.assertEqual(read("pushes: {directories: []}").push_directories, ())

    def test_upload(self) -> None:
        """A declared upload becomes a job's spec."""
        config = read("pushes: {directories: [out, /srv]}" + UPLOAD)
        [job] = config.jobs
        assert isinstance(job, Upload)
        [spec] = specs_of(config)
        assert spec.push is not None
        self.assertEqual((spec.kind, spec.source, spec.name), ("upload", "config", "backup"))
        self.assertEqual((spec.directory, spec.filename), (str(BASE / "out"), "backup.tar"))
        self.assertEqual(
            (spec.push.protocol, spec.on_change), (PushProtocol.AUTO, OnChange.RESTART)
        )
        self.assertEqual((spec.urls, spec.segments), (("https://server.example/uploads",), 8))

    def test_both_kinds(self) -> None:
        """Downloads and uploads stand side by side; download is what needs no word."""
        more = "  - {name: a, url: 'http://a.example/a'}\n"
        config = read("pushes: {directories: [out]}" + UPLOAD + more)
        self.assertEqual([spec.kind for spec in specs_of(config)], ["upload", "download"])

    def test_outside(self) -> None:
        """A file that may not leave is told of at once, with its job's name."""
        [told] = self.complaints("pushes: {directories: [other]}" + UPLOAD)
        self.assertIn("job backup: its file is below none of pushes.directories", told)

    def test_located(self) -> None:
        """Wrong keys and values of an upload are told at their lines, in its own words."""
        for line, told in (
            ("segmants: 3", 'conf.yaml:7: jobs.0.segmants: unknown key, did you mean "segments"?'),
            ("protocol: ftp", "conf.yaml:7: jobs.0.protocol: expected 'auto', 'tus', 'ietf' or"),
            ("on_change: keep-old", "conf.yaml:7: jobs.0.on_change: expected "),
            ("metadata: {'a b': c}", "conf.yaml:7: jobs.0.metadata: a key has 1 to 100"),
            ("checksum: https://a.example/S", "conf.yaml:7: jobs.0.checksum: algorithm=hex"),
            ("mirrors: []", "conf.yaml:7: jobs.0.mirrors: unknown key"),
        ):
            with self.subTest(line):
                [problem] = self.complaints(UPLOAD + f"    {line}\n")
                self.assertTrue(problem.startswith(told), problem)

    def test_unknown_kind(self) -> None:
        """Three kinds there are."""
        [problem] = self.complaints("jobs: [{kind: torrent, name: a, url: 'http://a.example/'}]")
        self.assertIn("jobs.0.kind: expected download, upload or mirror", problem)
