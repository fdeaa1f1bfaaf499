"""What systemd says and hears, played by hand: notifications, sockets, credentials, the journal."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

from tests.integration.api import Api
from tests.integration.daemon import environment
from tests.integration.ops_case import OpsCase, children_of
from tests.integration.readers import get
from tests.integration.waiting import PATIENCE, gone, until

_STUCK = """
import time
from pathlib import Path
from rangedaemon.control.routes.daemon import DaemonRoutes

async def stick(self, incoming):
    Path("stuck").touch()
    time.sleep(600)

DaemonRoutes.metrics = stick
from twisted.scripts.twistd import run
run()
"""

_ADOPTED = """
import os, sys
os.dup2(int(sys.argv.pop(1)), 3, inheritable=True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1", LISTEN_FDNAMES="files")
from twisted.scripts.twistd import run
run()
"""

_TERMINAL = """
import fcntl, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
from twisted.scripts.twistd import run
run()
"""


class Inbox:
    """The other end of ``$NOTIFY_SOCKET``."""

    def __init__(self, address: str) -> None:
        self.wire = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.wire.bind(address)
        self.wire.settimeout(PATIENCE)
        self.seen: list[list[str]] = []

    def next(self, *kinds: str) -> list[str]:
        """The next message that begins with one of *kinds*; those before it are kept in `seen`."""
        while True:
            lines = self.wire.recv(8192).decode().split("\n")
            self.seen.append(lines)
            if lines[0].startswith(kinds):
                return lines

    def all_for(self, seconds: float) -> list[list[str]]:
        """Everything that comes in so long; what has come before, too."""
        found, end = [], time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            self.wire.settimeout(left)
            try:
                found.append(self.wire.recv(8192).decode().split("\n"))
            except TimeoutError:
                break
        self.wire.settimeout(PATIENCE)
        return found


class NotifyCase(OpsCase):
    """A daemon that tells us."""

    abstract = False

    def setUp(self) -> None:
        """The socket, by a path or without one."""
        super().setUp()
        name = str(self.make_directory() / "notify")
        self.inbox = Inbox(f"\0{name}" if self.abstract else name)
        self.addCleanup(self.inbox.wire.close)
        self.daemon._env["NOTIFY_SOCKET"] = f"@{name}" if self.abstract else name


class NotifyTests(NotifyCase):
    """``Type=notify-reload`` at a socket with a path."""

    def test_life(self) -> None:
        """Ready, reloading with its moment, ready again, what it does, stopping with its time."""
        origin = self.make_origin()
        self.daemon.start()
        self.assertEqual(self.inbox.next("READY"), ["READY=1"])
        self.assertEqual(self.inbox.next("STATUS"), ["STATUS=idle"])
        self.daemon.api.add(origin.url("/rate=1MiB/a.bin?size=33554432"), segments=1)
        status = self.inbox.next("STATUS")[0]
        while ", " not in status:  # nothing has come yet
            status = self.inbox.next("STATUS")[0]
        self.assertRegex(status, r"\ASTATUS=1 active, [0-9.]+ ([KM]i)?B/s\Z")
        before = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.hang_up()
        _, moment = self.inbox.next("RELOADING=1")
        after = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self.assertTrue(before <= int(moment.removeprefix("MONOTONIC_USEC=")) <= after)
        self.inbox.next("READY=1")
        os.kill(self.daemon.pid, signal.SIGTERM)
        stopping = self.inbox.next("STOPPING=1")
        self.assertIn("EXTEND_TIMEOUT_USEC=40000000", stopping)
        self.assertEqual(self.daemon.wait_ended(), 0)

    def test_refused_reload(self) -> None:
        """A bad file ends the reload too, with the reason in the status."""
        self.daemon.start()
        self.inbox.next("READY")
        self.daemon.config_file.write_text("sever: {}\n")
        self.hang_up()
        self.inbox.next("RELOADING=1")
        self.inbox.next("READY=1")
        status = until(lambda: self.inbox.next("STATUS")[0], "a status")
        while "refused" not in status:
            status = self.inbox.next("STATUS")[0]
        self.assertRegex(status, r"conf\.yaml:1: sever: ")


class AbstractNotifyTests(NotifyTests):
    """The same at an abstract socket."""

    abstract = True


class WatchdogTests(NotifyCase):
    """``WatchdogSec=``."""

    def test_fed(self) -> None:
        """Signs of life come all the time, also while it waits for a reader at its end."""
        self.daemon._env["WATCHDOG_USEC"] = "400000"
        self.daemon.start()
        self.inbox.next("READY")
        reader = self.begin()
        for _ in range(4):
            self.assertEqual(self.inbox.next("WATCHDOG"), ["WATCHDOG=1"])
        os.kill(self.daemon.pid, signal.SIGTERM)
        self.inbox.next("STOPPING=1")
        self.assertEqual(self.inbox.next("WATCHDOG"), ["WATCHDOG=1"])
        self.assert_whole(reader.rest())
        self.daemon.wait_ended()

    def test_stuck(self) -> None:
        """While the reactor is stuck there is none, so that systemd restarts it."""
        process = subprocess.Popen(
            [sys.executable, "-c", _STUCK, "-n", "--pidfile=", "rangedaemon", "-c", "conf.yaml"],
            cwd=self.daemon.directory, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(
                NOTIFY_SOCKET=self.daemon._env["NOTIFY_SOCKET"], WATCHDOG_USEC="400000"
            ),
        )  # fmt: skip
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        self.inbox.next("READY")
        self.inbox.next("WATCHDOG")
        asked = socket.create_connection(("127.0.0.1", self.daemon.port))
        self.addCleanup(asked.close)
        token = self.daemon.api.token
        head = f"GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n"
        asked.sendall(head.encode())
        until((self.daemon.directory / "stuck").exists, "it is stuck")
        self.inbox.all_for(0.1)  # from before
        self.assertEqual(self.inbox.all_for(1.2), [])


class ActivationTests(OpsCase):
    """``rangedaemon.socket``."""

    def spawn(self, handed: socket.socket) -> subprocess.Popen[bytes]:
        """The daemon with a socket that systemd hands over."""
        process = subprocess.Popen(
            [sys.executable, "-c", _ADOPTED, str(handed.fileno()),
             "-n", "--pidfile=", "rangedaemon", "-c", "conf.yaml"],
            cwd=self.daemon.directory, env=environment(), pass_fds=[handed.fileno()],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        until(self.daemon.api.healthy, "healthy")
        return process

    def serve_there(self, **more: object) -> None:
        """Files at the socket of systemd."""
        self.configure(
            server={
                "listen": ["systemd:domain=INET:name=files"],
                "mounts": [self.mount("/files")],
                **more,
            }
        )

    def test_files(self) -> None:
        """Who comes between a death and the next start is served by that."""
        for workers in (0, 2):
            self.serve_there(workers=workers)
            with socket.create_server(("127.0.0.1", 0)) as handed:
                port = handed.getsockname()[1]
                process = self.spawn(handed)
                self.assertEqual(get(port, "/files/f.bin")[0], 200)
                pids = children_of(process.pid)
                process.kill()
                process.wait()
                until(lambda pids=pids: all(map(gone, pids)), "its workers are gone")
                early = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
                self.addCleanup(early.close)
                early.sendall(b"GET /files/none HTTP/1.1\r\nHost: h\r\n\r\n")
                process = self.spawn(handed)
                self.assertEqual(early.recv(12), b"HTTP/1.1 404")
                process.terminate()
                self.assertEqual(process.wait(PATIENCE), 0)

    def test_reload(self) -> None:
        """Another configuration leaves the socket as it is; a second one needs a restart."""
        self.serve_there()
        with socket.create_server(("127.0.0.1", 0)) as handed:
            port = handed.getsockname()[1]
            self.spawn(handed)
            self.serve_there(limits={"connections": 50})
            self.assertEqual(self.reloaded(), {"server.limits.connections"})
            self.assertEqual(get(port, "/files/none")[0], 404)
            self.serve_there(listen=["systemd:domain=INET:name=other"])
            self.assertIn("restart the daemon", self.refused()["detail"])
            self.assertEqual(get(port, "/files/none")[0], 404)


class CredentialTests(OpsCase):
    """``LoadCredential=control.token:…``."""

    def test_token(self) -> None:
        """It is the control token where the configuration names none; no other is made."""
        place = self.make_directory()
        token = place / "control.token"
        token.write_text("from-the-credential\n")
        self.daemon._env["CREDENTIALS_DIRECTORY"] = str(place)
        self.daemon.api = Api(self.daemon.port, token)
        self.daemon.start()
        self.assertEqual(self.daemon.api.request("GET", "/api/v1/status").status, 200)
        self.assertFalse((self.daemon.directory / "state/control.token").exists())


class LogTests(OpsCase):
    """The forms of the log."""

    def lines(self) -> list[str]:
        """Of a daemon that was started and has ended."""
        self.daemon.start()
        self.daemon.terminate()
        return self.daemon.log.splitlines()

    def test_json(self) -> None:
        """Every line is an object."""
        self.configure(log={"format": "json"})
        told = [json.loads(line) for line in self.lines()]
        self.assertIn("reactor class", told[1]["message"])
        self.assertEqual({line["level"] for line in told}, {"info"})

    def test_level_reloaded(self) -> None:
        """Readers who went away are told of once somebody wants to know, without a restart."""
        self.daemon.start()
        self.begin().close()
        self.configure(log={"level": "debug"})
        self.assertEqual(self.reloaded(), {"log.level"})
        self.assertNotIn("was not sent to its end", self.daemon.log)
        self.begin().close()
        until(lambda: "f.bin was not sent to its end" in self.daemon.log, "it is told")

    def test_journal(self) -> None:
        """Priorities where the output is the journal's stream."""
        self.daemon.log_file.touch()
        facts = Path(self.daemon.log_file).stat()
        self.daemon._env["JOURNAL_STREAM"] = f"{facts.st_dev}:{facts.st_ino}"
        for line in self.lines():
            self.assertTrue(re.match(r"<[2-7]>", line), line)


class TerminalTests(OpsCase):
    """SIGHUP because the terminal has gone."""

    def test_closed_terminal(self) -> None:
        """A daemon in the foreground ends with its terminal instead of reading its file."""
        master, slave = os.openpty()
        process = subprocess.Popen(
            [sys.executable, "-c", _TERMINAL, "-n", "--pidfile=", "--logfile=log",
             "rangedaemon", "-c", "conf.yaml"],
            cwd=self.daemon.directory, env=environment(), start_new_session=True,
            stdin=slave, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        os.close(slave)
        until(self.daemon.api.healthy, "healthy")
        os.close(master)
        self.assertEqual(process.wait(PATIENCE), 0)
