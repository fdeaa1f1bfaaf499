"""Ways into the control API of a real daemon: a Unix socket, tokens of other scopes."""

from __future__ import annotations

import http.client
import os
import socket
import stat
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from tests.integration.case import IntegrationCase
from tests.integration.daemon import DaemonProcess, environment, twistd
from tests.integration.waiting import PATIENCE

pytestmark = pytest.mark.integration


class UnixConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self._path = path

    def connect(self) -> None:
        """Connect to the socket's file."""
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(PATIENCE)
        self.sock.connect(str(self._path))


class UnixSocketTests(IntegrationCase):
    """A control API at a Unix socket."""

    def listen(self, *, mode: str) -> tuple[DaemonProcess, Path]:
        """A running daemon with a socket of that ``mode=``, beside its port."""
        daemon = self.make_daemon()
        listen = [f"tcp:{daemon.port}:interface=127.0.0.1", f"unix:control.sock{mode}"]
        daemon.configure({"control": {"listen": listen}})
        before = os.umask(0)
        try:
            daemon.start()
        finally:
            os.umask(before)
        return daemon, daemon.directory / "control.sock"

    def test_owner_alone(self) -> None:
        """Mode 600 without being asked, whatever the umask; the API answers there."""
        daemon, path = self.listen(mode="")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o600)
        with closing(UnixConnection(path)) as wire:
            wire.request("GET", "/api/v1/status", headers={"Authorization": "Bearer no-no-no"})
            refused = wire.getresponse()
            self.assertEqual((refused.status, refused.read()[:1]), (401, b"{"))
            token = {"Authorization": f"Bearer {daemon.api.token}"}
            wire.request("GET", "/api/v1/status", headers=token)
            self.assertEqual(wire.getresponse().status, 200)
        daemon.terminate()
        self.assertFalse(path.exists())

    def test_mode(self) -> None:
        """The mode that the configuration names."""
        _, path = self.listen(mode=":mode=660")
        self.assertEqual(stat.S_IMODE(path.stat().st_mode), 0o660)


class TokenTests(IntegrationCase):
    """Tokens beside the owner's."""

    def test_scopes(self) -> None:
        """The daemon makes the file of a read token at its start; with it one may look only."""
        daemon = self.make_daemon()
        daemon.configure({"control": {
            "listen": [f"tcp:{daemon.port}:interface=127.0.0.1"],
            "tokens": [{"name": "eyes", "token_file": "state/eyes.token"}],
        }})  # fmt: skip
        daemon.start()
        file = daemon.directory / "state/eyes.token"
        self.assertEqual(stat.S_IMODE(file.stat().st_mode), 0o600)
        fields = {"Authorization": f"Bearer {file.read_text().strip()}"}
        self.assertEqual(daemon.api.request("GET", "/metrics", headers=fields).status, 200)
        refused = daemon.api.request(
            "POST", "/api/v1/jobs", {"url": "http://127.0.0.1:9/"}, headers=fields
        )
        self.assertEqual((refused.status, refused.json["code"]), (403, "forbidden"))
        self.assertEqual(daemon.api.jobs(), [])


class PlainRemoteTests(IntegrationCase):
    """Listening beyond loopback."""

    def check(self, control: dict[str, object]) -> subprocess.CompletedProcess[str]:
        """``twistd rangedaemon --check`` of a configuration with that control section."""
        daemon = self.make_daemon()
        daemon.configure({"control": control})
        command = twistd("rangedaemon", "--check", "-c", str(daemon.config_file))
        return subprocess.run(
            command,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=PATIENCE,
            check=False,
        )

    def test_refused(self) -> None:
        """The check ends with 1 and one located line; with the words it ends with 0."""
        ended = self.check({"listen": ["tcp:6880"]})
        self.assertEqual(ended.returncode, 1)
        [line] = ended.stderr.splitlines()
        self.assertRegex(line, r"conf\.yaml:\d+: control\.listen\.0: listens beyond loopback")
        meant = self.check({"listen": ["tcp:6880"], "allow_plain_remote": True})
        self.assertEqual((meant.returncode, meant.stderr), (0, ""))
