"""A download survives whatever ends the daemon, and never joins two versions."""

from __future__ import annotations

from pathlib import Path

from tests.hostile import HostileOrigin
from tests.hostile.asks import octets
from tests.integration.api import Job
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.daemon import DaemonProcess
from tests.integration.waiting import until

MIB = 1 << 20
SIZE = 12 * MIB
CONNECTIONS = 8
EACH = 512 * 1024
"""Octets per second and connection of a throttled origin."""
SECOND = CONNECTIONS * EACH
BUFFERS = CONNECTIONS * 512 * 1024
"""Octets that may be between the origin's count and the daemon's disk: socket buffers."""

DOWNLOADS = {
    "segments": CONNECTIONS,
    "connections_per_host": CONNECTIONS,
    "min_segment_size": "256KiB",
    "retry": FAST_RETRY,
}


class RecoveryCase(IntegrationCase):
    """A hostile origin, and a daemon that runs."""

    origin: HostileOrigin
    daemon: DaemonProcess

    def setUp(self) -> None:
        self.origin = self.make_origin()
        self.daemon = self.make_daemon({"downloads": DOWNLOADS}).start()

    def add(self, path: str, **wishes: object) -> Job:
        """A job for the file of `SIZE` at *path*."""
        return self.daemon.api.add(self.origin.url(f"{path}?size={SIZE}"), **wishes)

    def sent(self, path: str) -> int:
        """Octets that the origin sent for *path*."""
        return self.origin.ledger.octets(path)

    def wait_sent(self, path: str, count: int) -> None:
        """Wait until the origin has sent so much."""
        what = f"{count} octets of {path}"
        self.origin.ledger.wait(lambda ledger: ledger.octets(path) >= count, what)

    def assert_unpublished(self) -> None:
        """Nothing is there under the final name, the octets are in the part file."""
        final = self.daemon.downloads / "f.bin"
        self.assertFalse(final.exists())
        self.assertTrue(final.with_name(f"{final.name}.part").exists())


class KillTests(RecoveryCase):
    """SIGKILL at any point of a throttled download: the next start ends it, hardly a byte twice."""

    def kill_at(self, share: float) -> None:
        """Kill at that share of the file; check the octets and how many came twice."""
        path = f"/gate=share:{int(SIZE * share)}/rate={EACH}/f.bin"
        job = self.add(path)
        self.wait_sent(path, int(SIZE * share))
        until(lambda: self.unsafe(job, path) <= SECOND, "the checkpoints keep up, however busy")
        self.daemon.kill()
        self.assert_unpublished()
        self.origin.gates.open("share")
        self.daemon.start()
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        self.assertLessEqual(self.sent(path) - SIZE, SECOND + BUFFERS)

    def unsafe(self, job: Job, path: str) -> int:
        """How many octets that were sent are not told to be safe."""
        return self.sent(path) - int(self.daemon.api.job(job["id"])["received"])

    def test_early(self) -> None:
        """Killed at a fifth."""
        self.kill_at(0.2)

    def test_half(self) -> None:
        """Killed at half."""
        self.kill_at(0.5)

    def test_late(self) -> None:
        """Killed at nine tenths."""
        self.kill_at(0.9)

    def test_again_and_again(self) -> None:
        """Three kills in one download cost at most three times as much."""
        path = f"/rate={EACH}/f.bin"
        job = self.add(path)
        for share in (0.25, 0.5, 0.75):
            self.wait_sent(path, int(SIZE * share))
            self.daemon.kill()
            self.daemon.start()
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        self.assertLessEqual(self.sent(path) - SIZE, 3 * (SECOND + BUFFERS))

    def test_before_the_first_octet(self) -> None:
        """Killed while the origin is silent: the job is still known and ends right."""
        path = "/gate=first:0/f.bin"
        job = self.add(path)
        self.origin.ledger.wait(lambda ledger: bool(ledger.of(path)), "the first request")
        self.daemon.kill()
        self.origin.gates.open("first")
        self.daemon.start()
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)

    def test_after_the_end(self) -> None:
        """Killed right after it is complete: it stays so, and nothing is fetched again."""
        job = self.add("/f.bin")
        done = self.daemon.api.wait_for(job["id"], "complete")
        requests = len(self.origin.ledger.of("/f.bin"))
        self.daemon.kill()
        self.daemon.start()
        self.assertEqual(self.daemon.api.job(job["id"])["state"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        self.assertEqual(len(self.origin.ledger.of("/f.bin")), requests)


class StopTests(RecoveryCase):
    """SIGTERM is an orderly stop: nothing that was received is fetched again."""

    def test_resume(self) -> None:
        """What is in the part file at SIGTERM is not asked for again."""
        path = "/gate=half:6MiB/f.bin"
        job = self.add(path)
        self.wait_sent(path, octets("6MiB"))
        self.daemon.api.wait_received(job["id"], octets("6MiB"))
        self.assertEqual(self.daemon.terminate(), 0)
        self.origin.gates.open("half")
        self.daemon.start()
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        self.assertLessEqual(self.sent(path) - SIZE, BUFFERS)

    def test_paused_stays_paused(self) -> None:
        """A paused job is still paused after a restart, and goes on when it is told to."""
        path = "/gate=half:6MiB/f.bin"
        job = self.add(path)
        self.daemon.api.wait_received(job["id"], octets("6MiB"))
        self.assertEqual(self.daemon.api.act(job["id"], "pause").status, 200)
        self.daemon.api.wait_for(job["id"], "paused")
        self.origin.gates.open("half")
        self.daemon.restart()
        self.assertEqual(self.daemon.api.job(job["id"])["state"], "paused")
        self.assertEqual(self.daemon.api.act(job["id"], "resume").status, 200)
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)
        self.assertLessEqual(self.sent(path) - SIZE, BUFFERS)


class ChangeTests(RecoveryCase):
    """The file at the origin is replaced while the daemon is dead."""

    def test_other_version(self) -> None:
        """The result is the new version, whole; the job says that it changed."""
        path = "/gate=half:6MiB/f.bin"
        job = self.add(path)
        self.daemon.api.wait_received(job["id"], octets("3MiB"))
        self.daemon.kill()
        self.origin.change(path, 2)
        self.daemon.start()
        self.wait_error(job, "changed")
        self.origin.gates.open("half")
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 2, SIZE)
        self.assertGreater(done["refetched"], 0)

    def test_only_a_date(self) -> None:
        """An origin without tags: the moved date alone tells the versions apart."""
        path = "/gate=half:6MiB/etag=none/f.bin"
        job = self.add(path)
        self.daemon.api.wait_received(job["id"], octets("3MiB"))
        self.daemon.kill()
        self.origin.change(path, 2)
        self.origin.gates.open("half")
        self.daemon.start()
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 2, SIZE)

    def test_while_it_runs(self) -> None:
        """Replaced in the middle of a run: the result is one version, whole."""
        path = "/rate=1MiB/seed=2~after6/f.bin"
        job = self.add(path)
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 2, SIZE)

    def test_gone(self) -> None:
        """Removed at the origin: the job fails by name, what was fetched stays in the part file."""
        path = "/gate=half:6MiB/f.bin"
        job = self.add(path)
        self.daemon.api.wait_received(job["id"], octets("3MiB"))
        self.daemon.kill()
        self.origin.remove(path)
        self.daemon.start()
        failed = self.daemon.api.wait_for(job["id"], "failed")
        self.assertEqual(failed["error"]["code"], "not-found")
        self.assert_unpublished()

    def wait_error(self, job: Job, code: str) -> None:
        """Wait until the job shows that error."""

        def shown() -> bool:
            error = self.daemon.api.job(job["id"])["error"]
            return error is not None and error["code"] == code

        until(shown, f"the job says {code}")


class PartFileTests(RecoveryCase):
    """Somebody touched the part file while the daemon was dead."""

    def interrupted(self) -> tuple[Job, Path]:
        """A job with 6 MiB of 12, the daemon killed, the gate open; its part file."""
        path = "/gate=half:6MiB/f.bin"
        job = self.add(path)
        job = self.daemon.api.wait_received(job["id"], octets("5MiB"))
        self.daemon.kill()
        self.origin.gates.open("half")
        return job, Path(f"{job['path']}.part")

    def assert_ends_right(self, job: Job) -> None:
        """The next start ends it with the right octets."""
        self.daemon.start()
        done = self.daemon.api.wait_for(job["id"], "complete")
        self.assert_file(done["path"], 1, SIZE)

    def test_removed(self) -> None:
        """A part file that is gone is fetched again."""
        job, part = self.interrupted()
        part.unlink()
        self.assert_ends_right(job)

    def test_cut(self) -> None:
        """A part file that was cut short never becomes a wrong file."""
        job, part = self.interrupted()
        with part.open("r+b") as file:
            file.truncate(MIB)
        self.assert_ends_right(job)
