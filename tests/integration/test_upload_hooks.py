"""What happens around an upload: a command, the log, the metrics, the access log, a bad start."""

from __future__ import annotations

import http.client
import json
import sys
from pathlib import Path

from tests.integration.uploading import TOKEN, UploadCase
from tests.integration.waiting import PATIENCE, until

_TELL = str(Path(__file__).with_name("tell_environment.py"))


class HookTests(UploadCase):
    """A command for each file that came."""

    uploads = {
        "tokens_file": "upload.tokens",
        "hooks": {"on_receive": [sys.executable, _TELL, "$(touch pwned); *"]},
        "names": ["*.bin"],
        "types": ["application/*"],
    }

    def put(self, name: str, body: bytes, kind: str = "application/x-test") -> int:
        """PUT with the token; the status."""
        reply = self.request(
            "PUT", f"/files/{name}", body, authorization=f"Bearer {TOKEN}", content_type=kind
        )
        return reply.status

    def test_told(self) -> None:
        """It finds what came in its environment, its arguments as they are, and no input."""
        self.assertEqual(self.put(self.name, b"content"), 201)
        path = self.root / f"{self.name}.told"
        until(path.exists, "the command has told")
        told = json.loads(path.read_text())
        expected = {
            "RANGEDAEMON_PATH": str(self.root / self.name),
            "RANGEDAEMON_NAME": self.name,
            "RANGEDAEMON_SIZE": "7",
            "RANGEDAEMON_TYPE": "application/x-test",
            "RANGEDAEMON_MOUNT": "/files",
            "RANGEDAEMON_PROTOCOL": "put",
            "RANGEDAEMON_OWNER": "tester",
            "argument": "$(touch pwned); *",
            "input": "",
        }
        self.assertEqual({name: told[name] for name in expected}, expected)
        line = f"received {self.root / self.name}: 7 octets by put from tester"
        self.assertIn(line, self.daemon.log)
        self.assertEqual(list(self.daemon.directory.rglob("pwned")), [])

    def test_rules(self) -> None:
        """Other names and types are refused, and no command runs."""
        self.assertEqual(self.put("rules.exe", b"x"), 403)
        self.assertEqual(self.put("rules.bin", b"x", "text/html"), 415)
        self.assertEqual(list(self.root.glob("rules*")), [])

    def test_metrics(self) -> None:
        """Octets and files are counted."""
        self.put(self.name, b"x" * 1000)
        page = self.daemon.api.request("GET", "/metrics").body.decode()
        told = dict(line.rsplit(" ", 1) for line in page.splitlines() if line[0] != "#")
        self.assertGreaterEqual(float(told["rangedaemon_upload_received_bytes_total"]), 1000)
        self.assertGreaterEqual(float(told["rangedaemon_uploads_finished_total"]), 1)


class StartTests(UploadCase):
    """A start that cannot be."""

    def refused(self, uploads: dict[str, object]) -> str:
        """What a daemon says that does not start."""
        root = self.make_directory()
        mount = {"path": "/", "root": str(root), "uploads": uploads}
        daemon = self.make_daemon({"server": {"mounts": [mount]}})
        (daemon.directory / "bad.tokens").write_text("me:tooshort\n")
        daemon.spawn()
        self.assertEqual(daemon.wait_ended(), 1)
        return daemon.log

    def test_tokens(self) -> None:
        """A file of tokens that is missing or broken: one line, no secret, status 1."""
        self.assertIn("cannot read", self.refused({"tokens_file": "missing.tokens"}))
        log = self.refused({"tokens_file": "bad.tokens"})
        self.assertIn("bad.tokens: line 1: expected NAME:TOKEN", log)
        self.assertNotIn("tooshort", log)
        self.assertNotIn("Traceback", log)

    def test_nobody(self) -> None:
        """Nobody is let in by mistake."""
        self.assertIn("needs tokens_file or htpasswd_file", self.refused({}))

    def test_access_log(self) -> None:
        """Uploads are lines of the access log, those that were cut too."""
        root = self.make_directory()
        log = root.parent / f"{root.name}.log"
        self.addCleanup(log.unlink)
        mount = {"path": "/files", "root": str(root), "uploads": {"anonymous": True}}
        daemon = self.make_daemon(
            {"server": {"mounts": [mount], "access_log": {"path": str(log), "format": "json"}}}
        )
        daemon.start()
        shared, type(self).daemon = type(self).daemon, daemon
        self.addCleanup(setattr, type(self), "daemon", shared)
        proxy = self.cutting(1 << 20)
        source = Path(self.source())
        with self.assertRaises(OSError):
            self._put_through(proxy.port, source.read_bytes())
        self.request("PUT", "/files/whole", b"content")

        def lines() -> list[dict[str, object]] | None:
            text = log.read_text() if log.exists() else ""
            found = [json.loads(line) for line in text.splitlines()]
            return found if len(found) >= 2 else None

        cut, whole = sorted(until(lines, "two lines"), key=lambda line: str(line["path"]))
        self.assertEqual((cut["status"], cut["complete"]), (499, False))
        self.assertEqual((whole["status"], whole["received"]), (201, 7))
        self.assertGreater(cut["received"], 500_000)

    def _put_through(self, port: int, body: bytes) -> None:
        wire = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        try:
            wire.request("PUT", "/files/cut", body)
            wire.getresponse()
        except http.client.HTTPException as error:
            raise ConnectionError("cut") from error
        finally:
            wire.close()
