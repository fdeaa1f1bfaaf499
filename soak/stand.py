"""What a soak runs on: a daemon, a hostile origin, and what is written down about them."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.hostile import HostileOrigin, write_content
from tests.integration.daemon import DaemonProcess

SERVED_SIZE = 48 << 20
SERVED_SEED = 3


class Wrong(Exception):
    """Something that must never be: a wrong octet, a lost job."""


class Stand:
    """The daemon with its surroundings, and the books that all loads keep."""

    def __init__(self, directory: Path, seconds: float) -> None:
        self.root = directory / "served"
        self.incoming = directory / "incoming"
        for place in (self.root, self.incoming):
            place.mkdir(parents=True)
        write_content(self.root / "f.bin", SERVED_SEED, SERVED_SIZE)
        self.origin = HostileOrigin()
        self.daemon = DaemonProcess(directory / "daemon")
        self.configure()
        self.ends = time.monotonic() + seconds
        self.fresh_descriptors = 0
        """What the daemon has open before anybody comes."""
        self.counts: Counter[str] = Counter()
        self.wrongs: list[str] = []
        self._lock = threading.Lock()
        self.file_turn = threading.Lock()
        """Who writes the configuration file."""

    def configure(self, **more: object) -> None:
        """Write the configuration, with *more* in its ``server`` section."""
        mounts = [
            {"path": "/files", "root": str(self.root), "listing": True},
            {"path": "/in", "root": str(self.incoming), "uploads": {"anonymous": True}},
        ]
        self.daemon.configure({
            "server": {"mounts": mounts, **more},
            "downloads": {
                "segments": 4, "max_active": 6, "min_segment_size": "128KiB",
                "stall_timeout": "2s", "checkpoint_interval": "300ms",
                "retry": {"attempts": 1000, "initial_delay": "50ms", "max_delay": "1s"},
            },
        })  # fmt: skip

    @property
    def goes_on(self) -> bool:
        """Whether it is not over yet."""
        return time.monotonic() < self.ends

    def count(self, what: str, number: int = 1) -> None:
        """Write down that something happened."""
        with self._lock:
            self.counts[what] += number

    def wrong(self, what: str) -> None:
        """Write down what must not be."""
        with self._lock:
            self.wrongs.append(what)

    @contextmanager
    def configuration(self) -> Iterator[Path]:
        """The configuration file, for one at a time; it is as before afterwards."""
        with self.file_turn:
            before = self.daemon.config_file.read_text()
            try:
                yield self.daemon.config_file
            finally:
                self.daemon.config_file.write_text(before)

    def close(self) -> None:
        """End everything."""
        self.daemon.close()
        self.origin.close()
