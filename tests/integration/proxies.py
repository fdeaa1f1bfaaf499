"""Real proxies: tinyproxy and squid for HTTP, microsocks for SOCKS5."""

from __future__ import annotations

import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from twisted.trial.unittest import SkipTest, TestCase

from tests.integration.ports import accepts, free_port
from tests.integration.waiting import PATIENCE, until

USER, PASSWORD = "proxyuser", "pr0xysecret"


@dataclass
class ProxyServer:
    """A proxy that runs, and where it is."""

    command: list[str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] = field(init=False)

    def start(self) -> None:
        """Start it and wait until it listens."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        until(self._listens, f"{self.command[0]} listens")

    def _listens(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"{self.command[0]} ended: {self.log.read_text()}")
        return accepts(self.port)

    def told(self) -> str:
        """All that it has logged."""
        return self.log.read_text(errors="replace")

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(PATIENCE)


def _found(name: str) -> str:
    path = shutil.which(name) or shutil.which(name, path="/usr/sbin")
    if path is None:
        raise SkipTest(f"{name} is not installed")
    return path


def _running(case: TestCase, command: list[str], port: int, log: Path) -> ProxyServer:
    server = ProxyServer(command, port, log)
    server.start()
    case.addCleanup(server.close)
    return server


def tinyproxy(case: TestCase, base: Path, *, login: bool = False, more: str = "") -> ProxyServer:
    """A running tinyproxy; with *login* it wants the user above."""
    binary, port = _found("tinyproxy"), free_port()
    config = base / "tinyproxy.conf"
    wants = f"BasicAuth {USER} {PASSWORD}\n" if login else ""
    config.write_text(
        f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 50\nLogLevel Connect\n{wants}{more}"
    )
    return _running(case, [binary, "-d", "-c", str(config)], port, base / "tinyproxy.log")


def squid(case: TestCase, base: Path) -> ProxyServer:
    """A running squid without a cache, open to everybody here."""
    binary, port = _found("squid"), free_port()
    config = base / "squid.conf"
    base.chmod(0o777)
    config.write_text(
        f"http_port 127.0.0.1:{port}\nhttp_access allow all\ncache deny all\n"
        f"pid_filename {base}/squid.pid\naccess_log stdio:{base}/access.log\n"
        f"cache_log {base}/cache.log\ncoredump_dir {base}\nshutdown_lifetime 0 seconds\n"
        f"visible_hostname proxy.test\npinger_enable off\nnetdb_filename none\n"
    )
    return _running(case, [binary, "-N", "-f", str(config)], port, base / "squid.log")


def microsocks(case: TestCase, base: Path, *, login: bool = False) -> ProxyServer:
    """A running microsocks; with *login* it wants the user above."""
    binary, port = _found("microsocks"), free_port()
    wants = ["-u", USER, "-P", PASSWORD] if login else []
    command = [binary, "-i", "127.0.0.1", "-p", str(port), *wants]
    return _running(case, command, port, base / "microsocks.log")
