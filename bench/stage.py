"""Where a work is done: a temporary directory, the servers in it, and what was asked for."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import source
from bench.contenders import Ours
from tests.hostile import HostileOrigin
from tests.integration.nginx import Nginx

MIB = 1 << 20


@dataclass
class Stage:
    """Everything that a work starts here ends with it."""

    directory: Path
    rounds: int
    size: int | None
    """Size of the file where the command line names one."""
    peers: list[str]
    ours: bool
    """Whether our daemon takes part."""
    servers: tuple[str, ...] = ()
    """Servers to compare instead of all that there are."""
    stack: ExitStack = field(default_factory=ExitStack)

    def place(self, name: str) -> Path:
        """A new directory of that name."""
        path = self.directory / name
        path.mkdir(parents=True)
        return path

    def size_or(self, default: int) -> int:
        """The size asked for, else that of the work."""
        return self.size or default

    def nginx(self, size: int, **options: Any) -> tuple[Nginx, str]:
        """An nginx with the source file of *size*, and the address of the file."""
        root = self.place("root")
        source.make(root / "source.bin", size)
        server = Nginx(self.directory / "nginx", root, access_log=False, **options)
        self.stack.callback(server.close)
        server.start()
        return server, server.url("source.bin")

    def origin(self) -> HostileOrigin:
        """An origin whose speed can be chosen for each connection."""
        return self.stack.enter_context(HostileOrigin())

    def daemon(self, *, trust: Path | None = None, **downloads: Any) -> Ours:
        """Our daemon, ready."""
        daemon = Ours(self.directory / "ours", downloads, trust)
        self.stack.callback(daemon.close)
        return daemon
