"""One daemon pushes to another, in each protocol; both are killed, cut off and misled."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.hostile.content import content
from tests.integration.api import Job
from tests.integration.case import FAST_RETRY
from tests.integration.cutting import CuttingProxy
from tests.integration.daemon import DaemonProcess
from tests.integration.rangectl_case import RANGECTL
from tests.integration.uploading import SIZE, UploadCase
from tests.integration.waiting import PATIENCE, until

LONG_RETRY = {**FAST_RETRY, "attempts": 500}
"""A server that is started again may be away for long, on a machine with much else to do."""
PROTOCOLS = ("tus", "ietf", "segmented")
MIDDLE = SIZE // 2
SLOW = SIZE // 8
"""Octets per second with which half of an upload leaves seconds for what happens then."""
LOST_SEGMENT = 2 * SIZE // 3
"""Octets that a segment carries at most."""
EXPIRY = 1
"""Seconds that a forgetful server keeps uploads."""
PIECE = 1 << 20
"""Octets that a cut may cost: what buffers hold."""
HEADS = 64 << 10
"""Octets that the heads of all requests may take."""


class PushCase(UploadCase):
    """A daemon that pushes, beside the one that takes uploads."""

    def setUp(self) -> None:
        """The one that pushes."""
        self.out = self.make_directory()
        self.pusher = self.make_pusher().start()

    def make_pusher(self, **sections: Any) -> DaemonProcess:
        """A daemon that may push from a directory of its own, and tries again soon."""
        downloads = {"retry": LONG_RETRY, "checkpoint_interval": "100ms"}
        pushes = {"directories": [str(self.out)]}
        return self.make_daemon({"downloads": downloads, "pushes": pushes, **sections})

    def outgoing(self, name: str | None = None, size: int = SIZE, seed: int = 1) -> Path:
        """A file to push."""
        path = self.out / (name or self.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content(seed, 0, size))
        return path

    def push(self, file: Path, port: int | None = None, **wishes: object) -> Job:
        """Add an upload."""
        return self.pusher.api.add(self.url(port), kind="upload", file=str(file), **wishes)

    def complete(self, job: Job) -> Job:
        """The job when it is complete, which nothing holds back any more."""
        self.pusher.api.request("PATCH", f"/api/v1/jobs/{job['id']}", {"rate_limit": None})
        return self.pusher.api.wait_for(job["id"], "complete")

    def named(self, protocol: str) -> str:
        """The name of this test's file for one protocol."""
        return f"{protocol}-{self.name}"

    def halfway(self, job: Job, proxy: CuttingProxy) -> None:
        """Wait until about half of the file has gone through *proxy*."""
        until(lambda: proxy.carried > MIDDLE, f"{MIDDLE} octets of {job['id']}")


class PushTests(PushCase):
    """Uploads that meet no difficulty."""

    def test_other_directories(self) -> None:
        """A reload says anew where files may be pushed from."""
        file = self.outgoing(size=1000)
        elsewhere = self.make_directory()
        pushes = {"directories": [str(elsewhere)], "rate_limit": "100MiB"}
        downloads = {"retry": LONG_RETRY, "checkpoint_interval": "100ms"}
        self.pusher.configure({"downloads": downloads, "pushes": pushes})
        reply = self.pusher.api.request("POST", "/api/v1/reload")
        changed = ["pushes.directories", "pushes.rate_limit"]
        self.assertEqual((reply.status, reply.json["changed"]), (200, changed))
        wish = {"kind": "upload", "url": self.url(), "file": str(file)}
        refused = self.pusher.api.request("POST", "/api/v1/jobs", wish)
        self.assertEqual(refused.status, 403)
        (elsewhere / self.name).write_bytes(content(1, 0, SIZE))
        self.complete(self.push(elsewhere / self.name))
        self.assert_received()

    def test_turns(self) -> None:
        """One that repeats is pushed again when the local file is another one, not before."""
        file = self.outgoing(size=1000)
        job = self.push(file, protocol="tus", repeat={"every": 3600})
        self.pusher.api.wait_for(job["id"], "waiting")
        sizes = lambda: sorted(path.stat().st_size for path in self.root.glob("test_turns*"))  # noqa: E731
        self.assertEqual(sizes(), [1000])
        self.pusher.api.act(job["id"], "retry")
        self.pusher.api.wait_for(job["id"], "waiting")
        self.assertEqual(sizes(), [1000])
        self.outgoing(size=2000, seed=2)
        self.pusher.api.act(job["id"], "retry")
        self.pusher.api.wait_for(job["id"], "waiting")
        self.assertEqual(sizes(), [1000, 2000])

    def test_each_protocol(self) -> None:
        """The other daemon has the file under its name, octet by octet."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                job = self.push(self.outgoing(self.named(protocol)), protocol=protocol)
                job = self.complete(job)
                self.assertEqual((job["received"], job["refetched"]), (SIZE, 0))
                self.assertEqual((job["kind"], job["verified"]), ("upload", "length"))
                self.assert_received(self.named(protocol))

    def test_auto(self) -> None:
        """The server says how it likes to be spoken to."""
        job = self.complete(self.push(self.outgoing()))
        self.assertEqual(job["protocol"], "tus")
        self.assert_received()

    def test_large_in_parallel(self) -> None:
        """Segments and parts go over several connections; the file is right all the same."""
        size = 40 << 20
        for protocol in ("tus", "segmented"):
            with self.subTest(protocol):
                file = self.outgoing(self.named(protocol), size)
                job = self.complete(self.push(file, protocol=protocol, segments=4))
                self.assertEqual(job["received"], size)
                self.assert_received(self.named(protocol), size)

    def test_empty(self) -> None:
        """No octets are a file too."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                file = self.outgoing(self.named(protocol), 0)
                self.complete(self.push(file, protocol=protocol))
                until((self.root / file.name).exists, f"{file.name} is there")

    def test_folder_by_rangectl(self) -> None:
        """``rangectl push DIR URL --wait`` ends when every file is there."""
        for name in ("a.bin", "sub/b.bin"):
            self.outgoing(f"folder/{self._testMethodName}-{name.replace('/', '/x-')}", 100_000)
        there = ["--url", f"http://127.0.0.1:{self.pusher.port}"]
        there += ["--token-file", str(self.pusher.directory / "state" / "control.token")]
        ended = subprocess.run(
            [*RANGECTL, *there, "push", str(self.out / "folder"), self.url(), "--wait"],
            capture_output=True, text=True, timeout=PATIENCE, check=False,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
        )  # fmt: skip
        self.assertEqual(ended.returncode, 0, ended.stderr)
        jobs = self.pusher.api.jobs()
        self.assertEqual({job["state"] for job in jobs}, {"complete"})
        self.assertEqual(len(jobs), 2)
        for job in jobs:
            self.assert_received(Path(job["path"]).name, 100_000)

    def test_declared(self) -> None:
        """A job of the configuration is pushed at start, once."""
        upload = {"kind": "upload", "name": "up", "file": str(self.outgoing()), "url": self.url()}
        pusher = self.make_pusher(jobs=[upload]).start()
        [job] = pusher.api.jobs()
        pusher.api.wait_for(job["id"], "complete")
        self.assert_received()
        pusher.restart()
        self.assertEqual(len(pusher.api.jobs()), 1)

    def test_not_from_elsewhere(self) -> None:
        """A file beside the allowed directories does not leave."""
        elsewhere = self.make_directory() / "secret"
        elsewhere.write_text("secret")
        body = {"kind": "upload", "url": self.url(), "file": str(elsewhere)}
        reply = self.pusher.api.request("POST", "/api/v1/jobs", body)
        self.assertEqual((reply.status, reply.json["code"]), (403, "outside-directory"))
        (self.out / "link").symlink_to(elsewhere)
        job = self.push(self.out / "link")
        job = self.pusher.api.wait_for(job["id"], "failed")
        self.assertEqual(job["error"]["code"], "file-missing")


class BrokenPushTests(PushCase):
    """What breaks in the middle."""

    def test_cut(self) -> None:
        """A connection that breaks in the middle costs no octets that the server has."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                proxy = self.cutting(MIDDLE)
                file = self.outgoing(self.named(protocol))
                wishes = {"protocol": protocol, "segments": 2, "rate_limit": SIZE}
                self.complete(self.push(file, proxy.port, **wishes))
                self.assertEqual(proxy.broken, 1)
                self.assert_received(self.named(protocol))
                again = MIDDLE if protocol == "segmented" else 0  # the segment that was cut
                self.assertLess(proxy.carried, SIZE + PIECE + HEADS + again)

    def test_killed(self) -> None:
        """A SIGKILL of who pushes costs hardly an octet: the next run asks, and goes on."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                proxy = self.cutting()
                file = self.outgoing(self.named(protocol))
                wishes = {"protocol": protocol, "segments": 1, "rate_limit": SLOW}
                job = self.push(file, proxy.port, **wishes)
                self.halfway(job, proxy)
                self.pusher.kill()
                self.assertFalse((self.root / file.name).exists())
                self.pusher.start()
                self.complete(job)
                self.assert_received(file.name)
                again = LOST_SEGMENT if protocol == "segmented" else 0
                self.assertLess(proxy.carried, SIZE + PIECE + HEADS + again)

    def test_file_changed_meanwhile(self) -> None:
        """Where the local file is another one after the kill, that one arrives, whole."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                proxy = self.cutting()
                file = self.outgoing(self.named(protocol))
                job = self.push(file, proxy.port, protocol=protocol, segments=1, rate_limit=SLOW)
                self.halfway(job, proxy)
                self.pusher.kill()
                self.outgoing(self.named(protocol), seed=2)
                self.pusher.start()
                self.complete(job)
                self.assert_file(self.root / file.name, 2, SIZE)

    def test_file_changed_while_it_is_pushed(self) -> None:
        """The same without a kill: no mixture ever has the file's name."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                proxy = self.cutting()
                file = self.outgoing(self.named(protocol))
                job = self.push(file, proxy.port, protocol=protocol, segments=1, rate_limit=SLOW)
                self.halfway(job, proxy)
                self.outgoing(self.named(protocol), seed=2)
                self.complete(job)
                self.assert_file(self.root / file.name, 2, SIZE)

    def test_file_only_touched(self) -> None:
        """A file with another time and the same octets goes on where it was."""
        proxy = self.cutting()
        file = self.outgoing()
        job = self.push(file, proxy.port, protocol="tus", rate_limit=SLOW)
        self.halfway(job, proxy)
        self.pusher.kill()
        copy = file.with_name("copy")
        shutil.copyfile(file, copy)
        copy.rename(file)
        self.pusher.start()
        self.complete(job)
        self.assert_received()
        self.assertLess(proxy.carried, SIZE + PIECE + HEADS)

    def test_pause_and_resume(self) -> None:
        """Both work as they do for a download."""
        file = self.outgoing()
        job = self.push(file, protocol="tus", rate_limit=SLOW)
        self.pusher.api.wait_received(job["id"], 1)
        self.assertEqual(self.pusher.api.act(job["id"], "pause").json["state"], "paused")
        self.pusher.api.request("PATCH", f"/api/v1/jobs/{job['id']}", {"rate_limit": None})
        self.assertEqual(self.pusher.api.act(job["id"], "resume").status, 200)
        self.complete(job)
        self.assert_received()

    def test_removed_job_leaves_the_file(self) -> None:
        """Even ``files=delete`` deletes nothing that was pushed."""
        file = self.outgoing()
        job = self.complete(self.push(file))
        self.remove(job)
        self.assertTrue(file.exists())

    def test_removed_in_the_middle(self) -> None:
        """The other daemon hears of it, and keeps nothing of what it got."""
        for protocol in ("tus", "ietf"):
            with self.subTest(protocol):
                file = self.outgoing(self.named(protocol))
                before = self.unfinished()
                job = self.push(file, protocol=protocol, segments=1, rate_limit=SLOW)
                self.pusher.api.wait_received(job["id"], 1)
                self.assertGreater(self.unfinished(), before)
                self.remove(job)
                until(lambda before=before: self.unfinished() == before, "the upload is gone")
                self.assert_absent(file.name)

    def remove(self, job: Job) -> None:
        """Forget a job and its files."""
        reply = self.pusher.api.request("DELETE", f"/api/v1/jobs/{job['id']}?files=delete")
        self.assertEqual(reply.status, 204)

    def unfinished(self) -> frozenset[Path]:
        """What the other daemon keeps of uploads that are not whole."""
        kept = (self.daemon.directory / "state" / "uploads").rglob("*")
        return frozenset(path for path in kept if path.is_file())


class RestartedServerTests(PushCase):
    """The server goes down in the middle."""

    def test_restart(self) -> None:
        """It comes back with what it had, and the upload goes on there."""
        for protocol in PROTOCOLS:
            with self.subTest(protocol):
                file = self.outgoing(self.named(protocol))
                job = self.push(file, protocol=protocol, segments=1, rate_limit=SLOW)
                self.pusher.api.wait_received(job["id"], SIZE // 4)
                self.daemon.kill()
                self.daemon.start()
                self.complete(job)
                self.assert_received(file.name)


class ForgetfulServerTests(PushCase):
    """The server keeps unfinished uploads for a moment only."""

    uploads = {"anonymous": True, "expire": f"{EXPIRY}s"}

    def test_expired(self) -> None:
        """An upload that is gone is begun anew."""
        file = self.outgoing()
        job = self.push(file, protocol="tus", rate_limit=SLOW)
        self.pusher.api.wait_received(job["id"], SIZE // 4)
        self.pusher.api.act(job["id"], "pause")
        until(self.expired, "the upload has expired")
        self.pusher.api.request("PATCH", f"/api/v1/jobs/{job['id']}", {"rate_limit": None})
        self.pusher.api.act(job["id"], "resume")
        job = self.complete(job)
        self.assertGreater(job["refetched"], 0)
        self.assert_received()

    def expired(self) -> bool:
        """Whether no unfinished upload got an octet in its lifetime."""
        uploads = (self.daemon.directory / "state" / "uploads").rglob("*")
        newest = max((path.stat().st_mtime for path in uploads if path.is_file()), default=0.0)
        return time.time() - newest > EXPIRY + 1
