"""What a download does with an honest origin: segments, names, checksums, retries, limits."""

from __future__ import annotations

import hashlib
import http.client
import threading
import time
from contextlib import closing
from pathlib import Path

from tests.hostile import write_content
from tests.hostile.content import digest
from tests.integration.api import Job
from tests.integration.case import IntegrationCase
from tests.integration.downloading import CONNECTIONS, SIZE, DownloadCase
from tests.integration.waiting import PATIENCE, until

MIB = 1 << 20


class SegmentTests(DownloadCase):
    """How many connections, and for what."""

    def test_segments(self) -> None:
        """A throttled file comes over all the connections that are allowed, each octet once."""
        path = self.path("rate=512KiB")
        job = self.add(path)
        most = self.most_connections(job)
        done = self.daemon.api.job(job["id"])
        self.assert_file(done["path"], 1, SIZE)
        self.assertLessEqual(most, CONNECTIONS)
        used = {exchange.connection for exchange in self.origin.ledger.of(path)}
        self.assertGreaterEqual(len(used), CONNECTIONS, self.daemon.log)
        self.assert_sent(path, 1.0, 1.15)
        self.assertEqual((done["size"], done["accepts_ranges"]), (SIZE, True))

    def most_connections(self, job: Job) -> int:
        """The most connections that the job had at once until it was complete."""
        most = 0

        def ended() -> bool:
            nonlocal most
            now = self.daemon.api.job(job["id"])
            most = max(most, now["connections"])
            return bool(now["state"] == "complete")

        until(ended, "the job is complete")
        return most

    def test_ranged_requests_carry_the_validator(self) -> None:
        """Every request after the first is a range under the condition of the strong tag."""
        path = self.path("rate=2MiB")
        self.fetch(path)
        _, *later = self.origin.ledger.of(path)
        tag = f'"s1-{SIZE:x}"'
        self.assertTrue(later)
        for exchange in later:
            conditions = {exchange.fields.get(name) for name in ("if-range", "if-match")}
            self.assertIn(tag, conditions)
            self.assertEqual(exchange.fields["accept-encoding"], "identity")
            self.assertIsNotNone(exchange.range)

    def test_never_head(self) -> None:
        """No HEAD: the first request brings octets already."""
        path = self.path("nohead")
        self.fetch(path)
        self.assertEqual({e.method for e in self.origin.ledger.of(path)}, {"GET"})

    def test_without_ranges(self) -> None:
        """A server without ranges gets one connection and sends each octet once."""
        path = self.path("noranges")
        done = self.fetch(path)
        self.assertEqual(self.origin.ledger.connections(path), 1)
        self.assert_sent(path, 1.0, 1.0)
        self.assertFalse(done["accepts_ranges"])

    def test_empty(self) -> None:
        """A file without any octet is complete and empty."""
        self.fetch(self.path(), size=0)

    def test_one_octet(self) -> None:
        """So is a file of one octet."""
        self.fetch(self.path(), size=1)

    def test_one_segment(self) -> None:
        """A job that asks for one connection gets no more."""
        job = self.add(self.path("rate=8MiB"), segments=1)
        self.assertEqual(self.most_connections(job), 1)


class ChecksumTests(DownloadCase):
    """A promise of the user about the octets is kept or the job fails."""

    def test_right(self) -> None:
        """A right checksum is named as the proof."""
        wanted = f"sha-256={digest(1, SIZE).hex()}"
        done = self.fetch(self.path(), checksum=wanted)
        self.assertEqual((done["verified"], done["checksum"]), ("checksum", wanted))

    def test_wrong(self) -> None:
        """A wrong one fails the job, and no file has its final name."""
        wrong = hashlib.sha256(b"something else").hexdigest()
        failed = self.assert_fails(self.path(), "checksum-mismatch", checksum=f"sha-256={wrong}")
        self.assertEqual(failed["state"], "failed")

    def test_damaged_on_the_way(self) -> None:
        """An octet that was damaged on the way does not pass for right."""
        wanted = f"sha-256={digest(1, SIZE).hex()}"
        self.assert_fails(self.path("flip=5MiB"), "checksum-mismatch", checksum=wanted)

    def test_unverified(self) -> None:
        """Without a checksum the job says that only the length was proved."""
        self.assertEqual(self.fetch(self.path())["verified"], "length")


class RetryTests(DownloadCase):
    """Faults that pass are waited out."""

    def test_unavailable(self) -> None:
        """503 twice, then the file."""
        path = self.path("status=503~first2")
        done = self.fetch(path)
        self.assertEqual([e.status for e in self.origin.ledger.of(path)][:2], [503, 503])
        self.assertGreaterEqual(done["attempts"], 1)

    def test_retry_after(self) -> None:
        """Retry-After is honoured: no request comes before that time."""
        path = self.path("retry=2/status=503~first1")
        began = time.monotonic()
        job = self.add(path)
        self.origin.ledger.wait(lambda ledger: len(ledger.of(path)) >= 2, "a second request")
        self.assertGreaterEqual(time.monotonic() - began, 1.9)
        self.daemon.api.wait_for(job["id"], "complete")

    def test_waiting_says_when(self) -> None:
        """While it waits the job says so, until when and why."""
        job = self.add(self.path("retry=3/status=503~first1"))
        waiting = self.daemon.api.wait_for(job["id"], "waiting")
        self.assertIsNotNone(waiting["retry_at"])
        self.assertEqual(waiting["error"]["code"], "throttled")
        self.assertEqual(self.daemon.api.act(job["id"], "retry").status, 200)
        self.daemon.api.wait_for(job["id"], "complete")

    def test_give_up(self) -> None:
        """500 for ever ends in failure after the attempts that are allowed."""
        path = self.path("status=500")
        self.assert_fails(path, "server-error")
        self.assertEqual(len(self.origin.ledger.of(path)), 10)

    def test_refused(self) -> None:
        """Nobody listens there: unreachable, after the attempts that are allowed."""
        job = self.daemon.api.add("http://127.0.0.1:9/nobody.bin")
        failed = self.daemon.api.wait_for(job["id"], "failed")
        self.assertEqual(failed["error"]["code"], "unreachable")


class NameTests(DownloadCase):
    """No origin chooses where a file goes."""

    def settle(self, disposition: str) -> Path:
        """Where the file went that the origin wanted to name so."""
        return Path(self.fetch(self.path(f"disposition={disposition}"), size=1000)["path"])

    def assert_confined(self, path: Path) -> None:
        """The file lies directly in the download directory."""
        self.assertEqual(path.parent, self.daemon.downloads)

    def test_traversal(self) -> None:
        """``../`` is cut off."""
        path = self.settle("attachment%3B%20filename%3D%22..%2F..%2Fclimber.bin%22")
        self.assert_confined(path)
        self.assertEqual(path.name, "climber.bin")

    def test_absolute(self) -> None:
        """So is an absolute path."""
        self.assert_confined(self.settle("attachment%3B%20filename%3D%22%2Fetc%2Fpasswd%22"))

    def test_backslashes(self) -> None:
        """And one of another system."""
        path = self.settle("attachment%3B%20filename%3D%22C%3A%5C%5Cwindows%5C%5Cevil.bin%22")
        self.assert_confined(path)
        self.assertNotIn("\\", path.name)

    def test_dots(self) -> None:
        """``..`` is no name."""
        path = self.settle("attachment%3B%20filename%3D%22..%22")
        self.assert_confined(path)
        self.assertNotIn(path.name, ("", ".", ".."))

    def test_hidden(self) -> None:
        """An origin cannot place a dot-file."""
        path = self.settle("attachment%3B%20filename%3D%22.bashrc%22")
        self.assert_confined(path)
        self.assertFalse(path.name.startswith("."))

    def test_long(self) -> None:
        """A name that no file system takes is cut."""
        path = self.settle(f"attachment%3B%20filename%3D%22{'x' * 400}.bin%22")
        self.assert_confined(path)
        self.assertLessEqual(len(f"{path.name}.part".encode()), 255)

    def test_extended(self) -> None:
        """``filename*`` wins and may be beyond ASCII."""
        path = self.settle(
            "attachment%3B%20filename%3D%22plain.bin%22%3B%20filename*%3DUTF-8''na%25C3%25AFve.bin"
        )
        self.assertEqual(path.name, "naïve.bin")

    def test_encoded_slash_in_url(self) -> None:
        """An encoded slash in the address is no separator either."""
        done = self.fetch("/..%252F..%252Fevil.bin".replace("%25", "%"), size=1000)
        self.assert_confined(Path(done["path"]))

    def test_taken(self) -> None:
        """A name that is taken gets a number; the file that was there stays."""
        first, second = self.fetch(self.path(), size=1000), self.fetch(self.path(), size=1000)
        self.assertNotEqual(first["path"], second["path"])
        self.assert_file(first["path"], 1, 1000)

    def test_overwrite(self) -> None:
        """With ``overwrite`` the new one takes its place."""
        first = self.fetch(self.path(), size=1000)
        second = self.fetch(self.path(), size=2000, on_conflict="overwrite")
        self.assertEqual(first["path"], second["path"])


class NginxTests(IntegrationCase):
    """A real nginx at the other end."""

    def pull(self, *, env: dict[str, str] | None = None, **options: bool) -> None:
        """Fetch one file from an nginx with these options."""
        root = self.make_directory()
        write_content(root / "f.bin", 1, 32 * MIB)
        server = self.make_nginx(root, **options)
        trust = {"SSL_CERT_FILE": str(server.certificate)} if options.get("tls") else {}
        daemon = self.make_daemon({"downloads": {"segments": 4}}, env=trust).start()
        job = daemon.api.add(server.url("f.bin"))
        done = daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, 32 * MIB)

    def test_plain(self) -> None:
        """With ranges."""
        self.pull()

    def test_no_ranges(self) -> None:
        """Without ranges."""
        self.pull(ranges=False)

    def test_tls(self) -> None:
        """Over TLS, with a certificate that is trusted."""
        self.pull(tls=True)


class ResponsivenessTests(DownloadCase):
    """The reactor never waits for disk or hashing."""

    def test_healthz(self) -> None:
        """/healthz answers throughout a download at full speed with a checksum at its end."""
        size = 192 * MIB
        job = self.add(self.path(), size, checksum=f"sha-256={digest(1, size).hex()}")
        ended = threading.Event()

        def wait() -> None:
            self.daemon.api.wait_for(job["id"], "complete")
            ended.set()

        waiter = threading.Thread(target=wait)
        waiter.start()
        times = self.pulse(ended)
        waiter.join(PATIENCE)
        self.assertTrue(ended.is_set())
        times.sort()
        self.assertGreater(len(times), 10)
        self.assertLess(times[int(len(times) * 0.9)], 0.5)  # the rest is the scheduler's

    def pulse(self, ended: threading.Event) -> list[float]:
        """The seconds that each answer took, every 10 ms until *ended*."""
        times = []
        wire = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=PATIENCE)
        with closing(wire):
            while not ended.wait(0.01):
                began = time.monotonic()
                wire.request("GET", "/healthz")
                reply = wire.getresponse()
                reply.read()
                self.assertEqual(reply.status, 200)
                times.append(time.monotonic() - began)
        return times
