"""Bad input and bad surroundings: a clear word, and the daemon goes on."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

from tests.hostile import HostileOrigin
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.daemon import DaemonProcess
from tests.integration.downloading import DownloadCase
from tests.integration.waiting import until

MIB = 1 << 20
ABSENT = "0123456789abcdef"


class RequestTests(DownloadCase):
    """Requests that cannot be are answered as problems, and nothing else happens."""

    def refused(self, method: str, path: str, body: object, status: int) -> dict[str, object]:
        """The problem that this request is answered with."""
        reply = self.daemon.api.request(method, path, body)
        self.assertEqual(reply.status, status, reply.body)
        self.assertEqual(reply.headers["Content-Type"], "application/problem+json")
        problem: dict[str, object] = reply.json
        self.assertEqual(problem["status"], status)
        self.assertTrue({"type", "title", "detail"} <= set(problem))
        return problem

    def tearDown(self) -> None:
        """Whatever was asked, the daemon still serves."""
        self.assertTrue(self.daemon.api.healthy())

    def test_schemes(self) -> None:
        """Only http and https addresses become jobs."""
        for url in (
            *("ftp://127.0.0.1/f", "file:///etc/passwd", "javascript:alert(1)", "data:,x"),
            *("//127.0.0.1/f", "/etc/passwd", "127.0.0.1/f", "", "http://", "http:///f"),
            *("http://127.0.0.1:99999/f", "http://[::1/f", "http://a b/"),
        ):
            problem = self.refused("POST", "/api/v1/jobs", {"url": url}, 400)
            self.assertIn("errors", problem, url)
        self.assertEqual(self.daemon.api.jobs(), [])

    def test_unknown_ids(self) -> None:
        """No such job: 404 for every request about it."""
        for method, path in (
            *(("GET", ""), ("PATCH", ""), ("DELETE", "")),
            *(("POST", "/pause"), ("POST", "/resume"), ("POST", "/retry")),
            *(("GET", "/segments"), ("GET", "/content")),
        ):
            body = {"priority": 1} if method == "PATCH" else None
            for job_id in (ABSENT, "nonsense"):
                self.refused(method, f"/api/v1/jobs/{job_id}{path}", body, 404)

    def test_bodies(self) -> None:
        """What is no JSON, no object or not one of the known fields is named."""
        good = "http://127.0.0.1:9/f"
        bodies: tuple[object, ...] = (
            *(b"{", b"\xff\xfe", b"[1]", b'"text"', b"null", b""),
            *({"url": good, "nonsense": 1}, {"url": 7}, {"url": good, "segments": 0}),
            *({"url": good, "checksum": "sha-256=xyz"}, {"url": good, "filename": "a/b"}),
            *({"url": good, "filename": ".."}, {"url": good, "headers": {"a\nb": "c"}}),
            *({"url": good, "urls": [good]}, {"urls": []}, {}),
        )
        for body in bodies:
            self.refused("POST", "/api/v1/jobs", body, 400)
        self.assertEqual(self.daemon.api.jobs(), [])

    def test_outside(self) -> None:
        """A directory outside that of the downloads is refused."""
        for directory in ("/etc", "../elsewhere", "a/../../b"):
            body = {"url": "http://127.0.0.1:9/f", "directory": directory}
            reply = self.daemon.api.request("POST", "/api/v1/jobs", body)
            self.assertIn(reply.status, (400, 403), reply.body)
        self.assertEqual(self.daemon.api.jobs(), [])

    def test_token(self) -> None:
        """Without the right token there is nothing, and no hint why."""
        for fields in ({"Authorization": ""}, {"Authorization": "Bearer wrong"}):
            reply = self.daemon.api.request("GET", "/api/v1/jobs", headers=fields)
            self.assertEqual(reply.status, 401)

    def test_rebound_host(self) -> None:
        """A Host that is not ours is refused: DNS rebinding (contract, control)."""
        reply = self.daemon.api.request("GET", "/api/v1/jobs", headers={"Host": "evil.example"})
        self.assertIn(reply.status, (400, 403, 421))

    def test_token_file_mode(self) -> None:
        """Only the daemon's user may read the token."""
        mode = self.daemon.api.token_file.stat().st_mode & 0o777
        self.assertEqual(oct(mode), oct(0o600))


class DiskCase(IntegrationCase):
    """A daemon whose disk is bad in one place."""

    origin: HostileOrigin

    def setUp(self) -> None:
        self.origin = self.make_origin()

    def make(self, downloads: dict[str, Any] | None = None, **options: int) -> DaemonProcess:
        """A running daemon."""
        downloads = {"retry": FAST_RETRY, **(downloads or {})}
        return self.make_daemon({"downloads": downloads}, **options).start()

    def assert_others_work(self, daemon: DaemonProcess) -> None:
        """A job elsewhere still ends right."""
        job = daemon.api.add(self.origin.url("/other.bin?size=1000000"))
        done = daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, 1_000_000)


class FullDiskTests(DiskCase):
    """A full disk stops the jobs that need it, by name, and nobody else."""

    def test_full_disk(self) -> None:
        """A file larger than its file system: ``no-space``, other jobs are not hurt."""
        daemon = self.make()
        self.make_tmpfs(daemon.downloads / "small", "size=4m")
        job = daemon.api.add(self.origin.url("/f.bin?size=16MiB"), directory="small")
        failed = daemon.api.wait_for(job["id"], "failed")
        self.assertEqual(failed["error"]["code"], "no-space")
        self.assertFalse((daemon.downloads / "small" / "f.bin").exists())
        self.assert_others_work(daemon)

    def test_fills_up_meanwhile(self) -> None:
        """A stream of unknown length fills the disk: it waits for room, others are not hurt."""
        daemon = self.make()
        self.make_tmpfs(daemon.downloads / "small", "size=4m")
        job = daemon.api.add(
            self.origin.url("/noranges/chunked/f.bin?size=16MiB"), directory="small"
        )
        self.wait_for_no_space(daemon, job["id"])
        self.assert_others_work(daemon)

    def wait_for_no_space(self, daemon: DaemonProcess, job_id: str) -> None:
        """Wait until the job waits for room."""

        def waits() -> bool:
            job = daemon.api.job(job_id)
            return job["state"] == "waiting" and job["error"]["code"] == "no-space"

        until(waits, "the job waits for room")

    def test_room_again(self) -> None:
        """Once there is room the job goes on by itself, and ends right."""
        daemon = self.make()
        small = self.make_tmpfs(daemon.downloads / "small", "size=20m")
        ballast = small / "ballast"
        ballast.write_bytes(bytes(16 * MIB))
        job = daemon.api.add(self.origin.url("/f.bin?size=16MiB"), directory="small")
        self.wait_for_no_space(daemon, job["id"])
        ballast.unlink()
        done = daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, 16 * MIB)

    def test_fits_one_by_one(self) -> None:
        """Two files that do not fit together: one waits until the other has gone, none is cut."""
        daemon = self.make({"max_active": 2, "disk": {"preallocation": "falloc"}})
        small = self.make_tmpfs(daemon.downloads / "small", "size=20m")
        first = daemon.api.add(
            self.origin.url("/f.bin?size=12MiB"), directory="small", rate_limit=4 * MIB
        )
        daemon.api.wait_for(first["id"], "active")
        second = daemon.api.add(self.origin.url("/g.bin?size=12MiB"), directory="small")
        self.wait_for_no_space(daemon, second["id"])
        done = daemon.api.wait_for(first["id"], "complete")
        self.assert_file(done["path"], 1, 12 * MIB)
        (small / "f.bin").unlink()
        done = daemon.api.wait_for(second["id"], "complete")
        self.assert_file(done["path"], 1, 12 * MIB)

    def test_file_size_limit(self) -> None:
        """A limit on the size of files counts as no space."""
        daemon = self.make(file_size_limit=8 * MIB)
        job = daemon.api.add(self.origin.url("/f.bin?size=16MiB"))
        failed = daemon.api.wait_for(job["id"], "failed")
        self.assertEqual(failed["error"]["code"], "no-space")
        self.assert_others_work(daemon)


class UnwritableTests(DiskCase):
    """A directory that cannot be written is named."""

    def test_read_only(self) -> None:
        """A read-only file system: ``not-writable``."""
        daemon = self.make()
        self.make_tmpfs(daemon.downloads / "fixed", "ro,size=1m")
        job = daemon.api.add(self.origin.url("/f.bin"), directory="fixed")
        failed = daemon.api.wait_for(job["id"], "failed")
        self.assertEqual(failed["error"]["code"], "not-writable")
        self.assert_others_work(daemon)

    def test_file_in_the_way(self) -> None:
        """A file stands where the directory should be."""
        daemon = self.make()
        (daemon.downloads / "file").write_text("in the way")
        job = daemon.api.add(self.origin.url("/f.bin"), directory="file/below")
        failed = daemon.api.wait_for(job["id"], "failed")
        self.assertEqual(failed["error"]["code"], "not-writable")
        self.assert_others_work(daemon)


class StartTests(IntegrationCase):
    """A start that cannot be ends with one clear message, exit status 1 and no traceback."""

    def assert_refused(self, daemon: DaemonProcess, *words: str) -> None:
        """It ends by itself and says why."""
        daemon.spawn()
        self.assertEqual(daemon.wait_ended(), 1, daemon.log)
        for word in words:
            self.assertIn(word, daemon.log)
        self.assertNotIn("Traceback", daemon.log)

    def test_two_on_one_state(self) -> None:
        """Two daemons on one state directory: the second says so, the first goes on."""
        first = self.make_daemon().start()
        second = self.make_daemon({"state_dir": str(first.directory / "state")})
        self.assert_refused(second, str(first.directory / "state"))
        self.assertTrue(first.api.healthy())

    def test_bad_configuration(self) -> None:
        """Every problem with its place, and nothing is created on disk."""
        daemon = self.make_daemon({"downloads": {"segmentz": 8, "max_active": "many"}})
        self.assert_refused(daemon, "conf.yaml:", "downloads.segmentz", "downloads.max_active")
        self.assertFalse((daemon.directory / "state").exists())

    def test_port_taken(self) -> None:
        """A port that is taken is named."""
        first = self.make_daemon().start()
        second = self.make_daemon(
            {"control": {"listen": [f"tcp:{first.port}:interface=127.0.0.1"]}}
        )
        self.assert_refused(second, str(first.port))
        self.assertTrue(first.api.healthy())

    def test_damaged_journal(self) -> None:
        """A journal that is none is named and left as it is."""
        daemon = self.make_daemon().start()
        daemon.terminate()
        journal = self.journal(daemon)
        journal.write_bytes(b"this is no database" * 1000)
        self.assert_refused(daemon, journal.name)
        self.assertEqual(journal.read_bytes(), b"this is no database" * 1000)

    def journal(self, daemon: DaemonProcess) -> Path:
        """The SQLite file in the state directory."""
        for path in sorted((daemon.directory / "state").iterdir()):
            if path.is_file() and path.read_bytes().startswith(b"SQLite format 3\0"):
                return path
        raise FileNotFoundError(errno.ENOENT, "no journal")
