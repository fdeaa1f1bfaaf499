"""Uploads to the tus server of the protocol's own makers (@tus/server from npm)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import ClassVar

from twisted.trial.unittest import SkipTest

from tests.hostile.content import content
from tests.integration.api import Job
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.cutting import CuttingProxy
from tests.integration.daemon import DaemonProcess
from tests.integration.ports import free_port
from tests.integration.waiting import until

SCRIPTS = Path(__file__).with_name("npm")
SIZE = 6 << 20
SLOW = SIZE // 8
SPARE = 1 << 20
"""Octets that buffers hold, and the heads of all requests."""


class TusServerTests(IntegrationCase):
    """@tus/server with @tus/file-store."""

    scripts: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        if not (shutil.which("node") and shutil.which("npm")):
            raise SkipTest("Node.js is not installed")
        cls.scripts = Path(tempfile.mkdtemp(prefix="rangedaemon-test-")) / "npm"
        cls.addClassCleanup(shutil.rmtree, cls.scripts.parent, ignore_errors=True)
        shutil.copytree(SCRIPTS, cls.scripts)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
        installed = subprocess.run(command, cwd=cls.scripts, capture_output=True, check=False)
        if installed.returncode != 0:
            raise SkipTest("npm could not install the server")

    def setUp(self) -> None:
        """The server, a proxy before it, and the daemon that pushes."""
        self.out, self.root = self.make_directory(), self.make_directory()
        self.port = free_port()
        self.server = self.start_server()
        self.proxy = CuttingProxy(self.port, self.cuts())
        self.addCleanup(self.proxy.close)
        self.pusher: DaemonProcess = self.make_daemon(
            {
                "downloads": {
                    "retry": {**FAST_RETRY, "attempts": 500},
                    "checkpoint_interval": "100ms",
                },
                "pushes": {"directories": [str(self.out)]},
            }
        ).start()
        self.file = self.out / "film.bin"
        self.file.write_bytes(content(1, 0, SIZE))

    def cuts(self) -> list[int]:
        """Where connections break; only where the test's name says so."""
        return [SIZE // 2] if self._testMethodName == "test_cut" else []

    def start_server(self) -> subprocess.Popen[bytes]:
        """The server, ready."""
        server = subprocess.Popen(
            ["node", "tus_server.mjs", str(self.root), str(self.port)],
            cwd=self.scripts, stdout=subprocess.PIPE,
        )  # fmt: skip
        self.addCleanup(self.end, server)
        assert server.stdout is not None
        self.assertEqual(server.stdout.readline(), b"ready\n")
        return server

    def end(self, server: subprocess.Popen[bytes]) -> None:
        """End it."""
        server.kill()
        server.wait(10)
        if server.stdout is not None:
            server.stdout.close()

    def push(self, port: int | None = None, **wishes: object) -> str:
        """The id of a new upload."""
        url = f"http://127.0.0.1:{port or self.proxy.port}/files"
        job = self.pusher.api.add(url, kind="upload", file=str(self.file), **wishes)
        return str(job["id"])

    def complete(self, job_id: str) -> Job:
        """The job when it is complete, which nothing holds back any more."""
        self.pusher.api.request("PATCH", f"/api/v1/jobs/{job_id}", {"rate_limit": None})
        return self.pusher.api.wait_for(job_id, "complete")

    def assert_arrived(self) -> None:
        """The server has the file once, octet by octet."""
        files = [path for path in self.root.iterdir() if path.suffix != ".json"]
        self.assertIn(SIZE, [path.stat().st_size for path in files])
        [whole] = [path for path in files if path.stat().st_size == SIZE]
        self.assert_file(whole, 1, SIZE)

    def test_whole(self) -> None:
        """Known by what it says of itself; every octet goes once."""
        job = self.pusher.api.wait_for(self.push(), "complete")
        self.assertEqual((job["protocol"], job["received"]), ("tus", SIZE))
        self.assert_arrived()
        self.assertLess(self.proxy.carried, SIZE + SPARE)

    def test_cut(self) -> None:
        """A connection that breaks in the middle: asked, and gone on."""
        self.pusher.api.wait_for(self.push(), "complete")
        self.assertEqual(self.proxy.broken, 1)
        self.assert_arrived()
        self.assertLess(self.proxy.carried, SIZE + SPARE)

    def test_killed(self) -> None:
        """SIGKILL of who pushes: the next run asks, and goes on."""
        job_id = self.push(rate_limit=SLOW)
        until(lambda: self.proxy.carried > SIZE // 2, "half of the file")
        self.pusher.kill()
        self.pusher.start()
        self.complete(job_id)
        self.assert_arrived()
        self.assertLess(self.proxy.carried, SIZE + SPARE)

    def test_server_restarted(self) -> None:
        """The server goes down and comes back with what it has."""
        job_id = self.push(self.port, rate_limit=SLOW)
        self.pusher.api.wait_received(job_id, SIZE // 3)
        self.end(self.server)
        self.start_server()
        self.complete(job_id)
        self.assert_arrived()

    def test_forgotten(self) -> None:
        """An upload that the server lost is begun anew."""
        job_id = self.push(rate_limit=SLOW)
        self.pusher.api.wait_received(job_id, SIZE // 3)
        self.pusher.api.act(job_id, "pause")
        for path in self.root.iterdir():
            path.unlink()
        self.pusher.api.act(job_id, "resume")
        job = self.complete(job_id)
        self.assertGreater(job["refetched"], 0)
        self.assert_arrived()
