"""Nothing that the daemon says has a secret in it, however its jobs end."""

from __future__ import annotations

import http.client
import json
import subprocess
import threading
from pathlib import Path

from tests.integration.daemon import DaemonProcess, environment, twistd
from tests.integration.nginx import Nginx
from tests.integration.reaching import ReachingCase
from tests.integration.waiting import PATIENCE, until

PLANTED = (
    *("in-userinfo", "in-declared-userinfo", "in-mirror-userinfo", "in-password-field"),
    *("in-changed-password", "in-header", "in-cookie-header", "in-declared-header"),
    *("in-declared-password", "in-basic-file", "in-bearer-file", "in-fields-file"),
    *("in-environment", "in-netrc", "in-cookie-file", "in-set-cookie", "in-signature"),
    *("in-location-userinfo", "in-proxy-address", "in-proxy-file", "in-list-userinfo"),
)
SECRETS = {name: f"S3CRET-{name}-hunter2" for name in PLANTED}
MARK = "S3CRET"


class Listening(threading.Thread):
    """Keeps every event that the daemon sends."""

    def __init__(self, daemon: DaemonProcess) -> None:
        super().__init__(daemon=True)
        self.heard = b""
        self._wire = http.client.HTTPConnection("127.0.0.1", daemon.port, timeout=PATIENCE)
        fields = {"Authorization": f"Bearer {daemon.api.token}"}
        self._wire.request("GET", "/api/v1/events", headers=fields)
        self._answer = self._wire.getresponse()

    def run(self) -> None:
        """Read until the daemon ends."""
        try:
            while piece := self._answer.read1(65536):
                self.heard += piece
        except (OSError, http.client.HTTPException):
            return
        finally:
            self._answer.close()
            self._wire.close()


class SecretsTests(ReachingCase):
    """One daemon, given every kind of secret."""

    def setUp(self) -> None:
        """An nginx that wants some of them, sets a cookie, signs, and refuses."""
        super().setUp()
        signed = f"/signed/file.bin?X-Signature={SECRETS['in-signature']}"
        userinfo = f"u:{SECRETS['in-location-userinfo']}@127.0.0.1"
        self.nginx: Nginx = self.make_nginx(
            self.root,
            more=f"add_header Set-Cookie 's={SECRETS['in-set-cookie']}';\n"
            f"location /sign/ {{ return 302 {signed}; }}\n"
            f"location /signed/ {{ return 403; }}\n"
            f"location /named/ {{ return 302 http://{userinfo}:$server_port/file.bin; }}\n"
            f"location /refused/ {{ return 401; }}\n"
            f"location /loop/ {{ return 302 {signed.replace('signed', 'loop')}; }}\n",
        )

    def test_nothing_leaks(self) -> None:
        """Log, answers, events, metrics, messages, processes: none of them has any of it."""
        daemon = self.start_with_secrets()
        listening = Listening(daemon)
        listening.start()
        jobs = self.run_jobs(daemon)
        said = self.answers(daemon, jobs)
        said["processes"] = Path(f"/proc/{daemon.pid}/cmdline").read_bytes().decode()
        mode = (daemon.directory / "state" / "journal.sqlite").stat().st_mode & 0o777
        self.assertEqual(mode, 0o600)
        daemon.restart()
        daemon.terminate()
        listening.join(PATIENCE)
        said |= {"log": daemon.log, "events": listening.heard.decode()}
        for place, text in said.items():
            self.assertTrue(text, place)
            self.assertNotIn(MARK, text, place)
        self.assertIn("unauthorized", said["events"])
        self.assertIn("unauthorized", said["log"])

    def start_with_secrets(self) -> DaemonProcess:
        """A daemon that knows secrets for every host here, and a job with some of its own."""
        machine = f"machine 127.0.0.1 login u password {SECRETS['in-netrc']}\n"
        cookie = f"127.0.0.1\tFALSE\t/\tFALSE\t0\tn\t{SECRETS['in-cookie-file']}\n"
        basic = self.secret("basic", SECRETS["in-basic-file"])
        proxy = f"http://u:{SECRETS['in-proxy-address']}@127.0.0.1:1"
        hosts = [
            {"match": "a.invalid", "basic": {"username": "u", "password_file": basic}},
            {"match": "b.invalid", "bearer_file": self.secret("b", SECRETS["in-bearer-file"]),
             "proxy": "http://u@127.0.0.1:1",
             "proxy_password_file": self.secret("p", SECRETS["in-proxy-file"])},
            {"match": "c.invalid", "proxy": proxy,
             "headers_file": self.secret("h", f"X-H: {SECRETS['in-fields-file']}")},
            {"match": "localhost", "bearer": "${TOKEN}"},
        ]  # fmt: skip
        downloads = {
            "netrc": self.secret("netrc", machine), "hosts": hosts,
            "cookies": self.secret("cookies", f"# Netscape HTTP Cookie File\n{cookie}"),
            "retry": {"attempts": 1},
        }  # fmt: skip
        url = f"http://u:{SECRETS['in-declared-userinfo']}@127.0.0.1:{self.nginx.port}/refused/d"
        declared = {
            "name": "declared", "url": url, "headers": {"X-D": SECRETS["in-declared-header"]},
            "username": "u", "password": SECRETS["in-declared-password"],
        }  # fmt: skip
        sections = {"downloads": downloads, "jobs": [declared]}
        return self.make_daemon(sections, env={"TOKEN": SECRETS["in-environment"]}).start()

    def run_jobs(self, daemon: DaemonProcess) -> list[str]:
        """Jobs that succeed and jobs that fail in many ways; their ids when they have ended."""
        at, good = f"127.0.0.1:{self.nginx.port}", self.nginx.url("file.bin")
        sums = f"sha-256=http://u:{SECRETS['in-list-userinfo']}@{at}/SUMS"
        mirror = f"http://u:{SECRETS['in-mirror-userinfo']}@localhost:1/file.bin"
        secret_fields = {
            "headers": {"X-S": SECRETS["in-header"], "Cookie": SECRETS["in-cookie-header"]},
            "username": "u", "password": SECRETS["in-password-field"],
        }  # fmt: skip
        bodies = [
            {"url": good, **secret_fields},
            {"urls": [f"http://u:{SECRETS['in-userinfo']}@{at}/file.bin", mirror]},
            {"url": self.nginx.url("refused/x"), **secret_fields},
            {"url": good, "checksum": sums},
            *({"url": self.nginx.url(f"{door}/file.bin")} for door in ("sign", "named", "loop")),
            *({"url": f"http://{name}.invalid/x"} for name in "abc"),
            {"url": f"http://localhost:{self.nginx.port}/refused/x"},
            {"url": f"http://u:{SECRETS['in-userinfo']}@169.254.169.254/x"},
        ]
        ids = [daemon.api.add(**body)["id"] for body in bodies]
        ended = [daemon.api.wait_for(job, "complete", "failed") for job in ids]
        self.assertEqual([job["state"] for job in ended[:2]], ["complete"] * 2)
        login = {"username": "u", "password": SECRETS["in-changed-password"]}
        daemon.api.request("PATCH", f"/api/v1/jobs/{ids[2]}", login)
        daemon.api.act(ids[2], "retry")
        daemon.api.wait_for(ids[2], "failed")
        until(lambda: all(job["state"] in ("complete", "failed") for job in daemon.api.jobs()),
              "all jobs have ended")  # fmt: skip
        return ids

    def answers(self, daemon: DaemonProcess, jobs: list[str]) -> dict[str, str]:
        """What every interface says of these jobs."""
        paths = ["/api/v1/jobs", "/api/v1/status", "/metrics", "/openapi.json"]
        for job in jobs:
            paths += [f"/api/v1/jobs/{job}", f"/api/v1/jobs/{job}/segments"]
        said = {path: daemon.api.request("GET", path).body.decode() for path in paths}
        for method in ("tellStatus", "getUris", "getFiles", "getOption"):
            for job in jobs:
                params = [f"token:{daemon.api.token}", job]
                call = {"jsonrpc": "2.0", "id": 1, "method": f"aria2.{method}", "params": params}
                said[f"{method} {job}"] = daemon.api.request("POST", "/jsonrpc", call).body.decode()
        for body in (
            {"url": SECRETS["in-userinfo"]},
            {"url": f"http://u:{MARK}@/"},
            {"url": "http://h/", "username": f"{MARK}:x", "password": f"{MARK}\n"},
            {"url": "http://h/", "headers": {"A": f"{MARK}\n"}},
        ):
            said[json.dumps(sorted(body))] = daemon.api.request(
                "POST", "/api/v1/jobs", body
            ).body.decode()
        return said

    def test_bad_configuration(self) -> None:
        """Messages about bad values never repeat what may be a secret."""
        daemon = self.make_daemon()
        fields = self.secret("h", f"X-H {MARK}\n")
        netrc = self.secret("netrc", f"machine h login u password {MARK} {MARK}\n")
        daemon.configure(
            {
                "downloads": {
                    "proxy": f"ftp://u:{MARK}@h", "netrc": netrc,
                    "hosts": [
                        {"match": "a", "basic": {"username": f"{MARK}:", "password": f"{MARK}\n"}},
                        {"match": "b", "bearer": f"{MARK}\n", "headers_file": fields},
                        {"match": "c", "proxy": f"http://u:{MARK}@h/x"},
                        {"match": "d", "headers": {"A": f"{MARK}\n"}},
                    ],
                },
                "jobs": [{"name": "x", "url": f"ftp://u:{MARK}@h/", "password": f"{MARK}\n"}],
            }
        )  # fmt: skip
        command = twistd("rangedaemon", "--check", "-c", str(daemon.config_file))
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            env=environment(),
            timeout=PATIENCE,
            check=False,
        )
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 1, said)
        for place in ("downloads.proxy", "downloads.netrc", "hosts.0.basic.username",
                      "hosts.1.bearer", "hosts.1.headers_file", "hosts.2.proxy", "hosts.3.headers",
                      "jobs.0.url", "jobs.0.password"):  # fmt: skip
            self.assertIn(f"{place}: ", said)
        self.assertNotIn(MARK, said)
