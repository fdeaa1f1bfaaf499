"""A newcomer goes from nothing to a unit that systemd accepts."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from twisted.trial.unittest import SkipTest

from tests.integration.case import IntegrationCase
from tests.integration.console import Page, Shell
from tests.integration.daemon import ROOT
from tests.integration.ports import free_port
from tests.test_packaging import NOT_SOURCE

PATH = "/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_FIT = "import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))"
_NAMESPACE = ("unshare", "--mount", "--propagation", "private")
_CHANGED = ("/etc", "/opt", "/srv", "/var/lib")


class SystemdPageTests(IntegrationCase):
    """``docs/howto/systemd.rst`` as root, over a machine that keeps nothing of it."""

    def setUp(self) -> None:
        """A checkout, the system's own Python, and a systemctl that plays systemd's part."""
        self.env = {**os.environ, "PATH": PATH}
        self.env.pop("PYTHONPATH", None)
        self.insist("python3", "-c", _FIT)
        self.insist("systemd-analyze", "--version")
        self.place = self.make_directory()
        self.checkout = self.place / "checkout"
        shutil.copytree(ROOT, self.checkout, ignore=NOT_SOURCE)
        programs = self.place / "programs"
        programs.mkdir()
        part = Path(__file__).with_name("systemctl.py")
        (programs / "systemctl").write_text(f'#!/bin/sh\nexec {sys.executable} {part} "$@"\n')
        (programs / "systemctl").chmod(0o755)
        self.env["PATH"] = f"{programs}:{PATH}"
        self.env["SYSTEMCTL_RUN"] = str(self.place / "run")
        self.place.chmod(0o755)

    def insist(self, *command: str) -> None:
        """Skip where *command* is not there, or fails."""
        try:
            subprocess.run(command, env=self.env, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SkipTest(f"{command[0]} is not what the page needs") from error

    def lay_over(self, shell: Shell) -> None:
        """Have what is written to the machine go to a place of its own, in this namespace."""
        upper = self.place / "upper"
        try:
            shell.run(f"mkdir {upper} && mount -t tmpfs tmpfs {upper}")
            for number, folder in enumerate(_CHANGED):
                mine = upper / str(number)
                shell.run(
                    f"mkdir -p {mine}/upper {mine}/work && mount -t overlay overlay -o "
                    f"lowerdir={folder},upperdir={mine}/upper,workdir={mine}/work {folder}"
                )
        except AssertionError as error:
            raise SkipTest("mounting needs to be root") from error

    @pytest.mark.timeout(900)
    def test_followed(self) -> None:
        """Every line does what the page says, and the machine is as before."""
        if os.geteuid() != 0:
            raise SkipTest("the page is for root")
        names = [(port, str(free_port())) for port in ("8080", "6880")]
        page = Page(ROOT / "docs/howto/systemd.rst", self.checkout, names, self.env, _NAMESPACE)
        self.addCleanup(page.close)
        self.lay_over(page.shell)
        page.follow()
        self.assertFalse(Path("/etc/systemd/system/rangedaemon.service").exists())
