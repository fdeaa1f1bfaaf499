"""Machines that misbehave under a real daemon: full disks, clocks that jump, no descriptors."""

from __future__ import annotations

import contextlib
import http.client
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.ops_case import OpsCase
from tests.integration.readers import get
from tests.integration.waiting import until

MIB = 1 << 20
SIZE = 6 * MIB
DAY = 86400


class StateDirectoryTests(IntegrationCase):
    """A state directory on a file system of its own."""

    def setUp(self) -> None:
        """A small one."""
        self.daemon = self.make_daemon({"downloads": {"retry": FAST_RETRY}})
        self.state = self.make_tmpfs(self.daemon.directory / "state", "size=4m")

    def test_read_only(self) -> None:
        """A start says which directory cannot be written, without a traceback."""
        self.daemon.start()
        self.daemon.terminate()
        self.remount("ro")
        self.daemon.spawn()
        self.assertEqual(self.daemon.wait_ended(), 1)
        self.assertIn(str(self.state), self.daemon.log)
        self.assertIn("Read-only file system", self.daemon.log)
        self.assertNotIn("Traceback", self.daemon.log)
        self.remount("rw")
        self.daemon.start()

    def remount(self, how: str) -> None:
        """Allow writing, or not."""
        subprocess.run(["mount", "-o", f"remount,{how}", str(self.state)], check=True)

    def test_full_and_back(self) -> None:
        """No room for the journal: what is asked fails by name, until there is room again."""
        origin = self.make_origin()
        self.daemon.start()
        with self.filled():
            refused = self.daemon.api.request(
                "POST", "/api/v1/jobs", {"url": origin.url("/x"), "name": "n" * 255}
            )
            while refused.status == 201:  # SQLite had room in its files still
                refused = self.daemon.api.request(
                    "POST", "/api/v1/jobs", {"url": origin.url("/x"), "paused": True}
                )
            self.assertEqual((refused.status, refused.json["code"]), (507, "no-space"))
            self.assertTrue(self.daemon.api.healthy())
            self.assertEqual(self.daemon.api.request("GET", "/api/v1/jobs").status, 200)
        job = self.daemon.api.add(origin.url(f"/f.bin?size={SIZE}"))
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        self.assertEqual(self.daemon.terminate(), 0)

    @contextlib.contextmanager
    def filled(self) -> Iterator[None]:
        """No room there."""
        filler = self.state / "filler"
        with filler.open("wb", buffering=0) as file, contextlib.suppress(OSError):
            while True:
                file.write(bytes(4096))
        yield
        filler.unlink()


class ClockTests(IntegrationCase):
    """The clock on the wall is set while the daemon runs (libfaketime)."""

    def setUp(self) -> None:
        """A daemon whose wall clock a file sets."""
        library = next(Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1"), None)
        if library is None:
            raise SkipTest("libfaketime is not installed")
        self.offset = self.make_directory() / "offset"
        self.set_clock(0)
        self.origin = self.make_origin()
        self.daemon = self.make_daemon(
            {"downloads": {"retry": {"attempts": 5, "initial_delay": "4s", "max_delay": "4s"},
                           "segments": 2, "stall_timeout": "3s"}},
            env={"LD_PRELOAD": str(library), "FAKETIME_TIMESTAMP_FILE": str(self.offset),
                 "FAKETIME_NO_CACHE": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"},
        ).start()  # fmt: skip

    def set_clock(self, seconds: int) -> None:
        """Set it so far ahead of the real time."""
        self.offset.write_text(f"{seconds:+d}\n")

    def assert_jumps(self, *jumps: int) -> None:
        """Transfers, checkpoints, silences and retries take no notice of these."""
        going = self.daemon.api.add(self.origin.url(f"/rate=1MiB/a.bin?size={SIZE}"), segments=1)
        stalled = self.daemon.api.add(self.origin.url("/stall=1MiB/b.bin?size=2MiB"), segments=1)
        waiting = self.daemon.api.add(self.origin.url(f"/status=502~first1/c.bin?size={SIZE}"))
        self.daemon.api.wait_for(waiting["id"], "waiting")
        for jump in jumps:
            self.set_clock(jump)
            time.sleep(0.5)
        for job, size in ((going, SIZE), (waiting, SIZE), (stalled, 2 * MIB)):
            done = self.daemon.api.wait_for(job["id"], "complete")
            self.assert_file(done["path"], 1, size)
        self.assertTrue(self.daemon.api.healthy())
        self.assertEqual(self.daemon.terminate(), 0)

    def test_back(self) -> None:
        """A day back: nothing comes a day late."""
        self.assert_jumps(-DAY)

    def test_forth_and_back(self) -> None:
        """A month ahead and back again."""
        self.assert_jumps(30 * DAY, 0)


class DescriptorsTests(OpsCase):
    """Few open files."""

    options = {"open_files": 96}

    def test_recovers(self) -> None:
        """More connections than descriptors: some wait or are refused; afterwards all is well."""
        self.daemon.start()
        crowd: list[socket.socket] = []
        for _ in range(150):
            peer = socket.socket()
            peer.settimeout(5)
            with contextlib.suppress(OSError):
                peer.connect(("127.0.0.1", self.daemon.file_port))
                peer.sendall(b"GET /files/f.bin HTTP/1.1\r\nHost: h\r\n\r\n")
            crowd.append(peer)
        for peer in crowd:
            peer.close()
        until(self.serves, "it serves again")
        until(self.daemon.api.healthy, "it is healthy")
        origin = self.make_origin()
        job = self.daemon.api.add(origin.url(f"/f.bin?size={SIZE}"))
        self.assert_file(self.daemon.api.wait_for(job["id"], "complete")["path"], 1, SIZE)

    def serves(self) -> bool:
        """Whether a request is answered; who comes too early is refused."""
        with contextlib.suppress(OSError, http.client.HTTPException):
            return get(self.daemon.file_port, "/files/none")[0] == 404
        return False


class NetworkTests(IntegrationCase):
    """No name, no network."""

    def setUp(self) -> None:
        """A daemon that tries again soon, and for long."""
        retry: dict[str, Any] = {"attempts": 200, "initial_delay": "100ms", "max_delay": "300ms"}
        self.daemon = self.make_daemon({"downloads": {"retry": retry}}).start()

    def test_no_such_name(self) -> None:
        """A name that nobody knows: the job waits and says so, the daemon answers meanwhile."""
        job = self.daemon.api.add("http://no-such-host.invalid/f.bin")
        waiting = self.daemon.api.wait_for(job["id"], "waiting")
        self.assertEqual(waiting["error"]["code"], "unreachable")
        self.assertIn("no such host", waiting["error"]["message"])
        self.assertEqual(waiting["error"]["url"], job["urls"][0])
        self.assert_quick()

    def test_away_for_a_while(self) -> None:
        """The origin's port refuses for seconds, in the middle of a transfer: it goes on there."""
        first = self.make_origin()
        port = first.port
        path = "/rate=1MiB/f.bin"
        job = self.daemon.api.add(first.url(f"{path}?size={SIZE}"), segments=1)
        self.daemon.api.wait_received(job["id"], MIB)
        first.close()
        waiting = self.daemon.api.wait_for(job["id"], "waiting")
        self.assertEqual(waiting["error"]["code"], "unreachable")
        time.sleep(3)
        self.assertGreaterEqual(waiting["received"], MIB)
        again = self.make_origin(port)
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        missing = SIZE - waiting["received"]
        self.assertLessEqual(again.ledger.octets(path), missing + SIZE // 50)  # a second look

    def assert_quick(self) -> None:
        """The reactor waits for nobody."""
        slowest = max(timed(self.daemon.api.healthy) for _ in range(20))
        self.assertLess(slowest, 5.0)  # a question of names takes as long, at least


_SILENT_NAMES = """
import socket, sys, time
from pathlib import Path

real = socket.getaddrinfo

def ask(host, *arguments, **more):
    name = host.decode() if isinstance(host, bytes) else host
    if name is not None and name.endswith(".test"):
        silence = Path(sys.argv[-1]).with_name("silence")
        if silence.exists():
            ends = time.monotonic() + 30
            while time.monotonic() < ends and silence.exists() and not silence.read_text():
                time.sleep(0.05)
            raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
        host = "127.0.0.1"
    return real(host, *arguments, **more)

socket.getaddrinfo = ask
from twisted.scripts.twistd import run
run()
"""


class SilentNamesTests(IntegrationCase):
    """A server of names that does not answer: each question takes half a minute, and fails."""

    def test_others_go_on(self) -> None:
        """Who needs no name goes on, the daemon answers, and names that come back are taken."""
        retry: dict[str, Any] = {"attempts": 200, "initial_delay": "100ms", "max_delay": "300ms"}
        daemon = self.make_daemon(
            {"downloads": {"retry": retry, "max_active": 40}}, program=_SILENT_NAMES
        )
        (daemon.directory / "silence").touch()
        daemon.start()
        origin = self.make_origin()
        jobs = [
            daemon.api.add(f"http://host{number}.test:{origin.port}/{number}.bin?size={MIB}")["id"]
            for number in range(20)
        ]
        near = daemon.api.add(origin.url(f"/near.bin?size={SIZE}"))
        done = daemon.api.wait_for(near["id"], "complete", timeout=25)
        self.assert_file(done["path"], 1, SIZE)
        self.assertLess(max(timed(daemon.api.healthy) for _ in range(20)), 5.0)
        (daemon.directory / "silence").write_text("is over: each fails at once")
        waiting = daemon.api.wait_for(jobs[0], "waiting")
        self.assertEqual(waiting["error"]["code"], "unreachable")
        (daemon.directory / "silence").unlink()
        for job in jobs:
            done = daemon.api.wait_for(job, "complete")
            self.assert_file(done["path"], 1, MIB)


_SLOW_DISK = """
import os, time

def slowly(name, seconds):
    real = getattr(os, name)

    def slow(*arguments):
        time.sleep(seconds)
        return real(*arguments)

    setattr(os, name, slow)

for name in ("pwrite", "pwritev", "fsync", "fdatasync", "rename"):
    slowly(name, 0.3)
from twisted.scripts.twistd import run
run()
"""


class SlowDiskTests(IntegrationCase):
    """Each write and sync takes a third of a second."""

    def test_responsive(self) -> None:
        """The daemon answers as ever, and ends with the right octets."""
        origin = self.make_origin()
        daemon = self.make_daemon(program=_SLOW_DISK).start()
        jobs = [daemon.api.add(origin.url(f"/seed={n}/{n}.bin?size={SIZE}")) for n in range(4)]
        times = sorted(timed(daemon.api.healthy) for _ in range(60))
        self.assertLess(times[len(times) // 2], 0.3, "who waits for one write needs more")
        self.assertLess(times[-1], 5.0)
        for number, job in enumerate(jobs):
            done = daemon.api.wait_for(job["id"], "complete")
            self.assert_file(done["path"], number, SIZE)


def timed(act: Any) -> float:
    """Seconds that it takes."""
    began = time.monotonic()
    act()
    return time.monotonic() - began
