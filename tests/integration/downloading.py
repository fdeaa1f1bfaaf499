"""One daemon and one hostile origin for all tests of a class: starting takes a second."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from tests.hostile import HostileOrigin
from tests.integration.api import Job
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.daemon import DaemonProcess
from tests.integration.waiting import PATIENCE

SIZE = 12 << 20
CONNECTIONS = 4
BUFFERS = CONNECTIONS << 20
"""Octets that an origin has sent, and that nobody reads, where connections are cut: a daemon that
is kept waiting leaves about a mebibyte of each in the sockets' buffers."""


class DownloadCase(IntegrationCase):
    """Jobs of a shared daemon; every test uses file names of its own."""

    downloads: ClassVar[Mapping[str, Any]] = {}
    """Settings of the ``downloads`` section besides those below."""
    sections: ClassVar[Mapping[str, Any]] = {}
    """Further sections; relative paths are relative to the daemon's own directory."""
    origin: ClassVar[HostileOrigin]
    daemon: ClassVar[DaemonProcess]
    _directory: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        settings = {
            "segments": CONNECTIONS,
            "connections_per_host": 2 * CONNECTIONS,
            "min_segment_size": "256KiB",
            "stall_timeout": "10s",  # a busy origin may pause for some
            "retry": FAST_RETRY,
            **cls.downloads,
        }
        cls._directory = Path(tempfile.mkdtemp(prefix="rangedaemon-test-"))
        cls.addClassCleanup(shutil.rmtree, cls._directory, ignore_errors=True)
        cls.origin = HostileOrigin()
        cls.addClassCleanup(cls.origin.close)
        cls.daemon = DaemonProcess(cls._directory, {"downloads": settings, **cls.sections})
        cls.addClassCleanup(cls.daemon.close)
        cls.daemon.start()

    def path(self, faults: str = "") -> str:
        """The path of a file of this very test, with *faults* as ``word=argument/word``."""
        name = f"{self._testMethodName}.bin"
        return f"/{faults}/{name}" if faults else f"/{name}"

    def add(self, path: str, size: int = SIZE, **wishes: object) -> Job:
        """A job for *path*."""
        return self.daemon.api.add(self.origin.url(f"{path}?size={size}"), **wishes)

    def fetch(
        self, path: str, size: int = SIZE, timeout: float = PATIENCE, **wishes: object
    ) -> Job:
        """The job for *path* when it is complete; its file is right in every octet."""
        job = self.add(path, size, **wishes)
        done = self.daemon.api.wait_for(job["id"], "complete", timeout=timeout)
        self.assert_file(done["path"], 1, size)
        self.assertFalse(Path(f"{done['path']}.part").exists())
        return done

    def fetch_failing(self, path: str, size: int = SIZE, **wishes: object) -> Job:
        """The job for *path* when it has failed; nothing has its final name."""
        job = self.add(path, size, **wishes)
        failed = self.daemon.api.wait_for(job["id"], "failed")
        if failed["path"] is not None:
            self.assertFalse(Path(failed["path"]).exists())
        return failed

    def assert_fails(self, path: str, code: str, size: int = SIZE, **wishes: object) -> Job:
        """The job fails with that code."""
        failed = self.fetch_failing(path, size, **wishes)
        self.assertEqual(failed["error"]["code"], code, failed["error"])
        return failed

    def sent(self, path: str) -> int:
        """Octets that the origin sent for *path*."""
        return self.origin.ledger.octets(path)

    def assert_sent(self, path: str, least: float, most: float, size: int = SIZE) -> None:
        """The octets that crossed the wire, as multiples of the file's size.

        Where more than one time is allowed connections may be cut, and `BUFFERS` come on top.
        """
        sent, lost = self.sent(path), BUFFERS if most > 1 else 0
        said = f"{sent / size:.3f} times the file was sent"
        self.assertTrue(least * size <= sent <= most * size + lost, said)
