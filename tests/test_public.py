"""What people and programs outside rely on: the plugin, the options, the names."""

from __future__ import annotations

import hashlib
import importlib
import io
import os
import pkgutil
import sys
from pathlib import Path

from twisted.application.service import IServiceMaker
from twisted.plugin import getPlugins
from twisted.python.usage import UsageError
from twisted.trial.unittest import SynchronousTestCase

import rangedaemon
from rangedaemon.config import load
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
