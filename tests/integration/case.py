"""What integration tests start from: temporary places and processes that are always ended."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from tests.hostile import HostileOrigin, difference
from tests.integration import nginx as nginx_module
from tests.integration.daemon import DaemonProcess
from tests.integration.nginx import Nginx

FAST_RETRY = {"attempts": 10, "initial_delay": "50ms", "max_delay": "1s"}


class IntegrationCase(SynchronousTestCase):
    """Each ``make_*`` gives a thing that runs and is ended when the test is over."""

    def make_directory(self) -> Path:
        """A new empty directory."""
        path = Path(tempfile.mkdtemp(prefix="rangedaemon-test-"))
        self.addCleanup(shutil.rmtree, path, ignore_errors=True)
        return path

    def make_origin(self, port: int = 0) -> HostileOrigin:
        """A hostile origin, at any free port or at *port*."""
        origin = HostileOrigin(port)
        self.addCleanup(origin.close)
        return origin

    def make_daemon(
        self, sections: Mapping[str, Any] | None = None, **options: Any
    ) -> DaemonProcess:
        """A daemon that is not started yet."""
        daemon = DaemonProcess(self.make_directory(), sections, **options)
        self.addCleanup(daemon.close)
        return daemon

    def make_nginx(self, root: Path, **options: Any) -> Nginx:
        """A running nginx over *root*; skips the test where there is none."""
        if nginx_module.available() is None:
            raise SkipTest("nginx is not installed")
        server = Nginx(self.make_directory(), root, **options)
        self.addCleanup(server.close)
        return server.start()

    def make_tmpfs(self, at: Path, options: str) -> Path:
        """A small file system of its own at *at*; skips where we may not mount."""
        at.mkdir(parents=True, exist_ok=True)
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(at)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except (OSError, subprocess.CalledProcessError) as error:
            raise SkipTest("mounting a tmpfs needs to be root") from error
        self.addCleanup(subprocess.run, ["umount", "-l", str(at)], check=True)
        return at

    def assert_file(self, path: str | Path, seed: int, size: int) -> None:
        """The file is that of *seed* and *size*, octet by octet."""
        self.assertIsNone(difference(Path(path), seed, size))
