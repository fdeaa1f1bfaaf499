"""The unit files, as systemd's own tools judge them."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from twisted.trial.unittest import SkipTest, SynchronousTestCase

CONF = Path(__file__).resolve().parents[1] / "conf"
TWISTD = "/opt/rangedaemon/bin/twistd"
MOST_EXPOSED = 15
"""Tenths: 1.5 of 10."""
_MANAGER = re.compile(r"systemd (\d+)")


def tool(name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run one of systemd's tools; skips where there is none."""
    found = shutil.which(name)
    if found is None:
        raise SkipTest(f"{name} is not installed")
    return subprocess.run(
        [found, *arguments], capture_output=True, text=True, timeout=60, check=False
    )


class UnitTests(SynchronousTestCase):
    """``conf/rangedaemon.service`` and what belongs to it."""

    def setUp(self) -> None:
        """The units with a program that is there; with the drop-in where systemd is too old."""
        self.place = Path(self.mktemp()).absolute()
        self.place.mkdir()
        program = shutil.which("twistd") or sys.executable
        self.unit = self.place / "rangedaemon.service"
        text = (CONF / "rangedaemon.service").read_text()
        self.assertIn(TWISTD, text)
        self.unit.write_text(text.replace(TWISTD, program))
        shutil.copy(CONF / "rangedaemon.socket", self.place)
        version = _MANAGER.match(tool("systemd-analyze", "--version").stdout)
        assert version is not None
        if int(version[1]) < 253:
            drop_in = (CONF / "rangedaemon.service.d/before-systemd-253.conf").read_text()
            self.unit.write_text(
                self.unit.read_text()
                .replace("Type=notify-reload\n", "")
                .replace("[Service]\n", drop_in[drop_in.index("[Service]") :])
            )

    def test_verify(self) -> None:
        """`systemd-analyze verify` has nothing to say of service and socket."""
        units = (str(self.unit), str(self.place / "rangedaemon.socket"))
        judged = tool("systemd-analyze", "verify", "--man=no", *units)
        # What it says of the machine's own units is not ours.
        ours = [line for line in judged.stderr.splitlines() if "rangedaemon" in line]
        self.assertEqual((judged.returncode, ours), (0, []), judged.stderr)

    def test_verify_can_fail(self) -> None:
        """The same finds a key that systemd does not know."""
        self.unit.write_text(self.unit.read_text().replace("UMask=", "UMusk="))
        judged = tool("systemd-analyze", "verify", "--man=no", str(self.unit))
        self.assertIn("UMusk", judged.stderr)

    def test_security(self) -> None:
        """`systemd-analyze security` rates it at 1.5 or less."""
        arguments = ("security", "--offline=true", f"--threshold={MOST_EXPOSED}", str(self.unit))
        judged = tool("systemd-analyze", *arguments)
        self.assertEqual(judged.returncode, 0, judged.stdout[-2000:])
        self.assertRegex(judged.stdout, r"Overall exposure level .*: [01]\.[0-9]")

    def test_fragments(self) -> None:
        """The user is made, and then the folder that is his group's."""
        users = tool(
            "systemd-sysusers", "--dry-run", "--root", str(self.place), str(CONF / "sysusers.conf")
        )
        self.assertEqual(users.returncode, 0, users.stderr)
        self.assertIn("rangedaemon", users.stderr + users.stdout)
        (self.place / "etc").mkdir()
        (self.place / "etc/passwd").write_text("root:x:0:0::/root:/bin/sh\n")
        (self.place / "etc/group").write_text("root:x:0:\nrangedaemon:x:990:\n")
        made = tool(
            "systemd-tmpfiles", "--create", "--root", str(self.place), str(CONF / "tmpfiles.conf")
        )
        self.assertEqual(made.returncode, 0, made.stderr)
        folder = (self.place / "etc/rangedaemon").stat()
        self.assertEqual((folder.st_mode & 0o777, folder.st_gid), (0o750, 990))

    def test_keys(self) -> None:
        """What the daemon does for systemd is asked for: readiness, reload, watchdog, state."""
        text = (CONF / "rangedaemon.service").read_text()
        for line in (
            "Type=notify-reload", "WatchdogSec=30s", "StateDirectory=rangedaemon",
            "LoadCredential=control.token:rangedaemon.token", "Restart=on-failure",
        ):  # fmt: skip
            self.assertIn(f"\n{line}\n", text)
