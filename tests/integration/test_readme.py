"""The README's commands, run as they stand, and what it says that they print."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import subprocess

import pytest

from tests.integration.checkout import CheckoutCase
from tests.integration.console import Page, steps_of
from tests.integration.daemon import ROOT, environment
from tests.integration.waiting import until

README = ROOT / "README.rst"
_OTHERWISE = re.compile(
    r"\b(?:[0-9a-f]{16}|[0-9a-f]{32})\b|v1-[0-9a-f]+(?:-[0-9a-f]+)+"
    r"|\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT|\d{4}-\d\d-\d\dT[\d:.]+Z"
    r"|\b20[06]\d{4}\b|\b416153[56]\b|after 1000|after 2000|with 0 bytes"
)
"""What is another thing each time: ids, tags, times, and how far a cut upload came."""
_PERHAPS = (" 100 %\n", " 100 %...")
"""Behind it ``show`` says what was fetched twice, where a connection took over from a slow one."""


class ReadmeTests(CheckoutCase):
    """One reader, who types everything, from the top to the end."""

    said_ports = ("8080", "8081", "6880", "6881")

    def written(self, name: str) -> None:
        """A file that the README shows."""
        [shown] = [s.printed for s in steps_of(README) if s.command == f"cat {name}"]
        self.write(name, shown)

    def start(self) -> None:
        """``make run``, in another terminal."""
        log = (self.place / "make.log").open("wb")
        self.addCleanup(log.close)
        make = subprocess.Popen(
            ["make", "run"], cwd=self.place, env=environment(), stdin=subprocess.DEVNULL,
            stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.addCleanup(make.wait)
        self.addCleanup(os.killpg, make.pid, signal.SIGKILL)
        try:
            until(lambda: "job sample: complete" in self.said("make.log"), "the sample", 120)
        except TimeoutError:
            self.fail(self.said("make.log"))

    def said(self, log: str) -> str:
        """What is in a log."""
        return (self.place / log).read_text()

    def end_drop(self) -> None:
        """End the second daemon, where the README has not got so far."""
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int((self.place / "drop.pid").read_text()), signal.SIGKILL)

    @pytest.mark.timeout(900)
    def test_followed(self) -> None:
        """Every command does, and prints, what the README says."""
        for name in ("drop.yaml", "bad.yaml"):
            self.written(name)
        self.start()
        text = README.read_text()
        changing = [(each, "...") for each in set(_OTHERWISE.findall(text))]
        names = [*self.ports, ("/srv/rangedaemon", str(self.place)), _PERHAPS, *changing]
        programs = f"{self.place / '.venv/bin'}:{os.environ['PATH']}"
        self.addCleanup(self.end_drop)
        page = Page(README, self.place, names, environment(PATH=programs))
        self.addCleanup(page.close)
        page.follow()
        for log in ("make.log", "drop.log"):
            self.assertNotIn("Traceback", self.said(log))
