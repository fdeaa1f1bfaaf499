"""A checkout in which everything is installed, as the documents find it after ``make run``."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from tests.integration.case import IntegrationCase
from tests.integration.daemon import ROOT
from tests.integration.ports import free_port

_PROGRAMS = {
    "python": "",
    "twistd": "-c 'from twisted.scripts.twistd import run; run()'",
    "rangectl": "-c 'from rangedaemon.control.rangectl import main; main()'",
    "aria2p": "-c 'import sys; from aria2p import main; sys.exit(main())'",
}


class CheckoutCase(IntegrationCase):
    """Its daemons listen at ports that are free in place of those that the documents name."""

    said_ports = ("8080", "6880")

    def setUp(self) -> None:
        """What of a checkout the documents need."""
        self.place = self.make_directory()
        for name in ("Makefile", "setup.py", "pyproject.toml"):
            shutil.copy(ROOT / name, self.place)
        self.ports = [(port, str(free_port())) for port in self.said_ports]
        (self.place / "conf").mkdir()
        self.write("conf/rangedaemon.yaml", (ROOT / "conf/rangedaemon.yaml").read_text())
        self._install(self.place / ".venv")

    def write(self, name: str, text: str) -> None:
        """A file of the checkout, with our ports."""
        for there, here in self.ports:
            text = text.replace(there, here)
        (self.place / name).write_text(text)

    def _install(self, venv: Path) -> None:
        """Let make find what it would have installed, with this interpreter's libraries."""
        (venv / "bin").mkdir(parents=True)
        for name, arguments in _PROGRAMS.items():
            program = venv / "bin" / name
            program.write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
            program.chmod(0o755)
        (venv / ".installed").touch()
