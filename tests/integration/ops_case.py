"""What tests of a daemon in operation start from: its configuration changes while it runs."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from tests.hostile import content, write_content
from tests.integration.api import Reply
from tests.integration.case import IntegrationCase
from tests.integration.daemon import DaemonProcess
from tests.integration.readers import Reader

SEED = 5
SIZE = 24 << 20


class OpsCase(IntegrationCase):
    """A daemon that serves ``/files``, which holds ``f.bin``; `configure` lays sections over it."""

    options: ClassVar[Mapping[str, Any]] = {}
    """Of the process."""

    def setUp(self) -> None:
        """The folder and the daemon, which is not started yet."""
        self.root = self.make_directory()
        write_content(self.root / "f.bin", SEED, SIZE)
        self.daemon = self.make_daemon(**self.options)
        self.configure()

    def configure(self, **sections: Mapping[str, Any]) -> None:
        """Write a configuration, with these sections in place of the usual ones."""
        server = {"mounts": [self.mount("/files")]}
        self.daemon.configure({"server": server, **sections})

    def mount(self, path: str, **more: object) -> dict[str, object]:
        """The folder at *path*."""
        return {"path": path, "root": str(self.root), **more}

    def reload(self) -> Reply:
        """Have the API read the configuration again."""
        return self.daemon.api.request("POST", "/api/v1/reload")

    def reloaded(self) -> set[str]:
        """The same, which must succeed; the keys that changed."""
        reply = self.reload()
        self.assertEqual(reply.status, 200, reply.body)
        return set(reply.json["changed"])

    def refused(self) -> Any:
        """The same, which must be refused; the problem."""
        reply = self.reload()
        self.assertEqual(
            (reply.status, reply.headers["Content-Type"]), (422, "application/problem+json")
        )
        self.assertEqual(reply.json["code"], "bad-configuration")
        return reply.json

    def hang_up(self) -> None:
        """SIGHUP."""
        os.kill(self.daemon.pid, signal.SIGHUP)

    def begin(self, path: str = "/files/f.bin") -> Reader:
        """A transfer under way, most of which nobody has read yet."""
        reader = Reader(self.daemon.file_port, path)
        self.addCleanup(reader.close)
        self.assertEqual(reader.status, "200")
        return reader

    def assert_whole(self, answer: bytes) -> None:
        """An answer has the whole file."""
        self.assertTrue(answer.endswith(content(SEED, 0, SIZE)), f"{len(answer)} octets")


def make_certificate(place: Path, name: str) -> Path:
    """A self-signed certificate for localhost and its key, in one file."""
    pem, key = place / f"{name}.pem", place / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(pem), "-days", "2"],
        check=True, capture_output=True,
    )  # fmt: skip
    pem.write_text(key.read_text() + pem.read_text())
    return pem


def child_pids(daemon: DaemonProcess) -> set[int]:
    """The workers of a daemon."""
    return children_of(daemon.pid)


def children_of(pid: int) -> set[int]:
    """The same, where its process is known."""
    found = subprocess.run(
        ["pgrep", "-P", str(pid), "-f", "rangedaemon.worker"], capture_output=True, text=True
    )
    return {int(line) for line in found.stdout.split()}
