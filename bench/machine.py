"""On what, and when, the numbers were taken."""

from __future__ import annotations

import os
import platform
from datetime import UTC, datetime
from pathlib import Path


def describe() -> str:
    """Cores, memory, kernel, Python, date: one line."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    facts = [
        f"{os.cpu_count()} cores ({_processor()})",
        f"{memory:.0f} GiB of memory",
        f"Linux {platform.release()}",
        f"Python {platform.python_version()}",
        f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    ]
    return ", ".join(facts)


def load() -> float:
    """The load average of the last minute, to judge how quiet the machine was."""
    return os.getloadavg()[0]


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        name, _, value = line.partition(":")
        if name.strip() == "model name":
            return value.strip()
    return platform.machine()
