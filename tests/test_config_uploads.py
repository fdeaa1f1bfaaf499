"""The configuration of uploads: ``server.mounts[].uploads``."""

from __future__ import annotations

import json
from pathlib import Path

import yaml
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config.schema import schema_text
from rangedaemon.config.uploads import Uploads
from rangedaemon.core.jobs import OnConflict
from tests.configs import CONF, config_of, problems_of

MOUNT = "server: {mounts: [{path: /, root: r, uploads: {%s}}]}"


def uploads_of(text: str) -> Uploads | None:
    return config_of(MOUNT % text).server.mounts[0].uploads  # type: ignore[union-attr]


class UploadsTests(SynchronousTestCase):
    """The section."""

    def test_off(self) -> None:
        """Nothing is taken unless the mount says so."""
        for text in ["", ", uploads: null"]:
            config = config_of(f"server: {{mounts: [{{path: /, root: r{text}}}]}}")
            self.assertIsNone(config.server.mounts[0].uploads)  # type: ignore[union-attr]

    def test_defaults(self) -> None:
        """All protocols, a week, other names where one is taken, nobody without credentials."""
        file = self.credentials("me:0123456789abcdef\n")
        found = uploads_of(f"tokens_file: {file}")
        assert found is not None
        self.assertEqual(found.protocols, ("tus", "ietf", "segmented", "put"))
        self.assertEqual((found.expire, found.on_conflict), (7 * 86400, OnConflict.RENAME))
        self.assertEqual((found.anonymous, found.tokens_file), (False, file))
        self.assertIsNone(found.hooks.on_receive)

    def test_files(self) -> None:
        """A file of credentials that could not be used is a mistake; nothing of it is shown."""
        missing = self.credentials("").with_name("missing")
        for key, wrong, said in (
            ("tokens_file", "me:short\n", "line 1: expected NAME:TOKEN with 16 or more characters"),
            ("tokens_file", "# ours\nshort\n", "line 2: expected a name, a colon and a secret"),
            ("htpasswd_file", "me:$apr1$short\n", "line 1: only bcrypt (htpasswd -B)"),
        ):
            file = self.credentials(wrong)
            (problem,) = problems_of(MOUNT % f"{key}: {file}")
            self.assertIn(f"server.mounts.0.uploads.{key}: {file}: {said}", problem)
            self.assertNotIn("short", problem)
            (problem,) = problems_of(MOUNT % f"{key}: {missing}")
            self.assertIn(f"cannot read {missing}: No such file", problem)

    def credentials(self, text: str) -> Path:
        """A file of them."""
        file = Path(self.mktemp()).absolute()
        file.write_text(text)
        return file

    def test_units(self) -> None:
        """Sizes and durations as everywhere."""
        found = uploads_of("anonymous: true, max_size: 1GiB, expire: 2h, quota: 10GiB")
        assert found is not None
        self.assertEqual((found.max_size, found.expire, found.quota), (1 << 30, 7200.0, 10 << 30))

    def test_bad(self) -> None:
        """Contradictions and bad values, each at its place."""
        named = f"tokens_file: {self.credentials('me:0123456789abcdef')}"
        for text, said in {
            "": "server.mounts.0.uploads: needs tokens_file or htpasswd_file; or anonymous: true",
            f"anonymous: true, {named}": "anonymous: true lets everybody in",
            "anonymous: true, token_quota: 5": "token_quota needs tokens_file or htpasswd_file",
            "anonymous: true, protocols: []": "uploads.protocols",
            "anonymous: true, protocols: [tus, tus]": "protocols has one of them twice",
            "anonymous: true, protocols: [ftp]": "uploads.protocols.0: expected 'tus'",
            "anonymous: true, max_size: 0": "uploads.max_size",
            "anonymous: true, max_size: 6, quota: 5": "max_size must not be above quota",
            f"{named}, max_size: 6, token_quota: 5": "max_size must not be above token_quota",
            f"{named}, quota: 4, token_quota: 5": "token_quota must not be above quota",
            "anonymous: true, directory: ../x": "uploads.directory: expected a relative directory",
            "anonymous: true, directory: /x": "uploads.directory: expected a relative directory",
            "anonymous: true, on_conflict: ask": "uploads.on_conflict",
            "anonymous: true, expire: 0": "uploads.expire",
            "anonymous: true, max_parallel: 0": "uploads.max_parallel",
            "anonymous: true, hooks: {on_receive: []}": "uploads.hooks.on_receive",
            "anonymous: true, hooks: {on_receive: rm -rf}": "uploads.hooks.on_receive",
            "anonymous: true, token_file: t": 'did you mean "tokens_file"?',
        }.items():
            with self.subTest(text=text):
                found = problems_of(MOUNT % text)
                self.assertIn(said, found[0])
                self.assertTrue(found[0].startswith("c.yaml:1: server.mounts.0.uploads"), found)

    def test_workers(self) -> None:
        """Uploads and workers go together."""
        mount = "{path: /, root: r, uploads: {anonymous: true}}"
        self.assertEqual(problems_of(f"server: {{workers: 2, mounts: [{mount}]}}"), [])

    def test_example(self) -> None:
        """The comment in the example names every key, and is a good section."""
        lines = (CONF / "rangedaemon.yaml").read_text().splitlines()
        block = [line.split("#| ", 1)[1] for line in lines if "#| " in line]
        given = yaml.safe_load("\n".join(block))
        definitions = json.loads(schema_text())["$defs"]
        self.assertEqual(set(given), set(definitions["Uploads"]["properties"]))
        self.assertEqual(set(given["hooks"]), set(definitions["UploadHooks"]["properties"]))
        for key in ("tokens_file", "htpasswd_file"):
            given[key] = str(self.credentials(""))
        self.assertIsNotNone(uploads_of(json.dumps(given)[1:-1]))
