"""Many hosts at once: the limit for each is used up and never passed."""

from __future__ import annotations

import time

from bench.client import Wire
from bench.contenders import Failed
from bench.proc import cpu_seconds
from bench.stage import Stage
from bench.table import table
from tests.integration.test_crowd import HOSTS, JOBS, LIMIT, Gatekeeper
from tests.integration.waiting import until


def hosts(stage: Stage) -> str:
    """A hundred hosts with ten jobs each; a host answers only when its connections are used up."""
    if not stage.ours:
        return ""
    daemon = stage.daemon(
        max_active=HOSTS * JOBS, segments=1, connections_per_host=LIMIT, stall_timeout=120
    ).daemon
    wire = Wire(daemon)
    with Gatekeeper() as gate:
        jobs = [
            {"url": f"http://127.0.1.{host}:{gate.port}/{host}-{number}.bin"}
            for number in range(JOBS)
            for host in range(1, HOSTS + 1)
        ]
        cpu, began = cpu_seconds(daemon.pid), time.perf_counter()
        wire.ask("POST", "/api/v1/jobs", jobs)
        until(lambda: sum(gate.done.values()) == len(jobs), "every host has answered", 120)
        wall, cpu = time.perf_counter() - began, cpu_seconds(daemon.pid) - cpu
        if set(gate.peaks.values()) != {LIMIT}:
            raise Failed(f"connections to a host at the most: {sorted(set(gate.peaks.values()))}")
    title = f"{HOSTS} hosts, {JOBS} jobs each, {LIMIT} connections to each host, all used, no fifth"
    return table(title, ["", "s", "CPU s"], [["rangedaemon", f"{wall:.1f}", f"{cpu:.1f}"]])
