"""What people and programs outside rely on: the plugin, the options, the names."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import pkgutil
import re
import sys
from pathlib import Path

import docutils.core
from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

import rangedaemon
from rangedaemon.config import ConfigError, load, parse
from rangedaemon.storage.sample import sample_blocks
from rangedaemon.tap import Options

ROOT = Path(__file__).resolve().parents[1]
EXAMPLE = ROOT / "conf" / "rangedaemon.yaml"


class PluginTests(SynchronousTestCase):
    """``twistd rangedaemon``."""

    def test_found_once(self) -> None:
        """Twisted finds the plugin, once, and it makes our options."""
        plugins = getPlugins(IServiceMaker)
        (ours,) = [plugin for plugin in plugins if plugin.tapname == "rangedaemon"]
        self.assertIsInstance(ours.options(), Options)


class OptionsTests(SynchronousTestCase):
    """The command line."""

    def setUp(self) -> None:
        """Catch what is said."""
        self.said = io.StringIO()
        self.patch(sys, "stderr", self.said)

    def bad_file(self) -> str:
        """A configuration with two mistakes."""
        path = Path(self.mktemp())
        path.write_text("sever: {}\njobs: 3\n")
        return str(path)

    def parse(self, *arguments: str) -> tuple[Options, object]:
        """The options, and with what exit status parsing ended the program (or "went on")."""
        options = Options()
        try:
            options.parseOptions(list(arguments))
        except SystemExit as exc:
            return options, exc.code
        return options, "went on"

    def test_example(self) -> None:
        """The example loads, and the path is absolute for whoever changes the directory."""
        options, end = self.parse("-c", os.path.relpath(EXAMPLE))
        self.assertEqual(end, "went on")
        self.assertEqual(options["config"], str(EXAMPLE))
        self.assertEqual(options.loaded, load(EXAMPLE, os.environ))

    def test_check_good(self) -> None:
        """``--check`` of a good file says nothing and ends with 0."""
        _, end = self.parse("--check", "--config", str(EXAMPLE))
        self.assertEqual((end, self.said.getvalue()), (0, ""))

    def test_bad(self) -> None:
        """A bad file ends with 1 and its problems on standard error, checked or started."""
        bad = self.bad_file()
        for arguments in (["--check", "-c", bad], ["-c", bad]):
            self.said.truncate(self.said.seek(0))
            _, end = self.parse(*arguments)
            self.assertEqual(end, 1)
            self.assertEqual(
                self.said.getvalue(),
                f'{bad}:1: sever: unknown key, did you mean "server"?\n'
                f"{bad}:2: jobs: expected a list, got 3\n",
            )

    def test_no_file(self) -> None:
        """Without a configuration there is nothing to run."""
        error = self.assertRaises(UsageError, Options().parseOptions, [])
        self.assertIn("-c", str(error))


class SampleTests(SynchronousTestCase):
    """The sample job of the example fetches the sample file of the example."""

    def test_checksum(self) -> None:
        """Its checksum is that of the file that the daemon makes."""
        config = load(EXAMPLE, {})
        assert config.server is not None
        assert config.server.sample is not None
        digest = hashlib.sha256()
        for block in sample_blocks(config.server.sample.size):
            digest.update(block)
        (job,) = config.jobs
        self.assertEqual(job.checksum, f"sha-256={digest.hexdigest()}")

    def test_within_a_mount(self) -> None:
        """Its address is that of the sample file below a mount of this very server."""
        config = load(EXAMPLE, {})
        assert config.server is not None
        assert config.server.sample is not None
        (mount,) = config.server.mounts
        name = config.server.sample.path.relative_to(mount.root)
        self.assertEqual(config.server.listen, ("tcp:8080:interface=127.0.0.1",))
        self.assertEqual(config.jobs[0].url, f"http://127.0.0.1:8080{mount.path}/{name}")


class NamesTests(SynchronousTestCase):
    """``__all__``."""

    def test_version(self) -> None:
        """The package says its version."""
        self.assertRegex(rangedaemon.__version__, r"^\d+\.\d+\.\d+")

    def test_all(self) -> None:
        """Every module imports, and has every name that it promises."""
        for found in pkgutil.walk_packages(rangedaemon.__path__, "rangedaemon."):
            if "migrations" in found.name:
                continue
            module = importlib.import_module(found.name)
            for name in getattr(module, "__all__", ()):
                self.assertTrue(hasattr(module, name), f"{found.name}.{name}")


class ReadmeTests(SynchronousTestCase):
    """What the README shows is so."""

    def setUp(self) -> None:
        """Read it."""
        self.text = (ROOT / "README.rst").read_text()

    def test_markup(self) -> None:
        """It is reStructuredText without a flaw (package indexes refuse to show others)."""
        said = io.StringIO()
        docutils.core.publish_doctree(self.text, settings_overrides={"warning_stream": said})
        self.assertEqual(said.getvalue(), "")

    def test_two_commands_first(self) -> None:
        """The first thing to read is how to run it and how to test it."""
        commands = re.findall(r"^    (.+)$", self.text, re.MULTILINE)
        self.assertEqual(commands[:2], ["make run", "make test"])

    def test_make_targets(self) -> None:
        """Every target that it names is one of the Makefile."""
        targets = re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
        named = set(re.findall(r"\bmake ([a-z]+)\b(?:``|$| +#)", self.text, re.MULTILINE))
        self.assertEqual(named - set(targets), set())
        self.assertGreaterEqual(named, {"run", "test", "lint", "bench", "schema"})

    def test_configuration(self) -> None:
        """Its configuration is one; the certificate is all that is missing here."""
        block = self.text.split(".. code-block:: yaml\n\n")[1].split("\n\nSizes")[0]
        with self.assertRaises(ConfigError) as caught:
            parse(block.encode(), {"ORIGIN_TOKEN": "t"}, name="c", base=Path("/etc"))
        (problem,) = caught.exception.problems
        self.assertIn("cannot read /etc/cert.pem", problem.message)

    def test_mistakes(self) -> None:
        """The messages that it shows are those that such a file gets."""
        shown = re.findall(r"^    (bad\.yaml:.+)$", self.text, re.MULTILINE)
        bad = b"downloads:\n  max_activ: 3\n  rate_limit: 2 megs\njobs:\n  - name: a\n    url: ftp://h/\n"
        error = self.assertRaises(ConfigError, parse, bad, {}, name="bad.yaml", base=Path("/etc"))
        self.assertEqual(str(error).split("\n"), shown)
