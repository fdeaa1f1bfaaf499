"""Reload of the control side: tokens, certificates, jobs, and what is refused."""

from __future__ import annotations

import http.client
import socket
import ssl
from contextlib import closing
from hashlib import sha256
from typing import Any

from tests.integration.ops_case import OpsCase, make_certificate
from tests.integration.ports import accepts, free_port
from tests.integration.rangectl_case import command
from tests.integration.readers import Reader, get
from tests.integration.waiting import PATIENCE, until


class ControlTests(OpsCase):
    """Other ways into the control API."""

    def steer(self, **control: object) -> None:
        """Write a configuration with this control section."""
        listen = [f"tcp:{self.daemon.port}:interface=127.0.0.1"]
        self.configure(control={"listen": listen, **control})

    def status_with(self, token: str, **fields: str) -> int:
        """How a request with that token is answered."""
        fields = {"Authorization": f"Bearer {token}", **fields}
        return self.daemon.api.request("GET", "/api/v1/status", headers=fields).status

    def test_revoked(self) -> None:
        """A token that is gone is void at once, and so is the stream that it opened."""
        tokens = ["phone-phone-phone", "other-other-other"]
        digests = [f"sha-256={sha256(token.encode()).hexdigest()}" for token in tokens]
        named = [{"name": f"t{n}", "digest": digest} for n, digest in enumerate(digests)]
        self.steer(tokens=named)
        self.daemon.start()
        streams = [self.stream(token) for token in tokens]
        self.steer(tokens=named[1:])
        self.assertEqual(self.reloaded(), {"control.tokens"})
        self.assertEqual([self.status_with(token) for token in tokens], [401, 200])
        self.assertEqual(self.rest_of(streams[0]), b"")
        self.assertTrue(streams[1].readline())

    def stream(self, token: str) -> Any:
        """An open stream of events, from whose beginning something was read."""
        wire = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=PATIENCE)
        self.addCleanup(wire.close)
        wire.request("GET", "/api/v1/events", headers={"Authorization": f"Bearer {token}"})
        answer = wire.getresponse()
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.readline(), b"retry: 2000\n")
        return answer

    def rest_of(self, stream: Any) -> bytes:
        """The last octets of a stream that was cut."""
        try:
            while line := stream.readline():
                continue
        except (OSError, http.client.HTTPException):
            return b""
        return bytes(line)

    def test_token_file(self) -> None:
        """A token file that was written anew holds for whoever comes next."""
        self.daemon.start()
        old = self.daemon.api.token
        self.daemon.api.token_file.write_text("fresh-fresh-fresh-fresh\n")
        reply = self.daemon.api.request(
            "POST", "/api/v1/reload", headers={"Authorization": f"Bearer {old}"}
        )
        self.assertEqual((reply.status, reply.json), (200, {"changed": []}))
        self.assertEqual(
            [self.status_with(old), self.status_with(self.daemon.api.token)], [401, 200]
        )

    def test_bad_token_file(self) -> None:
        """One that holds no token refuses the whole: the mount and the old token stay."""
        self.daemon.start()
        old = self.daemon.api.token
        (self.daemon.directory / "eyes").write_text("short")
        self.steer(tokens=[{"name": "eyes", "token_file": "eyes"}])
        self.assertIn("holds no token", self.refused()["detail"])
        self.assertEqual(self.status_with(old), 200)

    def test_hosts(self) -> None:
        """Another name that requests may use."""
        self.daemon.start()
        token = self.daemon.api.token
        self.assertEqual(self.status_with(token, Host="box.example"), 403)
        self.steer(allowed_hosts=["127.0.0.1", "box.example"])
        self.assertEqual(self.reloaded(), {"control.allowed_hosts"})
        self.assertEqual(self.status_with(token, Host="box.example"), 200)

    def test_port(self) -> None:
        """The API moves to another port; the connection that asked for it gets its answer."""
        self.daemon.start()
        other = free_port()
        self.steer(listen=[f"tcp:{other}:interface=127.0.0.1"])
        stream = self.stream(self.daemon.api.token)
        self.assertEqual(self.reloaded(), {"control.listen"})
        until(lambda: not accepts(self.daemon.port), "the old port is closed")
        self.assertTrue(accepts(other))
        self.assertTrue(stream.readline())

    def test_plain_remote(self) -> None:
        """A port that others could listen in on is refused with its line."""
        self.daemon.start()
        self.steer(listen=[f"tcp:{free_port()}"])
        (error,) = self.refused()["errors"]
        self.assertEqual(error["loc"], "control.listen.0")
        self.assertIn("allow_plain_remote", error["msg"])


class CertificateTests(OpsCase):
    """Another certificate in the same file."""

    workers = 0

    def test_renewed(self) -> None:
        """Whoever comes next sees the new one; what was begun goes on with the old."""
        place = self.make_directory()
        first, second = (make_certificate(place, name) for name in ("first", "second"))
        pem = place / "tls.pem"
        pem.write_text(first.read_text())
        port = self.daemon.file_port
        listen = f"ssl:{port}:interface=127.0.0.1:privateKey={pem}:certKey={pem}"
        self.configure(
            server={"listen": [listen], "mounts": [self.mount("/files")], "workers": self.workers}
        )
        self.daemon.start()
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        reader = Reader(port, "/files/f.bin", context)
        self.addCleanup(reader.close)
        self.assertEqual(self.shown(port), ssl.PEM_cert_to_DER_cert(certificate_in(first)))
        pem.write_text(second.read_text())
        self.assertEqual(self.reloaded(), set())
        for _ in range(4):
            self.assertEqual(self.shown(port), ssl.PEM_cert_to_DER_cert(certificate_in(second)))
        self.assert_whole(reader.rest())
        pem.write_text("nonsense")
        self.refused()
        self.assertEqual(self.shown(port), ssl.PEM_cert_to_DER_cert(certificate_in(second)))

    def shown(self, port: int) -> bytes:
        """The certificate that a new connection is shown."""
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE)
        with closing(context.wrap_socket(plain)) as peer:
            return peer.getpeercert(binary_form=True) or b""


class WorkerCertificateTests(CertificateTests):
    """The same with workers."""

    workers = 2


def certificate_in(pem: Any) -> str:
    """The certificate's part of a file."""
    text = pem.read_text()
    return text[text.index("-----BEGIN CERTIFICATE") :]


class JobsTests(OpsCase):
    """Other limits, and jobs that the file declares."""

    def test_limits_and_jobs(self) -> None:
        """A declared job is added and waits for a slot; a higher limit lets it run."""
        origin = self.make_origin()
        first, second = (origin.url(f"/rate=262144/{name}.bin?size=8388608") for name in "ab")
        self.configure(downloads={"directory": "downloads", "max_active": 1, "segments": 1})
        self.daemon.start()
        running = self.daemon.api.add(first)["id"]
        self.daemon.api.wait_for(running, "active")
        jobs = [{"name": "declared", "url": second}]
        self.configure(
            downloads={"directory": "downloads", "max_active": 1, "segments": 1}, jobs=jobs
        )
        self.assertEqual(self.reloaded(), {"jobs"})
        declared = next(job for job in self.daemon.api.jobs() if job["name"] == "declared")
        self.assertEqual(declared["state"], "queued")
        self.configure(
            downloads={"directory": "downloads", "max_active": 2, "segments": 1}, jobs=jobs
        )
        self.assertEqual(self.reloaded(), {"downloads.max_active"})
        self.daemon.api.wait_for(declared["id"], "active")
        self.assertEqual(self.daemon.api.job(running)["state"], "active")
        self.assertEqual(len(origin.ledger.of("/rate=262144/a.bin")), 1)


class RefusalTests(OpsCase):
    """A file that cannot be used."""

    def test_bad_file(self) -> None:
        """Every problem with its place; the log says the same; nothing changes."""
        self.daemon.start()
        text = self.daemon.config_file.read_text()
        self.daemon.config_file.write_text(
            text.replace("path: /files", "path: files") + "sever: {}\n"
        )
        problem = self.refused()
        self.assertEqual(
            {error["loc"] for error in problem["errors"]}, {"server.mounts.0.path", "sever"}
        )
        self.assertRegex(problem["detail"], r"conf\.yaml:\d+: server\.mounts\.0\.path: ")
        self.hang_up()
        until(lambda: self.daemon.log.count("reload refused") == 2, "refused again")
        self.assertRegex(self.daemon.log, r"reload refused: .*conf\.yaml:\d+: server\.mounts")
        self.assertEqual(get(self.daemon.file_port, "/files/f.bin")[0], 200)
        self.daemon.config_file.write_text(text)
        self.assertEqual(self.reloaded(), set())

    def test_gone(self) -> None:
        """A file that is not there."""
        self.daemon.start()
        self.daemon.config_file.unlink()
        self.assertIn("cannot be read", self.refused()["detail"])
        self.assertTrue(self.daemon.api.healthy())

    def test_fixed(self) -> None:
        """What needs a restart is said so, at its line, and nothing else is changed either."""
        self.daemon.start()
        text = self.daemon.config_file.read_text()
        changed = text.replace("state_dir: state", "state_dir: elsewhere")
        self.daemon.config_file.write_text(changed.replace("path: /files", "path: /other"))
        (error,) = self.refused()["errors"]
        self.assertEqual(error["loc"], "state_dir")
        self.assertIn("restart the daemon", error["msg"])
        self.assertEqual(get(self.daemon.file_port, "/files/f.bin")[0], 200)

    def test_rangectl(self) -> None:
        """`rangectl reload` says what changed, and ends with 7 where it is refused."""
        self.daemon.start()
        self.configure(server={"mounts": [self.mount("/other")]})
        done = command("-c", str(self.daemon.config_file), "reload")
        self.assertEqual((done.code, done.out), (0, "changed: server.mounts\n"), done.err)
        address = ("--url", f"http://127.0.0.1:{self.daemon.port}")
        token = ("--token-file", str(self.daemon.api.token_file))
        self.daemon.config_file.write_text("sever: {}\n")
        refused = command(*address, *token, "reload")
        self.assertEqual((refused.code, refused.out), (7, ""))
        self.assertIn("conf.yaml:1: sever: ", refused.err)
