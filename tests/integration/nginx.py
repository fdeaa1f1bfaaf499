"""A real nginx in the foreground, below a directory of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from tests.integration.ports import accepts, free_port
from tests.integration.waiting import PATIENCE, until

_CONFIG = """\
daemon off;
{user}
worker_processes {workers};
pid {base}/nginx.pid;
error_log {base}/error.log;
events {{ worker_connections 4096; }}
http {{
  access_log {access_log};
  sendfile on;
  tcp_nopush on;
  keepalive_requests 1000000;
  types {{ }}
  default_type application/octet-stream;
  client_body_temp_path {base}/body;
  proxy_temp_path {base}/proxy;
  fastcgi_temp_path {base}/fastcgi;
  uwsgi_temp_path {base}/uwsgi;
  scgi_temp_path {base}/scgi;
  limit_conn_zone $server_name zone=whole:1m;
  server {{
    server_name origin;
    listen 127.0.0.1:{port} {tls};
    {certificate}
    root {root};
    {extra}
  }}
}}
"""


def available() -> str | None:
    """Where nginx is, None where it is not installed."""
    return shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")


@dataclass
class Nginx:
    """Serves *root* on a free port; `start` it, `close` it."""

    base: Path
    root: Path
    rate: int | None = None
    """Octets per second and connection."""
    tls: bool = False
    ranges: bool = True
    workers: int = 1
    connections: int | None = None
    """More at once get 503."""
    access_log: bool = True
    more: str = ""
    """Further directives of the server block."""
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def certificate(self) -> Path:
        """The certificate to trust."""
        return self.base / "cert.pem"

    def url(self, name: str) -> str:
        """The address of a file."""
        return f"http{'s' if self.tls else ''}://127.0.0.1:{self.port}/{name}"

    @property
    def pid(self) -> int:
        """Of the process that has the others."""
        if self._process is None:
            raise ProcessLookupError("nginx does not run")
        return self._process.pid

    def start(self) -> Self:
        """Start it and wait until it listens."""
        binary = available()
        if binary is None:
            raise FileNotFoundError("nginx is not installed")
        self.base.mkdir(parents=True, exist_ok=True)
        if self.tls:
            make_certificate(self.base)
        config = self.base / "nginx.conf"
        config.write_text(self._config())
        command = [binary, "-p", f"{self.base}", "-e", f"{self.base}/error.log", "-c", f"{config}"]
        self._process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        until(self._listening, "nginx listens")
        return self

    def _listening(self) -> bool:
        if self._process is None or self._process.poll() is not None:
            raise AssertionError(f"nginx ended: {(self.base / 'error.log').read_text()}")
        return accepts(self.port)

    def _config(self) -> str:
        limits = {"limit_rate": self.rate, "limit_conn whole": self.connections}
        extra = [f"{name} {value};" for name, value in limits.items() if value is not None]
        if not self.ranges:
            extra.append("max_ranges 0;")
        certificate = (
            f"ssl_certificate {self.certificate}; ssl_certificate_key {self.base}/key.pem;"
        )
        return _CONFIG.format(
            user="user root;" if os.geteuid() == 0 else "",
            workers=self.workers,
            base=self.base,
            access_log=self.base / "access.log" if self.access_log else "off",
            port=self.port,
            tls="ssl" if self.tls else "",
            certificate=certificate if self.tls else "",
            root=self.root,
            extra="\n    ".join([*extra, self.more]),
        )

    def served(self) -> list[str]:
        """The lines of the access log."""
        log = self.base / "access.log"
        return log.read_text().splitlines() if log.exists() else []

    def close(self) -> None:
        """End it."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(PATIENCE)
            self._process = None


def make_certificate(directory: Path) -> None:
    """``cert.pem`` and ``key.pem`` for 127.0.0.1 and localhost, by openssl."""
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    command += ["-keyout", f"{directory}/key.pem", "-out", f"{directory}/cert.pem"]
    command += ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    subprocess.run(command, check=True, capture_output=True)
