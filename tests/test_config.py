"""The configuration: what a file becomes, and how everything wrong with one is said."""

from __future__ import annotations

from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.core.jobs import OnConflict
from tests.configs import BASE, config_of, problems_of


class DefaultsTests(SynchronousTestCase):
    """What stands where the file says nothing."""

    def test_smallest(self) -> None:
        """A pure downloader needs no section at all; paths are relative to the file."""
        config = config_of("state_dir: s\n")
        self.assertIsNone(config.server)
        self.assertEqual(config.state_dir, BASE / "s")
        self.assertEqual(config.token_file, BASE / "s/control.token")
        self.assertEqual(config.downloads.directory, BASE / "var/downloads")
        self.assertEqual(config.downloads.retry.max_delay, 300.0)

    def test_control_listens_on_loopback(self) -> None:
        """Nobody but this machine reaches a control API that is not configured."""
        self.assertEqual(config_of("jobs: []").control.listen, ("tcp:6880:interface=127.0.0.1",))

    def test_empty_sections(self) -> None:
        """A section whose keys are all commented out has its defaults; no server is none."""
        empty = config_of("state_dir: s\nserver:\ncontrol:\ndownloads:\n  retry:\n")
        self.assertEqual(empty, config_of("state_dir: s\n"))

    def test_systemd_state_directory(self) -> None:
        """Under systemd the state is where systemd says, unless the file names a place."""
        environ = {"STATE_DIRECTORY": "/var/lib/rd:/var/lib/other"}
        self.assertEqual(config_of("jobs: []", environ).state_dir, Path("/var/lib/rd"))
        self.assertEqual(config_of("state_dir: s", environ).state_dir, BASE / "s")

    def test_frozen(self) -> None:
        """A configuration does not change under those who read it."""
        config = config_of("jobs: []")
        with self.assertRaises(ValueError):
            config.downloads.max_active = 3  # type: ignore[misc]


class ValuesTests(SynchronousTestCase):
    """Sizes, durations, rates and names."""

    def test_sizes(self) -> None:
        """Each way to write a size."""
        for text, octets in {
            "65536": 65536,
            "64KiB": 65536,
            "64 KiB": 65536,
            "1.5MiB": 1572864,
            "2GB": 2_000_000_000,
            "1kB": 1000,
            "'1024'": 1024,
            "1TiB": 1 << 40,
            "0.3kB": 300,
        }.items():
            config = config_of(f"downloads: {{min_segment_size: {text}}}")
            self.assertEqual(config.downloads.min_segment_size, octets, text)

    def test_not_sizes(self) -> None:
        """What is no size says what one looks like."""
        for text in ("-1", "1.5", "64K", "64kib", "KiB", "1e6", "true", "[]", "0", "9" * 40):
            found = problems_of(f"downloads: {{min_segment_size: {text}}}")
            self.assertEqual(len(found), 1, text)
            self.assertIn("c.yaml:1: downloads.min_segment_size: ", found[0])

    def test_durations(self) -> None:
        """Each way to write a duration, in seconds."""
        for text, seconds in {
            "30": 30.0, "0.5": 0.5, "30s": 30.0, "5m": 300.0, "2h": 7200.0, "1d": 86400.0,
            "250ms": 0.25, "1.5h": 5400.0,
        }.items():  # fmt: skip
            config = config_of(f"downloads: {{stall_timeout: {text}}}")
            self.assertEqual(config.downloads.stall_timeout, seconds, text)

    def test_not_durations(self) -> None:
        """Neither is a duration that never passes, nor one of YAML's base-60 numbers."""
        for text in ("-1", "0", "1:30", "5 min", ".inf", "1e999", "true", "{}"):
            found = problems_of(f"downloads: {{stall_timeout: {text}}}")
            self.assertEqual(len(found), 1, text)

    def test_rate(self) -> None:
        """A rate may say that it is one."""
        for text in ("500KiB", "500KiB/s", "512000"):
            config = config_of(f"downloads: {{rate_limit: {text}}}")
            self.assertEqual(config.downloads.rate_limit, 512000)

    def test_job(self) -> None:
        """A job as the contract shows it; the checksum is folded to lower case."""
        digest = "AB" * 32
        (job,) = config_of(
            "jobs:\n  - name: debian\n    url: https://example.org/debian.iso\n    mirrors: []\n"
            f"    checksum: SHA-256={digest}\n    headers: {{X-Key: v}}\n    priority: -3\n"
            "    on_conflict: overwrite\n"
        ).jobs
        self.assertEqual(job.checksum, f"sha-256={digest.lower()}")
        self.assertEqual((job.headers, job.priority), ({"X-Key": "v"}, -3))
        self.assertIs(job.on_conflict, OnConflict.OVERWRITE)

    def test_secrets_are_not_in_the_picture(self) -> None:
        """Who prints a configuration prints no header and no address of it."""
        config = config_of(
            "jobs: [{name: a, url: 'http://u:hunter2@h/', headers: {Authorization: hunter2}}]"
        )
        self.assertNotIn("hunter2", repr(config))

    def test_yes_is_a_word(self) -> None:
        """YAML 1.2: a job may be called ``no``, and a boolean still understands ``yes``."""
        config = config_of(
            "server: {mounts: [{path: /, root: r, listing: yes}]}\n"
            "jobs: [{name: no, url: 'http://h/'}]"
        )
        assert config.server is not None
        self.assertTrue(config.server.mounts[0].listing)
        self.assertEqual(config.jobs[0].name, "no")

    def test_mount_prefix(self) -> None:
        """A slash at the end of a prefix is not part of it."""
        config = config_of("server: {mounts: [{path: /a/b/, root: r}, {path: /, root: r}]}")
        assert config.server is not None
        self.assertEqual([mount.path for mount in config.server.mounts], ["/a/b", "/"])


class EnvironmentTests(SynchronousTestCase):
    """``${NAME}`` in values."""

    def test_types(self) -> None:
        """An unquoted value has the type that its text would have had in the file."""
        config = config_of(
            "downloads:\n  max_active: ${N}\n  rate_limit: ${R:-null}\n"
            "server: {mounts: [{path: /, root: '${ROOT}/x', listing: '${L:-true}'}]}",
            {"N": "3", "ROOT": "/srv"},
        )
        assert config.server is not None
        self.assertEqual(config.downloads.max_active, 3)
        self.assertIsNone(config.downloads.rate_limit)
        self.assertEqual(config.server.mounts[0].root, Path("/srv/x"))
        self.assertTrue(config.server.mounts[0].listing)

    def test_default(self) -> None:
        """The default stands where the variable is missing or empty, as in a shell."""
        text = "state_dir: ${D:-fallback}"
        self.assertEqual(config_of(text).state_dir, BASE / "fallback")
        self.assertEqual(config_of(text, {"D": ""}).state_dir, BASE / "fallback")
        self.assertEqual(config_of(text, {"D": "set"}).state_dir, BASE / "set")

    def test_literal(self) -> None:
        """``$${`` is a dollar sign and a brace; a lone dollar sign is itself."""
        self.assertEqual(config_of("state_dir: a$b-$${c}").state_dir, BASE / "a$b-${c}")

    def test_missing(self) -> None:
        """Every missing variable is named, once."""
        self.assertEqual(
            problems_of("downloads:\n  max_active: ${A}\n  directory: x${B}\n"),
            [
                "c.yaml:2: downloads.max_active: the environment has no A",
                "c.yaml:3: downloads.directory: the environment has no B",
            ],
        )

    def test_malformed(self) -> None:
        """A reference that is none is a problem, not a text with braces."""
        for text in ("${A", "${1}", "${A:+x}", "${}"):
            self.assertIn("write ${NAME}", problems_of(f"state_dir: '{text}'")[0])

    def test_no_structure(self) -> None:
        """A variable's content is a value: it cannot add keys."""
        config = config_of("state_dir: ${D}", {"D": "x\njobs: [{name: evil}]"})
        self.assertEqual(config.jobs, ())

    def test_never_shown(self) -> None:
        """A value from the environment may be a secret: no message repeats it."""
        found = problems_of(
            "downloads: {max_active: '${S}'}\njobs: [{name: a, url: '${S}', headers: {X: '${S}'}}]",
            {"S": "hunter2\n"},
        )
        self.assertEqual(len(found), 3)
        self.assertNotIn("hunter2", "".join(found))


class ProblemsTests(SynchronousTestCase):
    """All problems at once, each at its file, line and key."""

    def test_all_at_once(self) -> None:
        """Nine different mistakes, nine messages in the order of the file."""
        text = """\
sever: {}
server:
  mounts:
    - path: files
      rot: x
      listing: maybe
downloads:
  max_active: eight
  max_activ: 8
  retry: {initial_delay: 10m}
jobs:
  - name: a
    url: ftp://h/x
"""
        self.assertEqual(
            problems_of(text),
            [
                'c.yaml:1: sever: unknown key, did you mean "server"?',
                (
                    "c.yaml:4: server.mounts.0.path: expected a path that begins with / "
                    "and has no . .. // ? # % or spaces, got 'files'"
                ),
                "c.yaml:4: server.mounts.0.root: is required",
                'c.yaml:5: server.mounts.0.rot: unknown key, did you mean "root"?',
                "c.yaml:6: server.mounts.0.listing: expected true or false, got 'maybe'",
                "c.yaml:8: downloads.max_active: expected a whole number, got 'eight'",
                'c.yaml:9: downloads.max_activ: unknown key, did you mean "max_active"?',
                "c.yaml:10: downloads.retry: max_delay must not be below initial_delay",
                "c.yaml:13: jobs.0.url: only http and https addresses",
            ],
        )

    def test_key_of_another_section(self) -> None:
        """A known key in the wrong place: the place where it belongs."""
        self.assertEqual(
            problems_of("max_active: 3"),
            ['c.yaml:1: max_active: unknown key here, did you mean "downloads.max_active"?'],
        )

    def test_key_like_no_other(self) -> None:
        """A key that resembles nothing: the ones that there are."""
        (found,) = problems_of("server: {zzz: 1}")
        self.assertEqual(
            found,
            "c.yaml:1: server.zzz: unknown key, "
            "known ones are listen, mounts, workers, access_log, limits, sample",
        )

    def test_duplicate_keys(self) -> None:
        """A key given twice, with the line of the first one."""
        self.assertEqual(
            problems_of("downloads:\n  segments: 2\n  segments: 3\n"),
            ["c.yaml:3: downloads.segments: given twice, first on line 2"],
        )

    def test_duplicate_names(self) -> None:
        """Two jobs of one name, two mounts of one prefix."""
        found = problems_of(
            "server:\n  mounts:\n    - {path: /a, root: x}\n    - {path: /a/, root: y}\n"
            "jobs:\n  - {name: a, url: http://h/}\n  - {name: a, url: http://h/}\n"
        )
        self.assertEqual(
            found,
            [
                "c.yaml:4: server.mounts.1.path: the same as on line 3; it must be another",
                "c.yaml:7: jobs.1.name: the same as on line 6; it must be another",
            ],
        )

    def test_wrong_kinds(self) -> None:
        """A list where a section belongs, and the other way round."""
        self.assertEqual(
            problems_of("downloads: [1]\njobs: {a: 1}\nserver: 3\n"),
            [
                "c.yaml:1: downloads: expected keys and values, got a list",
                "c.yaml:2: jobs: expected a list, got keys and values",
                "c.yaml:3: server: expected keys and values, got 3",
            ],
        )

    def test_bad_jobs(self) -> None:
        """Addresses, checksums, file names and header fields that no job may have."""
        for line in (
            "url: 'file:///etc/passwd'",
            "url: 'http://'",
            "url: 'http://h:99999/'",
            'url: "http://h/\\n"',
            "checksum: sha-256=abc",
            "checksum: crc32=00000000",
            "filename: a/b",
            "filename: '..'",
            "directory: /etc",
            "directory: a/../../b",
            "headers: {Range: bytes=0-}",
            "headers: {'a b': c}",
            'headers: {a: "b\\r\\nc: d"}',
            "mirrors: [gopher://h]",
            "priority: high",
            "segments: 0",
        ):
            key = line.split(":")[0]
            url = "" if key == "url" else "    url: http://h/\n"
            found = problems_of(f"jobs:\n  - name: a\n{url}    {line}\n")
            self.assertEqual(len(found), 1, (line, found))
            self.assertRegex(found[0], rf"^c\.yaml:\d: jobs\.0\.{key}")
