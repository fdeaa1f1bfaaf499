"""A real daemon in a process of its own, below a directory of its own."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

import yaml

from tests.integration.api import Api
from tests.integration.ports import free_port
from tests.integration.waiting import PATIENCE, until

ROOT = Path(__file__).resolve().parents[2]
_START = "from twisted.scripts.twistd import run; run()"


def twistd(*arguments: str) -> list[str]:
    """The command line of twistd in this very interpreter."""
    return [sys.executable, "-c", _START, *arguments]


def environment(**more: str) -> dict[str, str]:
    """The environment for our processes: this checkout importable from anywhere."""
    return {**os.environ, "PYTHONPATH": str(ROOT), **more}


class DaemonDied(AssertionError):
    """The daemon ended while the test needed it; carries the end of its log."""


class DaemonProcess:
    """
    ``twistd -n rangedaemon`` with a configuration made of *sections*.

    *sections* are laid over the defaults below, section by section.  `start` and
    `kill` may alternate as often as a test likes; `close` ends it for good.
    """

    def __init__(
        self,
        directory: Path,
        sections: Mapping[str, Any] | None = None,
        *,
        env: Mapping[str, str] | None = None,
        file_size_limit: int | None = None,
        open_files: int | None = None,
        program: str = _START,
    ) -> None:
        self.directory = directory
        self.port = free_port()
        self.file_port = free_port()
        self.config_file = directory / "conf.yaml"
        self.downloads = directory / "downloads"
        self.log_file = directory / "daemon.log"
        self.api = Api(self.port, directory / "state" / "control.token")
        self._env = dict(env or {})
        self._program = program
        self._limits = {
            resource.RLIMIT_FSIZE: file_size_limit,
            resource.RLIMIT_NOFILE: open_files,
        }
        self._process: subprocess.Popen[bytes] | None = None
        self.configure(sections or {})

    def configure(self, sections: Mapping[str, Any]) -> None:
        """Write the configuration that the next start reads."""
        self.downloads.mkdir(parents=True, exist_ok=True)
        config: dict[str, Any] = {
            "state_dir": "state",
            "control": {"listen": [f"tcp:{self.port}:interface=127.0.0.1"]},
            "downloads": {"directory": "downloads"},
        }
        for name, section in sections.items():
            base = config.get(name)
            config[name] = {**base, **section} if isinstance(base, dict) else section
        if "server" in config:
            config["server"].setdefault("listen", [f"tcp:{self.file_port}:interface=127.0.0.1"])
        self.config_file.write_text(yaml.safe_dump(config, sort_keys=False))

    @property
    def pid(self) -> int:
        """The process id; the daemon must run."""
        if self._process is None:
            raise DaemonDied("the daemon is not running")
        return self._process.pid

    @property
    def log(self) -> str:
        """Everything that the daemon printed, over all its starts."""
        return self.log_file.read_text(errors="replace") if self.log_file.exists() else ""

    def spawn(self) -> subprocess.Popen[bytes]:
        """Start the process without waiting for anything."""
        with self.log_file.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-c",
                    self._program,
                    "-n",
                    "--pidfile=",
                    "rangedaemon",
                    "-c",
                    str(self.config_file),
                ],
                cwd=self.directory,
                env=environment(**self._env),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                preexec_fn=self._limit,
            )
        return self._process

    def _limit(self) -> None:
        """In the new process: the limits on the size of files and on their number."""
        for what, most in self._limits.items():
            if most is not None:
                resource.setrlimit(what, (most, most))

    def start(self, timeout: float = PATIENCE) -> Self:
        """Start it and wait until it is ready.

        :raises DaemonDied: it ended instead.
        """
        process = self.spawn()

        def ready() -> bool:
            if process.poll() is not None:
                raise DaemonDied(f"exit status {process.returncode}:\n{self.log[-4000:]}")
            return self.api.healthy()

        until(ready, "the daemon is ready", timeout)
        return self

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    def terminate(self) -> int:
        """Ask it to stop (SIGTERM) and wait; the exit status."""
        return self._end(signal.SIGTERM)

    def restart(self) -> Self:
        """Stop it in order and start it again."""
        self.terminate()
        return self.start()

    def wait_ended(self, timeout: float = PATIENCE) -> int:
        """Wait until it ended by itself; the exit status."""
        process, self._process = self._process, None
        if process is None:
            raise DaemonDied("the daemon is not running")
        try:
            return process.wait(timeout)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise

    def _end(self, how: signal.Signals) -> int:
        if self._process is None:
            raise DaemonDied("the daemon is not running")
        self._process.send_signal(how)
        return self.wait_ended()

    def close(self) -> None:
        """End it in any case."""
        if self._process is not None:
            self.kill()
