"""``rangectl`` and the real daemon: found by its configuration, steered to whole files."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

from tests.hostile import content
from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.daemon import environment
from tests.integration.rangectl_case import RANGECTL, Ended, Running, command
from tests.integration.waiting import PATIENCE, until

MIB = 1 << 20
SIZE = 3 * MIB
DOWNLOADS = {"segments": 2, "min_segment_size": "256KiB", "retry": FAST_RETRY}


class DaemonTests(IntegrationCase):
    """Every command against ``twistd rangedaemon -c``."""

    def setUp(self) -> None:
        self.origin = self.make_origin()
        self.daemon = self.make_daemon({"downloads": DOWNLOADS}).start()

    def ctl(self, *words: str, **options: Any) -> Ended:
        """A command that finds the daemon by its configuration alone."""
        return command("-c", str(self.daemon.config_file), *words, **options)

    def url(self, path: str) -> str:
        """The address of a file of `SIZE` at the hostile origin."""
        return self.origin.url(f"{path}?size={SIZE}")

    def begin(self, *words: str) -> Running:
        """A command that goes on for a while."""
        running = Running("-c", str(self.daemon.config_file), *words)
        self.addCleanup(running.close)
        return running

    def test_add_and_wait(self) -> None:
        """Files of a list arrive whole, with a mirror too; then it ends with 0."""
        mirrors = f"{self.url('/two.bin')}\t{self.url('/rate=1MiB/two.bin')}"
        lines = f"{self.url('/one.bin')}\n  out=first.bin\n{mirrors}\n  out=second.bin\n"
        ended = self.ctl("add", "--wait", "-i", "-", stdin=lines)
        self.assertEqual((ended.code, ended.err), (0, ""))
        for name in ("first.bin", "second.bin"):
            self.assert_file(self.daemon.downloads / name, 1, SIZE)
        self.assertEqual(sum(" complete " in line for line in ended.lines), 2)

    def test_failure(self) -> None:
        """Ends with 1 where one of them failed, and says why."""
        ended = self.ctl("add", "--wait", self.url("/good.bin"), self.url("/status=404/bad.bin"))
        self.assertEqual(ended.code, 1)
        self.assertIn("not-found: ", ended.out)
        self.assert_file(self.daemon.downloads / "good.bin", 1, SIZE)

    def test_whole_life(self) -> None:
        """Pause, show, set, resume, segments and watch, to a file that is right."""
        [job] = self.ctl(
            "add", self.url("/gate=door:1MiB/f.bin"), "--name", "deb", "--json"
        ).objects
        self.daemon.api.wait_received(job["id"], 1)
        segments = self.ctl("segments", "deb")
        self.assertEqual((segments.code, "active" in segments.out), (0, True))
        self.assertEqual(self.ctl("pause", "de*").code, 0)
        self.daemon.api.wait_for(job["id"], "paused")
        self.assertEqual(self.ctl("pause", "deb").code, 6)
        self.assertEqual(self.ctl("set", "deb", "--limit", "64MiB", "--priority", "3").code, 0)
        [shown] = self.ctl("show", job["id"][:12], "--json").objects
        self.assertEqual((shown["rate_limit"], shown["priority"]), (64 * MIB, 3))
        self.assertIn("1 paused", self.ctl("status").out)
        self.origin.gates.open("door")
        self.assertEqual(self.ctl("resume", "deb").code, 0)
        self.assertEqual(self.ctl("watch", "deb").code, 0)
        self.assert_file(self.daemon.downloads / "f.bin", 1, SIZE)

    def test_watch_through_a_kill(self) -> None:
        """Whoever watches sees the end, though the daemon was killed and started again."""
        [job] = self.ctl("add", self.url("/gate=door:1MiB/f.bin"), "--json").objects
        watching = self.begin("watch", job["id"])
        watching.wait_for(f"{job['id']} active")
        self.daemon.api.wait_received(job["id"], 1)
        self.daemon.kill()
        self.daemon.start()
        self.origin.gates.open("door")
        ended = watching.ended()
        self.assertEqual((ended.code, ended.err), (0, ""))
        self.assert_file(self.daemon.downloads / "f.bin", 1, SIZE)

    def test_remove(self) -> None:
        """``--delete-files`` takes the part file with it; a watcher learns of it."""
        [job] = self.ctl("add", self.url("/gate=door:1MiB/f.bin"), "--json").objects
        watching = self.begin("watch", job["id"])
        self.daemon.api.wait_received(job["id"], 1)
        watching.wait_for(f"{job['id']} active")
        self.assertEqual(self.ctl("remove", job["id"], "--delete-files").code, 0)
        self.assertEqual(watching.ended().code, 1)
        self.assertEqual(list(self.daemon.downloads.iterdir()), [])
        self.assertEqual(self.ctl("show", job["id"]).code, 5)

    def test_refusals(self) -> None:
        """Bad input, directories outside and taken names each have their code."""
        table = [
            (7, ["add", "ftp://127.0.0.1/x"]),
            (7, ["add", self.url("/f.bin"), "--dir", "/etc"]),
            (7, ["add", self.url("/f.bin"), "--checksum", "sha-256=12"]),
            (7, ["add", self.url("/f.bin"), "--filename", "../f"]),
            (5, ["show", "0123456789abcdef"]),
            (5, ["pause", "nobody*"]),
        ]
        for code, words in table:
            with self.subTest(" ".join(words)):
                ended = self.ctl(*words)
                self.assertEqual((ended.code, ended.err.count("\n")), (code, 1))

    def test_cat(self) -> None:
        """The finished file comes out of a pipe octet by octet."""
        [*_, job] = self.ctl("add", "--wait", "--json", self.url("/f.bin")).objects
        words = [*RANGECTL, "-c", str(self.daemon.config_file), "cat", job["id"]]
        done = subprocess.run(
            words, capture_output=True, env=environment(), timeout=PATIENCE, check=False
        )
        self.assertEqual((done.returncode, done.stderr), (0, b""))
        self.assertTrue(done.stdout == content(1, 0, SIZE), "the octets are those of the file")

    def test_events(self) -> None:
        """Events come as lines of JSON until the daemon stops, which is told."""
        listening = self.begin("events")
        listening.wait_for('"event": "status"')
        [job] = self.ctl("add", self.url("/f.bin"), "--json").objects
        listening.wait_for('"state": "complete"')
        self.assertEqual(self.ctl("shutdown").code, 0)
        ended = listening.ended()
        self.assertEqual(ended.code, 3)
        jobs = [json.loads(line) for line in ended.lines if '"event": "job"' in line]
        self.assertEqual({event["data"]["id"] for event in jobs}, {job["id"]})

    def test_shutdown(self) -> None:
        """The daemon ends with 0, and the next command says that it is not there."""
        self.assertEqual(self.ctl("shutdown").code, 0)
        self.assertEqual(self.daemon.wait_ended(), 0)
        ended = self.ctl("list")
        self.assertEqual(ended.code, 3)
        self.assertIn(str(self.daemon.config_file), ended.err)


class UnixSocketTests(IntegrationCase):
    """A daemon that listens at a Unix socket only."""

    def test_commands(self) -> None:
        """It is found by its configuration, relative path and all."""
        daemon = self.make_daemon({"control": {"listen": ["unix:control.sock:mode=600"]}})
        socket = Path(daemon.directory / "control.sock")
        process = daemon.spawn()
        self.addCleanup(process.wait, PATIENCE)
        self.addCleanup(process.terminate)
        ended = self.wait_for_status(daemon.config_file, process)
        self.assertEqual((ended.code, ended.err), (0, ""))
        self.assertTrue(socket.is_socket())
        token = str(daemon.directory / "state" / "control.token")
        listed = command("--url", f"unix:{socket}", "--token-file", token, "list")
        self.assertEqual((listed.code, listed.out), (0, "no jobs\n"))

    def wait_for_status(self, config: Path, process: subprocess.Popen[bytes]) -> Ended:
        """The first ``status`` that does not say that the daemon is not there."""

        def answered() -> Ended | None:
            self.assertIsNone(process.poll(), "the daemon runs")
            ended = command("-c", str(config), "status")
            return None if ended.code in {3, 4, 8} else ended

        return until(answered, "the daemon answers at its socket")
