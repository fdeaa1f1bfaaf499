"""Fetch one file with a peer or with our daemon, and take the measure of it."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from bench import source
from bench.peers import PEERS, Fetch
from bench.proc import cpu_seconds, peak_memory, reset_peak
from bench.samples import Sample
from tests.integration.daemon import DaemonProcess

_PEEK = 0.005
_LIMIT = 90.0
"""Seconds; a peer that takes longer is ended and its run counted as wrong."""


class Failed(Exception):
    """A contender did not finish; the run goes on without it."""


def run_peer(name: str, fetch: Fetch, size: int) -> Sample:
    """
    Run a peer to its end.

    Its memory is looked at while it runs: what the kernel reports at the end
    (``ru_maxrss``) includes that of the Python process it was started from.
    """
    began = time.perf_counter()
    process = subprocess.Popen(
        PEERS[name](fetch), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, text=True
    )
    cpu, memory = _watch(process)
    wall = time.perf_counter() - began
    right = source.is_right(fetch.target, size)
    clear(fetch.target)
    return Sample(wall, cpu, memory, right and process.returncode == 0)


def _watch(process: subprocess.Popen[str]) -> tuple[float, int]:
    """Its CPU seconds and peak memory, taken until it ends."""
    memory = 0
    deadline = time.monotonic() + _LIMIT
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        memory = max(memory, peak_memory(process.pid))
        if time.monotonic() > deadline:
            process.kill()
        time.sleep(_PEEK)
    cpu = cpu_seconds(process.pid)
    process.wait()
    return cpu, memory


class Ours:
    """Our daemon, started once; each fetch is a job."""

    def __init__(self, directory: Path, downloads: dict[str, Any], trust: Path | None = None):
        directory.mkdir(parents=True)
        env = {} if trust is None else {"SSL_CERT_FILE": str(trust)}
        self.daemon = DaemonProcess(directory, {"downloads": downloads}, env=env).start()

    def run(self, fetch: Fetch, size: int) -> Sample:
        """Add the job, wait for its file, take the measure.

        The end is the moment that the file has its final name: verified and synced.
        """
        pid, target = self.daemon.pid, self.daemon.downloads / fetch.target.name
        reset_peak(pid)
        cpu, began = cpu_seconds(pid), time.perf_counter()
        job = self.daemon.api.add(
            fetch.url, filename=target.name, segments=fetch.connections, on_conflict="overwrite"
        )
        self._wait(job["id"], target)
        wall = time.perf_counter() - began
        sample = Sample(
            wall, cpu_seconds(pid) - cpu, peak_memory(pid), source.is_right(target, size)
        )
        self.daemon.api.request("DELETE", f"/api/v1/jobs/{job['id']}?files=delete")
        clear(target)
        return sample

    def _wait(self, job_id: str, target: Path) -> None:
        """Wait for the file, asking the daemon only once a second."""
        deadline = time.monotonic() + _LIMIT
        while time.monotonic() < deadline:
            second = time.monotonic() + 1
            while time.monotonic() < second:
                if target.exists():
                    return
                time.sleep(_PEEK)
            job = self.daemon.api.job(job_id)
            if job["state"] == "failed":
                raise Failed(f"our job failed: {job['error']}")
        raise Failed("our job did not end")

    def close(self) -> None:
        """End the daemon."""
        self.daemon.close()


def clear(target: Path) -> None:
    """Remove a fetched file and whatever its fetcher left beside it."""
    for path in target.parent.glob(f"{target.name}*"):
        path.unlink()
