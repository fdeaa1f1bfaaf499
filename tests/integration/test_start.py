"""How the daemon comes up and goes down, as twistd, systemd and its first user see it."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

from tests.integration.api import Api
from tests.integration.case import IntegrationCase
from tests.integration.daemon import ROOT, DaemonProcess, environment, twistd
from tests.integration.ports import free_port
from tests.integration.waiting import PATIENCE, until

_BROKEN_START = """
from rangedaemon.client.runner import Runner
from rangedaemon.errors import JournalDamaged

async def recover(self):
    raise JournalDamaged("a page of the journal is gone")

Runner.recover = recover
from twisted.scripts.twistd import run
run()
"""

_OWN_MISTAKE = """
import rangedaemon.service.daemon as daemon
daemon.build_runner = None
from twisted.scripts.twistd import run
run()
"""

_ADOPTED = """
import os, sys
os.dup2(int(sys.argv.pop(1)), 3, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="control")
from twisted.scripts.twistd import run
run()
"""


class DaemonizedTests(IntegrationCase):
    """``twistd rangedaemon`` without ``-n``: twistd forks, its parent reports."""

    def spawn(self, daemon: DaemonProcess) -> subprocess.CompletedProcess[str]:
        """Start it in the background; what the parent said."""
        return subprocess.run(
            twistd("rangedaemon", "-c", daemon.config_file.name),
            cwd=daemon.directory, env=environment(), capture_output=True, text=True,
            timeout=PATIENCE,
        )  # fmt: skip

    def test_background(self) -> None:
        """The parent ends with 0, the daemon is healthy, SIGTERM ends it and its pid file."""
        daemon = self.make_daemon()
        pid_file = daemon.directory / "twistd.pid"
        started = self.spawn(daemon)
        self.assertEqual((started.returncode, started.stderr), (0, ""))
        pid = int(until(lambda: pid_file.exists() and pid_file.read_text(), "a pid file"))
        self.addCleanup(end_if_alive, pid)
        until(daemon.api.healthy, "healthy")
        os.kill(pid, signal.SIGTERM)
        until(lambda: not pid_file.exists(), "the pid file is gone")
        self.assertNotIn("Traceback", (daemon.directory / "twistd.log").read_text())

    def test_in_the_way(self) -> None:
        """The parent of one that cannot start ends with 1 and says why; no pid file stays."""
        first = self.make_daemon().start()
        second = self.make_daemon({"state_dir": str(first.directory / "state")})
        failed = self.spawn(second)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("another rangedaemon", failed.stderr)
        pid_file = second.directory / "twistd.pid"  # its child takes that away, after its word
        until(lambda: not pid_file.exists(), "the pid file is gone")

    def test_check(self) -> None:
        """``--check`` does not fork, listen or write, whether the file is good or bad."""
        daemon = self.make_daemon()
        for text, status in (("", 0), ("sever: {}\n", 1)):
            daemon.config_file.write_text(daemon.config_file.read_text() + text)
            checked = subprocess.run(
                twistd("rangedaemon", "--check", "-c", daemon.config_file.name),
                cwd=daemon.directory, env=environment(), capture_output=True, text=True,
            )  # fmt: skip
            self.assertEqual((checked.returncode, checked.stdout), (status, ""))
            self.assertEqual(
                {path.name for path in daemon.directory.iterdir()}, {"conf.yaml", "downloads"}
            )
        self.assertRegex(checked.stderr, r'\Aconf\.yaml:\d+: sever: .*"server"\?\n\Z')


class FailureTests(IntegrationCase):
    """Starts that fail in ways that no configuration can bring about."""

    def start(self, daemon: DaemonProcess, program: str) -> subprocess.CompletedProcess[str]:
        """Start the daemon by *program*, which breaks it, and wait for its end."""
        return subprocess.run(
            [sys.executable, "-c", program, "-n", "rangedaemon", "-c", "conf.yaml"],
            cwd=daemon.directory, env=environment(), capture_output=True, text=True,
            timeout=PATIENCE,
        )  # fmt: skip

    def test_our_own_mistake(self) -> None:
        """A mistake of ours ends the process too: no thread keeps it alive."""
        daemon = self.make_daemon()
        failed = self.start(daemon, _OWN_MISTAKE)
        self.assertEqual(failed.returncode, 1)
        self.assertIn("TypeError", failed.stdout)
        self.assertFalse((daemon.directory / "twistd.pid").exists())

    def test_in_the_reactor(self) -> None:
        """Once the reactor runs it ends with 1 all the same, and leaves the journal closed."""
        daemon = self.make_daemon()
        failed = self.start(daemon, _BROKEN_START)
        self.assertEqual(failed.returncode, 1)
        self.assertEqual(failed.stderr, "rangedaemon: a page of the journal is gone\n")
        self.assertNotIn("Traceback", failed.stdout)
        self.assertFalse((daemon.directory / "twistd.pid").exists())
        self.assertFalse(list((daemon.directory / "state").glob("*-wal")))


class SystemdTests(IntegrationCase):
    """What systemd does, done by hand."""

    def test_state_directory(self) -> None:
        """Without a state_dir the state is where systemd made the directory."""
        state = self.make_directory()
        daemon = self.make_daemon(env={"STATE_DIRECTORY": str(state)})
        text = daemon.config_file.read_text().replace("state_dir: state\n", "")
        daemon.config_file.write_text(text)
        api = Api(daemon.port, state / "control.token")
        daemon.spawn()
        until(api.healthy, "healthy")
        self.assertEqual(api.request("GET", "/api/v1/status").status, 200)

    def test_socket_activation(self) -> None:
        """The control API listens on a socket that systemd hands over."""
        daemon = self.make_daemon({"control": {"listen": ["systemd:domain=INET:name=control"]}})
        with socket.socket() as handed:
            handed.bind(("127.0.0.1", 0))
            handed.listen()
            command = [sys.executable, "-c", _ADOPTED, str(handed.fileno())]
            process = subprocess.Popen(
                [*command, "-n", "--pidfile=", "rangedaemon", "-c", "conf.yaml"],
                cwd=daemon.directory, env=environment(), pass_fds=[handed.fileno()],
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            self.addCleanup(process.wait)
            self.addCleanup(process.kill)
            api = Api(handed.getsockname()[1], daemon.directory / "state" / "control.token")
            until(api.healthy, "healthy")


class FirstRunTests(IntegrationCase):
    """What ``make run`` shows: the example configuration on a machine without anything."""

    def test_example(self) -> None:
        """The daemon makes the sample, pulls it from itself in segments, and proves it."""
        daemon = self.make_daemon()
        file_port = free_port()
        example = (ROOT / "conf" / "rangedaemon.yaml").read_text()
        example = example.replace("8080", str(file_port)).replace("6880", str(daemon.port))
        log = daemon.directory / "access.log"
        example = example.replace("access_log: null", f"access_log: {{path: {log}}}")
        daemon.config_file = daemon.directory / "conf" / "rangedaemon.yaml"
        daemon.config_file.parent.mkdir()
        daemon.config_file.write_text(example)
        daemon.api = Api(daemon.port, daemon.directory / "var" / "state" / "control.token")
        daemon.start()
        (job,) = daemon.api.jobs()
        done = daemon.api.wait_for(job["id"], "complete")

        sample, copy = daemon.directory / "var/files/sample.bin", Path(done["path"])
        self.assertEqual(copy, daemon.directory / "var/downloads/sample.bin")
        self.assertEqual(digest(copy), digest(sample))
        self.assertEqual(done["checksum"], f"sha-256={digest(sample)}")
        self.assertEqual(done["verified"], "checksum")
        asked = r'"GET /files/sample\.bin HTTP/1\.1" 206'
        until(lambda: len(re.findall(asked, log.read_text())) > 4, "several ranges in the log")
        for address in (f"http://127.0.0.1:{file_port}/files", f"127.0.0.1:{daemon.port}/api/v1"):
            self.assertIn(address, daemon.log)

        made = sample.stat()
        daemon.restart()
        self.assertEqual(daemon.api.jobs(), [done])
        self.assertEqual(sample.stat().st_mtime_ns, made.st_mtime_ns)


def digest(path: Path) -> str:
    """The sha-256 of a file."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def end_if_alive(pid: int) -> None:
    """Kill a process that may have ended."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
