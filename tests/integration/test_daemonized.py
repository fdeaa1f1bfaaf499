"""The daemon in the background, as twistd puts it there by default."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

from tests.integration.case import IntegrationCase
from tests.integration.daemon import environment
from tests.integration.waiting import PATIENCE, gone, until


class DaemonizedTests(IntegrationCase):
    """A process that was forked off."""

    def test_ends(self) -> None:
        """It is ready, and SIGTERM ends the process, not the reactor alone."""
        daemon = self.make_daemon()
        script = "from twisted.scripts.twistd import run; run()"
        options = ["--pidfile=d.pid", "--logfile=d.log", "rangedaemon", "--config", "conf.yaml"]
        subprocess.run(
            [sys.executable, "-c", script, *options],
            cwd=daemon.directory, env=environment(), check=True, timeout=PATIENCE,
        )  # fmt: skip
        log = daemon.directory / "d.log"
        until(lambda: "downloads " in log.read_text(), "it runs", 60)
        process = int((daemon.directory / "d.pid").read_text())
        try:
            os.kill(process, signal.SIGTERM)
            until(lambda: gone(process), "the process is gone", 60)
        except TimeoutError:
            os.kill(process, signal.SIGKILL)
            raise
        self.assertIn("Server Shut Down", log.read_text())
