"""Real aria2 clients of the JavaScript world steer the daemon: aria2 and maria2 from npm."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any, ClassVar

from twisted.trial.unittest import SkipTest

from tests.integration.downloading import SIZE, DownloadCase
from tests.integration.waiting import PATIENCE

SCRIPTS = Path(__file__).with_name("npm")


class NpmClientTests(DownloadCase):
    """Clients from npm, in Node.js."""

    scripts: ClassVar[Path]

    @classmethod
    def setUpClass(cls) -> None:
        if not (shutil.which("node") and shutil.which("npm")):
            raise SkipTest("Node.js is not installed")
        super().setUpClass()
        cls.scripts = cls._directory / "npm"
        shutil.copytree(SCRIPTS, cls.scripts)
        command = ["npm", "install", "--no-audit", "--no-fund", "--silent"]
        installed = subprocess.run(command, cwd=cls.scripts, capture_output=True, check=False)
        if installed.returncode != 0:
            raise SkipTest("npm could not install the clients")

    def run_script(self, name: str) -> Any:
        """What a script prints, as JSON."""
        file = self.origin.url(f"{self.path('rate=8MiB')}?size={SIZE}")
        command = ["node", name, str(self.daemon.port), self.daemon.api.token, file]
        ended = subprocess.run(
            command, cwd=self.scripts, capture_output=True, text=True, timeout=PATIENCE, check=False
        )
        self.assertEqual(ended.returncode, 0, ended.stderr)
        return json.loads(ended.stdout)

    def test_aria2(self) -> None:
        """A WebSocket with notifications, multicall and batch, until the file is there."""
        told = self.run_script("with_aria2.cjs")
        gid = told["gid"]
        self.assertEqual(told["seen"], [["start", gid], ["complete", gid]])
        self.assertEqual(told["status"], "complete")
        self.assertEqual(told["multicall"], [[{"gid": gid}], [[]]])
        self.assertIn({"gid": gid}, told["batch"][0])
        self.assert_file(told["path"], 1, SIZE)

    def test_maria2(self) -> None:
        """WebSocket and HTTP alike; options that are no strings."""
        for told in self.run_script("with_maria2.mjs"):
            self.assertEqual(told["removed"], told["gid"])
            self.assertEqual((told["status"], told["split"], told["known"]), ("paused", "3", True))
