"""Another configuration for a daemon that runs: what changes at once, and what goes on."""

from __future__ import annotations

import http.client
import os
import signal
import socket
import ssl
from contextlib import closing
from hashlib import sha256
from typing import Any

from tests.integration.ops_case import OpsCase, child_pids, make_certificate
from tests.integration.ports import accepts, free_port
from tests.integration.rangectl_case import command
from tests.integration.readers import Kept, Reader, get
from tests.integration.waiting import until


class MountsTests(OpsCase):
    """Other mounts, in the daemon's own process."""

    workers = 0

    def serve(self, *mounts: dict[str, object], **more: object) -> None:
        """Write a configuration with these mounts."""
        self.configure(server={"mounts": mounts, "workers": self.workers, **more})

    def start(self) -> None:
        """Start with the usual mount."""
        self.serve(self.mount("/files"))
        self.daemon.start()

    def test_transfer_goes_on(self) -> None:
        """A transfer from a mount that goes is whole; new requests meet the new mounts alone."""
        self.start()
        workers = child_pids(self.daemon)
        reader = self.begin()
        with Kept(self.daemon.file_port) as kept:
            self.assertEqual(kept.get("/files/none")[0], 404)
            self.serve(self.mount("/other", cache_control="no-store"))
            self.assertEqual(self.reloaded(), {"server.mounts"})
            self.assertEqual(kept.get("/files/f.bin")[0], 404)
            self.assertEqual(kept.get("/other/f.bin")[0], 200)
        status, fields, _ = get(self.daemon.file_port, "/other/f.bin")
        self.assertEqual((status, fields["Cache-Control"]), (200, "no-store"))
        self.assert_whole(reader.rest())
        self.assertEqual(child_pids(self.daemon), workers)
        self.assertNotIn("Traceback", self.daemon.log)

    def test_hot_file(self) -> None:
        """A file that was answered from memory a moment ago is gone with its mount."""
        self.start()
        (self.root / "small").write_bytes(b"x")
        with Kept(self.daemon.file_port) as kept:
            for _ in range(3):
                self.assertEqual(kept.get("/files/small"), (200, b"x"))
            self.serve(self.mount("/other"))
            self.reloaded()
            self.assertEqual(kept.get("/files/small")[0], 404)

    def test_limits(self) -> None:
        """Fewer connections: who is there stays, the next one is told to come later."""
        self.start()
        reader = self.begin()
        self.serve(self.mount("/files"), limits={"connections": max(1, self.workers)})
        self.assertEqual(self.reloaded(), {"server.limits.connections"})
        others = [Reader(self.daemon.file_port, "/files/none") for _ in range(8)]
        self.addCleanup(lambda: [other.close() for other in others])
        self.assertIn("503", [other.status for other in others])
        self.assert_whole(reader.rest())

    def test_signal(self) -> None:
        """SIGHUP does the same; many at once are as good as one."""
        self.start()
        self.serve(self.mount("/other"))
        for _ in range(5):
            self.hang_up()
        until(lambda: get(self.daemon.file_port, "/other/none")[0] == 404, "it listens")
        until(lambda: get(self.daemon.file_port, "/other/f.bin")[0] == 200, "reloaded")
        self.assertIn("reloaded; changed: server.mounts", self.daemon.log)
        self.assertTrue(self.daemon.api.healthy())


class WorkerMountsTests(MountsTests):
    """The same with workers."""

    workers = 2

    def test_more_workers(self) -> None:
        """Another number: new ones take over, a transfer of an old one is whole, then it ends."""
        self.start()
        before = child_pids(self.daemon)
        reader = self.begin()
        self.serve(self.mount("/files"))
        text = self.daemon.config_file.read_text().replace("workers: 2", "workers: 3")
        self.daemon.config_file.write_text(text)
        self.assertEqual(self.reloaded(), {"server.workers"})
        for _ in range(6):
            self.assertEqual(get(self.daemon.file_port, "/files/none")[0], 404)
        until(lambda: len(child_pids(self.daemon) & before) == 1, "the idle one has ended")
        self.assert_whole(reader.rest())
        until(lambda: len(child_pids(self.daemon)) == 3, "the old ones have ended")
        self.assertFalse(child_pids(self.daemon) & before)
        self.assertNotIn("is gone", self.daemon.log)

    def test_none_and_back(self) -> None:
        """From workers to the daemon's own process and back, under a transfer."""
        self.start()
        readers = [self.begin()]
        for number in ("workers: 0", "workers: 2"):
            text = self.daemon.config_file.read_text()
            other = "workers: 2" if number == "workers: 0" else "workers: 0"
            self.daemon.config_file.write_text(text.replace(other, number))
            self.assertEqual(self.reloaded(), {"server.workers"})
            readers.append(self.begin())
        for reader in readers:
            self.assert_whole(reader.rest())
        until(lambda: len(child_pids(self.daemon)) == 2, "the first ones have ended")

    def test_replaced_one(self) -> None:
        """A worker that dies after the change is followed by one that knows of it."""
        self.start()
        self.serve(self.mount("/other"))
        self.reloaded()
        for pid in child_pids(self.daemon):
            os.kill(pid, signal.SIGKILL)
        until(lambda: len(child_pids(self.daemon)) == 2, "there are two again")
        self.assertEqual(get(self.daemon.file_port, "/other/f.bin")[0], 200)


class ListenersTests(OpsCase):
    """Other ports."""

    workers = 0

    def at(self, *listen: str) -> None:
        """Write a configuration that serves files there."""
        self.configure(
            server={
                "listen": list(listen),
                "mounts": [self.mount("/files")],
                "workers": self.workers,
            }
        )

    def test_moves(self) -> None:
        """A port more, then the first one less; the transfer on that goes on."""
        other = free_port()
        first, second = (
            f"tcp:{port}:interface=127.0.0.1" for port in (self.daemon.file_port, other)
        )
        self.at(first)
        self.daemon.start()
        reader = self.begin()
        self.at(first, second)
        self.assertEqual(self.reloaded(), {"server.listen"})
        for port in (self.daemon.file_port, other):
            self.assertEqual(get(port, "/files/none")[0], 404)
        self.at(second)
        self.assertEqual(self.reloaded(), {"server.listen"})
        until(lambda: not accepts(self.daemon.file_port), "the first is closed")
        self.assertEqual(get(other, "/files/none")[0], 404)
        self.assert_whole(reader.rest())

    def test_same_number(self) -> None:
        """Another address at the same port: closed for the new one, its connections go on."""
        port = self.daemon.file_port
        self.at(f"tcp:{port}:interface=127.0.0.1")
        self.daemon.start()
        reader = self.begin()
        self.at(f"tcp:{port}:interface=0.0.0.0")
        self.assertEqual(self.reloaded(), {"server.listen"})
        self.assertEqual(get(port, "/files/none")[0], 404)
        self.assert_whole(reader.rest())
        self.assertNotIn("Traceback", self.daemon.log)

    def test_taken(self) -> None:
        """One port that cannot be had: refused whole, even what was closed is there again."""
        port = self.daemon.file_port
        self.at(f"tcp:{port}:interface=127.0.0.1")
        self.daemon.start()
        with socket.create_server(("127.0.0.1", 0)) as thief:
            taken = thief.getsockname()[1]
            self.configure(
                server={
                    "listen": [
                        f"tcp:{port}:interface=0.0.0.0",
                        f"tcp:{taken}:interface=127.0.0.1",
                    ],
                    "mounts": [self.mount("/other")],
                    "workers": self.workers,
                }
            )
            problem = self.refused()
        self.assertIn(f"127.0.0.1:{taken}: Address already in use", problem["detail"])
        for _ in range(6):
            self.assertEqual(get(port, "/files/f.bin")[0], 200)
        self.assertIn("reload refused: ", self.daemon.log)

    def test_section(self) -> None:
        """Files are served where they were not before, and no more."""
        self.daemon.configure({})
        self.daemon.start()
        self.at(f"tcp:{self.daemon.file_port}:interface=127.0.0.1")
        self.assertEqual(self.reloaded(), {"server"})
        reader = self.begin()
        self.daemon.configure({})
        self.assertEqual(self.reloaded(), {"server"})
        self.assert_whole(reader.rest())
        until(lambda: not accepts(self.daemon.file_port), "nobody listens")


class WorkerListenersTests(ListenersTests):
    """The same with workers."""

    workers = 2


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
        wire = http.client.HTTPConnection("127.0.0.1", self.daemon.port, timeout=20)
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
        plain = socket.create_connection(("127.0.0.1", port), timeout=20)
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
