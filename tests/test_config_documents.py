"""Tests for documents of YAML as such, endpoints, and the examples that are published."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import jsonschema
import yaml
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.config import ConfigError, load, parse
from rangedaemon.config.schema import schema_text
from tests.configs import CONF, config_of, problems_of


class EndpointTests(SynchronousTestCase):
    """Listening endpoints, checked without listening."""

    def endpoints(self, *descriptions: str) -> list[str]:
        """What is wrong with each."""
        listen = json.dumps(descriptions)
        return problems_of(f"control: {{allow_plain_remote: true, listen: {listen}}}")

    def test_good(self) -> None:
        """The four kinds that the contract names."""
        self.assertEqual(
            self.endpoints(
                "tcp:0", "tcp:8080:interface=127.0.0.1", "tcp6:80", r"tcp:80:interface=\:\:1",
                "unix:/run/x.sock:mode=600", "systemd:domain=INET:index=0",
                "systemd:domain=UNIX:name=control",
            ),
            [],
        )  # fmt: skip

    def test_bad(self) -> None:
        """Each that Twisted would refuse is refused here, at its place in the list."""
        bad = [
            "", "8080", "tcp:http", "tcp:", "tcp:65536", "tcp:80:colour=red", "carrier-pigeon:1",
            "systemd:domain=INET", "systemd:domain=INET:index=0:name=x", "systemd:index=0",
            "ssl:443", "unix:",
        ]  # fmt: skip
        found = self.endpoints(*bad)
        places = [message.split(": ")[1] for message in found]
        self.assertEqual(places, [f"control.listen.{index}" for index in range(len(bad))])

    def test_none(self) -> None:
        """A control API without any endpoint could not be reached."""
        self.assertEqual(self.endpoints(), ["c.yaml:1: control.listen: must not be empty"])

    def test_relative_files(self) -> None:
        """Paths within an endpoint are relative to the configuration too, colons and all."""
        config = parse(b"control: {listen: ['unix:x.sock']}", {}, name="c", base=Path("/a:b"))
        self.assertEqual(config.control.listen, (r"unix:/a\:b/x.sock:mode=600",))

    def test_certificate_missing(self) -> None:
        """A key file that is not there is a problem of the configuration."""
        (found,) = self.endpoints("ssl:443:privateKey=key.pem")
        self.assertIn("control.listen.0: cannot read /etc/rd/key.pem: No such file", found)

    def test_certificate_damaged(self) -> None:
        """Nor can a key file be used that holds no key."""
        place = Path(self.mktemp())
        place.write_text("not a key")
        (found,) = self.endpoints(f"ssl:443:privateKey={place.absolute()}")
        self.assertIn("control.listen.0: ", found)
        self.assertIn("PEM", found)


class DocumentTests(SynchronousTestCase):
    """Files that are no configuration at all."""

    def test_not_a_document(self) -> None:
        """One message each, with the line where reading ended."""
        for data, line, words in (
            (b"", 1, "is empty"),
            (b"# nothing\n", 1, "is empty"),
            (b"- a\n", 1, "expected keys and values, got a list"),
            (b"\n\nhello\n", 3, "expected keys and values, got a single value"),
            (b"a: [1,\n", 2, "not YAML"),
            (b"a: b\n\tc: d\n", 2, "not YAML: line 2 is indented with a tab; use spaces"),
            (b"a:\n\tc: d\n", 2, "not YAML: line 2 is indented with a tab; use spaces"),
            (b"a:\n  b:\n  \t- c\n", 3, "not YAML: line 3 is indented with a tab; use spaces"),
            (b"a: see: this\n", 1, 'a value with ": " in it needs quotes around it'),
            (b'a: "b\n\n', 3, "found unexpected end of stream: a quote is not closed"),
            (b"a:\n    b: 1\n   c: 2\n", 3, "this line is not indented as those above it"),
            (b"a: 1\nb: \xff\n", 2, "is not UTF-8"),
            ("a: 1\n".encode("utf-16"), 1, "is not UTF-8"),
            (b"a: 1\nb: \x00\n", 2, "not YAML"),
            (b"a: 1\n---\nb: 2\n", 2, "not YAML"),
            (b"a: 1\nb: *nope\n", 2, "not YAML"),
            (b"#" * (5 << 20), 1, "larger than 4 MiB"),
            (b"? [a]\n: 1\n", 1, "a key must be plain text"),
        ):
            found = problems_of(data)
            self.assertEqual(len(found), 1, data[:20])
            self.assertTrue(found[0].startswith(f"c.yaml:{line}: (file): "), found)
            self.assertIn(words, found[0])

    def test_no_objects(self) -> None:
        """The safe loader: a tag that names Python code makes nothing."""
        self.assertEqual(
            problems_of("state_dir: !!python/object/apply:os.system ['true']\n")[0],
            "c.yaml:1: state_dir: expected a path, got a list",
        )
        self.assertIn(
            "cannot be read as python/name:os.system",
            problems_of("state_dir: !!python/name:os.system x\n")[0],
        )

    def test_bomb(self) -> None:
        """Nine levels of nine aliases, each: refused at the line where it gets too much."""
        lines = ["a: &a [x,x,x,x,x,x,x,x,x]"]
        for before, name in zip("abcdefgh", "bcdefghi", strict=True):
            lines.append(f"{name}: &{name} [{','.join(['*' + before] * 9)}]")
        self.assertEqual(
            problems_of("\n".join(lines)),
            ["c.yaml:6: (file): aliases expand to more than 200000 values"],
        )

    def test_alias_of_itself(self) -> None:
        """A value that contains itself has no end."""
        (found,) = problems_of("jobs: &a\n  - *a\n")
        self.assertEqual(found, "c.yaml:2: (file): alias *a contains itself")

    def test_nesting(self) -> None:
        """A million brackets: refused before anything recurses over them."""
        (found,) = problems_of("[" * 1_000_000)
        self.assertEqual(found, "c.yaml:1: (file): nested deeper than 40 levels")

    def test_honest_aliases(self) -> None:
        """An alias used as people use them."""
        config = config_of(
            "downloads: {connect_timeout: &t 5s, stall_timeout: *t}\n"
            "jobs:\n  - {name: a, url: http://h/, headers: &h {X: y}}\n"
            "  - {name: b, url: http://h/, headers: *h}\n"
        )
        self.assertEqual(config.downloads.stall_timeout, 5.0)
        self.assertEqual(config.jobs[1].headers, {"X": "y"})

    def test_numbers_without_end(self) -> None:
        """Digits beyond what Python converts are a wrong value, not a crash."""
        (found,) = problems_of(f"downloads: {{segments: {'9' * 10000}}}")
        self.assertIn("downloads.segments: expected a whole number", found)

    def test_file_missing(self) -> None:
        """A file that is not there, and a directory."""
        error = self.assertRaises(ConfigError, load, "/nowhere/c.yaml", {})
        self.assertEqual(
            str(error), "/nowhere/c.yaml:1: (file): cannot be read: No such file or directory"
        )
        error = self.assertRaises(ConfigError, load, "/", {})
        self.assertIn("cannot be read: Is a directory", str(error))

    def test_paths_are_normal(self) -> None:
        """``..`` is resolved here, so that what lies below a directory is seen by its name."""
        config = config_of("downloads: {directory: ../var/./d}")
        self.assertEqual(str(config.downloads.directory), "/etc/var/d")

    def test_relative_to_the_file(self) -> None:
        """Relative paths start at the file's directory, wherever the process is."""
        with tempfile.TemporaryDirectory() as place:
            file = Path(place, "conf", "c.yaml")
            file.parent.mkdir()
            file.write_text("state_dir: ../s\n")
            state_dir = load(file, {}).state_dir
            self.assertEqual(state_dir.resolve(), Path(place, "s").resolve())
            self.assertEqual(list(Path(place).rglob("*")), [file.parent, file])


class PublishedTests(SynchronousTestCase):
    """What stands in ``conf/``."""

    def setUp(self) -> None:
        """Read the example."""
        self.example = (CONF / "rangedaemon.yaml").read_text()

    def test_schema_is_up_to_date(self) -> None:
        """``make schema`` was run after the last change of the models."""
        self.assertEqual((CONF / "rangedaemon.schema.json").read_text(), schema_text())

    def test_example_fits_the_schema(self) -> None:
        """An editor that knows the schema has nothing to say about the example."""
        jsonschema.Draft202012Validator.check_schema(json.loads(schema_text()))
        jsonschema.validate(yaml.safe_load(self.example), json.loads(schema_text()))

    def test_schema_refuses(self) -> None:
        """The schema knows unknown keys and wrong sizes, and lets references be."""
        validator = jsonschema.Draft202012Validator(json.loads(schema_text()))
        self.assertFalse(validator.is_valid({"sever": {}}))
        self.assertFalse(validator.is_valid({"downloads": {"min_segment_size": "1 parsec"}}))
        self.assertTrue(validator.is_valid({"downloads": {"max_active": "${N:-3}"}}))

    def test_example_has_every_key(self) -> None:
        """The example names every key of the models: it is the reference."""
        given = yaml.safe_load(self.example)
        mount, job = given["server"]["mounts"][0], given["jobs"][0]
        definitions = json.loads(schema_text())["$defs"]
        for name, section in {
            "Server": given["server"],
            "Sample": given["server"]["sample"],
            "Mount": mount,
            "Control": given["control"],
            "Downloads": given["downloads"],
            "Retry": given["downloads"]["retry"],
            "Pushes": given["pushes"],
            "Disk": given["downloads"]["disk"],
            "Job": job,
        }.items():
            self.assertEqual(set(section), set(definitions[name]["properties"]), name)

    def test_documented_defaults(self) -> None:
        """What the example gives for the defaults of limits are the defaults."""
        written = parse(self.example.encode(), {}, name="c", base=CONF).downloads
        bare = parse(b"jobs: []", {}, name="c", base=CONF).downloads
        self.assertEqual(written.model_copy(update={"directory": bare.directory}), bare)
