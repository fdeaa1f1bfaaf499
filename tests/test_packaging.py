"""From source distribution to wheel to an empty environment, and away again."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import pytest
from twisted.trial.unittest import SynchronousTestCase

from tests.integration.api import Api
from tests.integration.ports import free_port
from tests.integration.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[1]
NOT_SOURCE = shutil.ignore_patterns(
    ".*", "var", "build", "dist", "*.egg-info", "__pycache__", "tests.*", "out", "dropin.cache*"
)

pytestmark = [pytest.mark.integration, pytest.mark.timeout(600)]


def run(*command: str | Path, cwd: Path) -> str:
    """What *command* prints; it must succeed, and sees nothing of this checkout."""
    environ = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd, env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise AssertionError(f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


class PackagingTests(SynchronousTestCase):
    """The wheel that is made from the source distribution."""

    @classmethod
    def setUpClass(cls) -> None:
        """Build both in a copy, so that the checkout stays clean."""
        super().setUpClass()
        cls.place = Path(tempfile.mkdtemp(prefix="rangedaemon-wheel-"))
        source = cls.place / "source"
        shutil.copytree(ROOT, source, ignore=NOT_SOURCE)
        run(sys.executable, "-m", "build", "--no-isolation", "--outdir", cls.place, cwd=source)
        (cls.wheel,) = cls.place.glob("*.whl")

    @classmethod
    def tearDownClass(cls) -> None:
        """Remove everything."""
        super().tearDownClass()
        shutil.rmtree(cls.place)

    def test_contents(self) -> None:
        """Of Twisted's namespace it holds our plugin and nothing else; data files are there."""
        with zipfile.ZipFile(self.wheel) as archive:
            names = set(archive.namelist())
        self.assertEqual(
            {name for name in names if name.startswith("twisted/")},
            {"twisted/plugins/rangedaemon_plugin.py"},
        )
        self.assertEqual(
            {name.split("/")[0] for name in names if ".dist-info" not in name},
            {"rangedaemon", "twisted"},
        )
        packaged = {name for name in names if name.startswith("rangedaemon/")}
        here = {
            str(file.relative_to(ROOT))
            for file in (ROOT / "rangedaemon").rglob("*")
            if file.is_file() and "__pycache__" not in file.parts
        }
        self.assertEqual(packaged, here)

    def test_install_run_uninstall(self) -> None:
        """Installed into an empty environment it runs; uninstalled it leaves Twisted as it was."""
        venv = self.place / "venv"
        run(sys.executable, "-m", "venv", venv, cwd=self.place)
        pip = (venv / "bin" / "python", "-m", "pip", "--disable-pip-version-check")
        run(*pip, "install", "--quiet", self.wheel, cwd=self.place)
        (site,) = (venv / "lib").glob("python*/site-packages")
        self.run_daemon(venv)
        run(*pip, "uninstall", "--quiet", "--yes", "rangedaemon", cwd=self.place)

        known = run(venv / "bin" / "twistd", "--help", cwd=self.place)
        self.assertIn("web ", known)
        self.assertNotIn("rangedaemon", known)
        self.assertFalse((venv / "bin" / "rangectl").exists())
        left = [str(path) for path in site.rglob("*rangedaemon*")]
        self.assertEqual(left, [])
        cache = site / "twisted" / "plugins" / "dropin.cache"
        self.assertNotIn(b"rangedaemon", cache.read_bytes())
        run(*pip, "check", cwd=self.place)

    def run_daemon(self, venv: Path) -> None:
        """Start it with a small configuration, ask for its health, and stop it."""
        port = free_port()
        home = self.place / "home"
        home.mkdir()
        config = home / "conf.yaml"
        config.write_text(
            f'state_dir: state\ncontrol: {{listen: ["tcp:{port}:interface=127.0.0.1"]}}\n'
        )
        run(venv / "bin" / "twistd", "rangedaemon", "--check", "-c", config, cwd=home)
        run(venv / "bin" / "rangectl", "--help", cwd=home)
        self.assertEqual(list(home.iterdir()), [config])
        with (home / "log").open("wb") as log:
            process = subprocess.Popen(
                [venv / "bin" / "twistd", "-n", "--pidfile=", "rangedaemon", "-c", config],
                cwd=home, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )  # fmt: skip
        self.addCleanup(process.kill)
        api = Api(port, home / "state" / "control.token")
        until(api.healthy, f"healthy: {home}/log", timeout=PATIENCE)
        process.send_signal(signal.SIGTERM)
        self.assertEqual(process.wait(PATIENCE), 0)
