"""A newcomer follows the tutorial."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.integration.case import IntegrationCase
from tests.integration.console import Page
from tests.integration.daemon import ROOT
from tests.integration.ports import free_port

_PROGRAMS = {
    "python": "",
    "twistd": "-c 'from twisted.scripts.twistd import run; run()'",
    "rangectl": "-c 'from rangedaemon.control.rangectl import main; main()'",
}


class TutorialTests(IntegrationCase):
    """``docs/tutorial.rst`` in a checkout where everything is installed."""

    def setUp(self) -> None:
        """What of a checkout the page needs, at ports that are free."""
        self.place = self.make_directory()
        for name in ("Makefile", "setup.py", "pyproject.toml"):
            shutil.copy(ROOT / name, self.place)
        self.ports = [(port, str(free_port())) for port in ("8080", "6880")]
        (self.place / "conf").mkdir()
        config = (ROOT / "conf/rangedaemon.yaml").read_text()
        for there, here in self.ports:
            config = config.replace(there, here)
        (self.place / "conf/rangedaemon.yaml").write_text(config)
        self.install(self.place / ".venv")

    def install(self, venv: Path) -> None:
        """Let make find what it would have installed, with this interpreter's libraries."""
        (venv / "bin").mkdir(parents=True)
        for name, arguments in _PROGRAMS.items():
            program = venv / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
            program.chmod(0o755)
        (venv / ".installed").touch()

    def test_can_fail(self) -> None:
        """A command that fails, and one that prints something else, are found."""
        for block in ("$ false", "$ echo two\n    one\n    two", "$ exit 1", "$ echo 1\n    2"):
            file = self.place / "page.rst"
            file.write_text(f".. code-block:: console\n\n    {block}\n")
            page = Page(file, self.place)
            self.addCleanup(page.close)
            self.assertRaises(AssertionError, page.follow)

    @pytest.mark.timeout(400)
    def test_followed(self) -> None:
        """Every line does what the page says; Ctrl-C ends it."""
        page = Page(ROOT / "docs/tutorial.rst", self.place, self.ports)
        self.addCleanup(page.close)
        page.follow(goes_on="make run")
        assert page.foreground is not None
        log = page.foreground.interrupt("Server Shut Down.")
        self.assertNotIn("Traceback", log)
        self.assertNotIn("#debug", log)
