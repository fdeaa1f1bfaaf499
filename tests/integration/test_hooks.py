"""Hooks of a real daemon: commands in processes of their own, webhooks to a server."""

from __future__ import annotations

import hashlib
import hmac
import json
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.integration.case import FAST_RETRY, IntegrationCase
from tests.integration.waiting import until

SCRIPT = """
import json, os, sys, time
told = {key: value for key, value in os.environ.items()}
print("hook says", sys.argv[1], told["RANGEDAEMON_EVENT"])
with open(sys.argv[1], "a") as file:
    file.write(json.dumps(told) + chr(10))
"""


class Receiver(ThreadingHTTPServer):
    """A receiver of webhooks that keeps what came."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.posts: list[tuple[dict[str, str], bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """Where it is."""
        return f"http://127.0.0.1:{self.server_address[1]}/hook"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        """Keep it, answer with the next status."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.posts.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        """Say nothing."""


class HookTests(IntegrationCase):
    """Jobs that end, and who is told."""

    def setUp(self) -> None:
        self.origin = self.make_origin()
        self.place = self.make_directory()

    def start(self, *hooks: dict[str, Any], **env: str) -> None:
        """A daemon with hooks."""
        sections = {"hooks": list(hooks), "downloads": {"retry": FAST_RETRY}}
        self.daemon = self.make_daemon(sections, env=env).start()

    def script(self, name: str, **more: Any) -> dict[str, Any]:
        """A hook that writes down its environment; and where."""
        argv = [sys.executable, "-c", SCRIPT, str(self.place / name)]
        return {"name": name, "command": argv, **more}

    def written(self, name: str) -> list[dict[str, str]]:
        """What a script was told so far."""
        file = self.place / name
        text = file.read_text() if file.exists() else ""
        return [json.loads(line) for line in text.splitlines(True) if line.endswith("\n")]

    def fetch(self, path: str, state: str = "complete") -> dict[str, Any]:
        """A job that ended so."""
        job = self.daemon.api.add(self.origin.url(path))
        ended: dict[str, Any] = self.daemon.api.wait_for(job["id"], state)
        return ended

    def test_command(self) -> None:
        """Start, end and failure, each with the job in the environment, and no secret of ours."""
        self.start(
            self.script("all", on=["start", "complete", "failure"]),
            self.script("bad", on=["failure"]),
            SECRET_OF_OURS="hidden",
        )
        done = self.fetch("/f.bin?size=100000")
        until(lambda: len(self.written("all")) == 2, "both are told")
        begun, ended = self.written("all")
        self.assertEqual(
            (begun["RANGEDAEMON_EVENT"], ended["RANGEDAEMON_EVENT"]), ("start", "complete")
        )
        self.assertEqual(ended["RANGEDAEMON_ID"], done["id"])
        self.assertEqual(ended["RANGEDAEMON_PATH"], done["path"])
        self.assertTrue(Path(ended["RANGEDAEMON_PATH"]).exists())
        self.assertEqual(json.loads(ended["RANGEDAEMON_JOB"])["size"], 100000)
        self.assertNotIn("SECRET_OF_OURS", ended)
        failed = self.fetch("/status=404/g.bin", "failed")
        until(lambda: len(self.written("bad")) == 1, "the failure is told")
        [told] = self.written("bad")
        self.assertEqual(
            (told["RANGEDAEMON_ID"], told["RANGEDAEMON_ERROR_CODE"]), (failed["id"], "not-found")
        )
        until(lambda: "hook says" in self.daemon.log, "its words are in the log")

    def test_change(self) -> None:
        """A file that changes at its origin while it is fetched is told of, then its end."""
        self.start(self.script("news", on=["change", "complete"]))
        self.fetch("/ifrange=ignored/seed=2~after1/c.bin?size=12MiB")
        until(lambda: len(self.written("news")) >= 2, "both were called")
        events = [told["RANGEDAEMON_EVENT"] for told in self.written("news")]
        self.assertEqual(events, ["change", "complete"])

    def test_stop(self) -> None:
        """A stop waits for a call under way; one that has no end is made again after the start."""
        flag = self.place / "go"
        wait = "import os, sys, time\nwhile not os.path.exists(sys.argv[2]): time.sleep(0.05)\n"
        argv = [sys.executable, "-c", wait + SCRIPT, str(self.place / "slow"), str(flag)]
        self.start({"name": "slow", "command": argv, "on": ["complete"]})
        job = self.daemon.api.add(self.origin.url("/a.bin?size=10"))
        self.daemon.api.wait_for(job["id"], "complete")
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertEqual(self.written("slow"), [])
        flag.touch()
        self.daemon.start()
        until(lambda: bool(self.written("slow")), "the call is made after all")
        self.assertEqual([told["RANGEDAEMON_ID"] for told in self.written("slow")], [job["id"]])
        self.assertEqual(self.daemon.terminate(), 0)
        self.assertEqual(len(self.written("slow")), 1)

    def test_reload(self) -> None:
        """Other hooks count from the reload on; what cannot be used is refused, with its place."""
        self.start(self.script("one"))
        self.daemon.configure({"hooks": [{"name": "x", "command": [], "on": ["never"]}]})
        reply = self.daemon.api.request("POST", "/api/v1/reload")
        self.assertEqual(reply.status, 422)
        self.assertIn("hooks.0", str(reply.json["errors"]))
        sections = {"hooks": [self.script("two")], "downloads": {"retry": FAST_RETRY}}
        self.daemon.configure(sections)
        reply = self.daemon.api.request("POST", "/api/v1/reload")
        self.assertEqual((reply.status, reply.json["changed"]), (200, ["hooks"]))
        job = self.daemon.api.add(self.origin.url("/b.bin?size=10"))
        self.daemon.api.wait_for(job["id"], "complete")
        until(lambda: bool(self.written("two")), "the new hook is called")
        self.assertEqual(self.written("one"), [])

    def test_bad_commands(self) -> None:
        """A hook that hangs, fails or is not there hurts nobody; each is told in the log."""
        self.start(
            {"name": "hangs", "command": [sys.executable, "-c", "import time; time.sleep(600)"],
             "timeout": 1},
            {"name": "fails", "command": [sys.executable, "-c", "raise SystemExit(3)"]},
            {"name": "absent", "command": ["/does/not/exist"]},
            self.script("fine", on=["complete"]),
        )  # fmt: skip
        self.fetch("/f.bin?size=1000")
        until(lambda: len(self.written("fine")) == 1, "the good one is called")
        for words in ("hook hangs (complete of job", "ran longer than 1 s", "hook fails (complete",
                      "exit code 3", "hook absent (complete"):  # fmt: skip
            until(lambda words=words: words in self.daemon.log, words)
        self.assertEqual(self.fetch("/g.bin?size=1000")["state"], "complete")

    def test_webhook(self) -> None:
        """Posted, signed by the file's secret, and again where the receiver fails at first."""
        receiver = Receiver(503, 204)
        self.addCleanup(receiver.server_close)
        self.addCleanup(receiver.shutdown)
        secret = self.place / "secret"
        secret.write_text("correct horse\n")
        self.start(
            {"name": "hook", "webhook": receiver.url, "secret_file": str(secret), "timeout": 10}
        )
        done = self.fetch("/f.bin?size=1000")
        until(lambda: len(receiver.posts) == 2, "it is posted again")
        (first, body), (again, same) = receiver.posts
        self.assertEqual(
            (body, first["x-rangedaemon-delivery"]), (same, again["x-rangedaemon-delivery"])
        )
        told = json.loads(body)
        self.assertEqual((told["event"], told["job"]["id"]), ("complete", done["id"]))
        expected = hmac.new(b"correct horse", body, hashlib.sha256).hexdigest()
        self.assertEqual(first["x-rangedaemon-signature"], f"sha256={expected}")
        self.assertNotIn("correct horse", self.daemon.log)
