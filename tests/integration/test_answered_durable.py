"""What is answered is on the disk: the kernel's own account of a daemon that takes jobs."""

from __future__ import annotations

import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from unittest import skipIf

from twisted.trial.unittest import SkipTest

from tests.integration.case import IntegrationCase
from tests.integration.daemon import DaemonProcess
from tests.integration.waiting import PATIENCE, until

JOBS = 3
CALLS = "recvfrom,sendto,pwrite64,fdatasync,fsync"


@skipIf(shutil.which("strace") is None, "needs strace")
class AnsweredTests(IntegrationCase):
    """The calls between a POST that came and its answer."""

    def setUp(self) -> None:
        """A daemon whose calls are written down."""
        self.daemon: DaemonProcess = self.make_daemon({"downloads": {"max_active": 1}}).start()
        self.account = self.make_directory() / "calls"
        command = ["strace", "-f", "-y", "-s", "40", "-e", f"trace={CALLS}", "-o", self.account]
        self.strace = subprocess.Popen(
            [*command, "-p", str(self.daemon.pid)], stderr=subprocess.DEVNULL
        )
        self.addCleanup(self.stop)
        until(self.attached, "strace looks on")

    def attached(self) -> bool:
        """Whether the daemon is looked at."""
        if self.strace.poll() is not None:
            raise SkipTest("no process may look at another one here")
        status = Path(f"/proc/{self.daemon.pid}/status").read_text()
        return f"TracerPid:\t{self.strace.pid}\n" in status

    def stop(self) -> None:
        """Let go of the daemon."""
        if self.strace.poll() is None:
            self.strace.send_signal(signal.SIGTERM)
        self.strace.wait(PATIENCE)

    def test_synced_before_told(self) -> None:
        """Each job's row was written and synced between its POST and its 201."""
        for at in range(JOBS):
            self.daemon.api.add(f"http://127.0.0.1:1/{at}", paused=True)
        self.stop()
        written = synced = posted = False
        answered = 0
        for call, outcome in ended_calls(self.account.read_text()):
            if '"POST /api/v1/jobs' in call:
                posted, written, synced = True, False, False
            elif call.startswith("pwrite64") and "journal.sqlite-wal" in call:
                written, synced = True, False
            elif call.startswith(("fdatasync", "fsync")) and "journal.sqlite-wal" in call:
                synced = outcome == "0"
            elif '"HTTP/1.1 201 ' in call:
                answered += 1
                self.assertTrue(posted and written and synced, call)
                posted = False
        self.assertEqual(answered, JOBS)


def ended_calls(account: str) -> Iterator[tuple[str, str]]:
    """The calls in the order in which they ended, each with what it gave back."""
    begun: dict[str, str] = {}
    for line in account.splitlines():
        thread, _, call = line.partition(" ")
        call = call.strip()
        if call.endswith("<unfinished ...>"):
            begun[thread] = call.removesuffix("<unfinished ...>")
            continue
        if call.startswith("<... "):
            call = begun.pop(thread, "") + call.partition("resumed>")[2]
        yield call, call.rpartition(" = ")[2]
