"""What the daemon holds in memory, idle and while it pulls; the kernel's own figures."""

from __future__ import annotations

import tempfile
from pathlib import Path
from unittest import skipIf

from tests.integration.case import IntegrationCase
from tests.integration.daemon import DaemonProcess
from tests.integration.nginx import Nginx, available

MIB = 1 << 20
SIZE = 256 * MIB
CONNECTIONS = 16
IDLE = 92 * MIB
"""Libraries are nearly all of it."""
GROWTH = 16 * MIB
"""What a pull may add: threads, their buffers, and what imports and caches do once."""


def memory(pid: int, field: str) -> int:
    """Octets of a field of ``/proc/PID/status``: ``VmRSS`` now, ``VmHWM`` at most so far."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(f"{field}:"):
            return int(line.split()[1]) * 1024
    raise LookupError(field)


@skipIf(available() is None, "needs nginx")
@skipIf(not Path("/proc/self/status").exists(), "needs Linux's /proc")
class MemoryTests(IntegrationCase):
    """Resident memory."""

    def test_bounds(self) -> None:
        """The idle daemon stays small, and a fast pull adds little however large the file is."""
        directory = tempfile.TemporaryDirectory(prefix="rangedaemon-test-")
        self.addCleanup(directory.cleanup)
        base = Path(directory.name)
        base.chmod(0o755)
        served = base / "served"
        served.mkdir()
        with (served / "large.bin").open("wb") as file:
            file.truncate(SIZE)
        nginx = Nginx(base, served)
        self.addCleanup(nginx.close)
        nginx.start()
        settings = {"segments": CONNECTIONS, "connections_per_host": CONNECTIONS}
        daemon = DaemonProcess(base, {"downloads": settings})
        self.addCleanup(daemon.close)
        daemon.start()
        idle = memory(daemon.pid, "VmRSS")
        self.assertLess(idle, IDLE)
        job = daemon.api.add(nginx.url("large.bin"))
        done = daemon.api.wait_for(job["id"], "complete")
        self.assertEqual(Path(done["path"]).stat().st_size, SIZE)
        self.assertLess(memory(daemon.pid, "VmHWM") - idle, GROWTH)
