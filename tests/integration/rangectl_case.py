"""What tests of ``rangectl`` start from: a listening control site, and commands that ask it."""

from __future__ import annotations

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.pushing import PushPlaces
from rangedaemon.control.rangectl import run
from tests.control.wire import TOKEN, Wire
from tests.integration.daemon import environment
from tests.integration.socket_wire import SocketWire
from tests.integration.waiting import PATIENCE, until

RANGECTL = [
    sys.executable,
    "-c",
    "from rangedaemon.control.rangectl import main; main()",
]
"""The command line of rangectl in this very interpreter."""
URL = "http://origin.example/debian.iso"


@dataclass
class Ended:
    """How a command ended."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        """The lines on standard output."""
        return self.out.splitlines()

    @property
    def objects(self) -> list[Any]:
        """Standard output as JSON, line by line."""
        return [json.loads(line) for line in self.lines]


class Screen(io.TextIOWrapper):
    """A standard output that is no terminal, and can be read at any time."""

    def __init__(self) -> None:
        self.octets = io.BytesIO()
        super().__init__(self.octets, encoding="utf-8", write_through=True)

    @property
    def text(self) -> str:
        """What has been printed by now."""
        return self.octets.getvalue().decode()


def command(
    *words: str,
    stdin: str = "",
    environ: Mapping[str, str] | None = None,
    out: Screen | None = None,
) -> Ended:
    """Run one command in this process, away from terminal and environment."""
    out, err = out or Screen(), Screen()
    clean = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", **(environ or {})}
    with (
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch("sys.stdin", io.StringIO(stdin)),
        mock.patch.dict(os.environ, clean, clear=True),
    ):
        code = run(words)
    return Ended(code, out.text, err.text)


class SiteCase(SynchronousTestCase):
    """Tests with a control site that listens."""

    def setUp(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rangectl-test-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.token_file = self.folder / "token"
        self.token_file.write_text(TOKEN + "\n")
        places = PushPlaces((str(self.folder),))
        self.wire = Wire(options={"push_places": lambda: places})
        self.jobs = self.wire.jobs
        self.site = SocketWire(self.wire)
        self.addCleanup(self.site.close)

    def ctl(self, *words: str, **options: Any) -> Ended:
        """A command for this site."""
        there = ("--url", self.site.url, "--token-file", str(self.token_file))
        return command(*there, *words, **options)

    def become(self, job_id: str, **changes: Any) -> None:
        """Change a job as a runner would."""
        self.site.do(self.jobs.become, job_id, **changes)

    def add(self, url: str = URL, **changes: Any) -> str:
        """A job that is there; its id."""
        options = [f"--name={changes.pop('name')}"] if "name" in changes else []
        [job] = self.ctl("add", url, *options, "--json").objects
        if changes:
            self.become(job["id"], **changes)
        return str(job["id"])

    def state(self, job_id: str) -> str:
        """The state that the daemon has the job in."""
        return str(self.jobs.jobs[job_id].record.state)

    def begin(self, *words: str) -> Running:
        """Start a command that goes on for a while."""
        running = Running("--url", self.site.url, "--token-file", str(self.token_file), *words)
        self.addCleanup(running.close)
        return running


class Running:
    """A command in a process of its own, with its output in a file."""

    def __init__(self, *words: str) -> None:
        self._out = tempfile.TemporaryFile()  # noqa: SIM115 - `close` does
        self._err = tempfile.TemporaryFile()  # noqa: SIM115
        self._process = subprocess.Popen(
            [*RANGECTL, *words],
            stdin=subprocess.DEVNULL, stdout=self._out, stderr=self._err, env=environment(),
        )  # fmt: skip

    @property
    def printed(self) -> str:
        """What it has printed by now."""
        return _whole(self._out)

    def wait_for(self, text: str) -> None:
        """Wait until it has printed *text*."""
        until(lambda: text in self.printed, f"{text!r} is printed")

    def ended(self) -> Ended:
        """Wait for its end."""
        code = self._process.wait(PATIENCE)
        return Ended(code, self.printed, _whole(self._err))

    def close(self) -> None:
        """End it in any case."""
        self._process.kill()
        self._process.wait()
        self._out.close()
        self._err.close()


def _whole(file: IO[bytes]) -> str:
    """The text in *file*; its position, which the process shares, stays where it is."""
    return os.pread(file.fileno(), 1 << 24, 0).decode()
