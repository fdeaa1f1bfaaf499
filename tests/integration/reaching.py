"""A daemon with settings of its own, real servers to fetch from, and files to compare."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from tests.integration.api import Job
from tests.integration.case import IntegrationCase
from tests.integration.daemon import DaemonProcess

SIZE = 3 << 20
FAST = {
    "segments": 3,
    "min_segment_size": "256KiB",
    "connect_timeout": "10s",
    "retry": {"attempts": 2, "initial_delay": "20ms", "max_delay": "50ms"},
}


class ReachingCase(IntegrationCase):
    """Each test starts a daemon, since what is tested stands in the configuration."""

    def setUp(self) -> None:
        """A directory of secrets, and one with a file to fetch."""
        self.secrets = self.make_directory()
        self.root = self.make_directory()
        self.content = os.urandom(SIZE)
        (self.root / "file.bin").write_bytes(self.content)

    def secret(self, name: str, text: str, mode: int = 0o600) -> str:
        """The path of a file that holds *text*."""
        path = self.secrets / name
        path.write_text(text)
        path.chmod(mode)
        return str(path)

    def start(self, downloads: dict[str, Any], **options: Any) -> DaemonProcess:
        """A daemon that runs with *downloads* over the settings of all tests."""
        return self.make_daemon({"downloads": {**FAST, **downloads}}, **options).start()

    def fetches(self, daemon: DaemonProcess, url: str, **wishes: Any) -> Job:
        """The job for *url* is complete, its file right in every octet."""
        job = daemon.api.wait_for(daemon.api.add(url, **wishes)["id"], "complete")
        self.assertEqual(Path(job["path"]).read_bytes(), self.content)
        return job

    def refuses(self, daemon: DaemonProcess, code: str, url: str, **wishes: Any) -> Job:
        """The job for *url* fails with *code*."""
        job = daemon.api.wait_for(daemon.api.add(url, **wishes)["id"], "failed")
        self.assertEqual(job["error"]["code"], code, job["error"])
        return job
