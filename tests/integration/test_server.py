"""The daemon's mounts on real sockets, by the clients that people use."""

from __future__ import annotations

import http.client
import os
import shutil
import socket
import subprocess
from pathlib import Path

from twisted.trial.unittest import SkipTest

from tests.hostile import content, write_content
from tests.integration.case import IntegrationCase
from tests.integration.waiting import PATIENCE

SIZE = 3_000_000
SEED = 11


class ServingCase(IntegrationCase):
    """A daemon that serves one folder at ``/files``."""

    mount: dict[str, object] = {}

    def setUp(self) -> None:
        """Start it; the folder holds ``f.bin``."""
        self.root = self.make_directory()
        self.path = self.root / "f.bin"
        write_content(self.path, SEED, SIZE)
        mount = {"path": "/files", "root": str(self.root), **self.mount}
        self.daemon = self.make_daemon({"server": {"mounts": [mount]}}).start()
        self.url = f"http://127.0.0.1:{self.daemon.file_port}/files/f.bin"

    def connect(self) -> http.client.HTTPConnection:
        """A connection to the files."""
        connection = http.client.HTTPConnection(
            "127.0.0.1", self.daemon.file_port, timeout=PATIENCE
        )
        self.addCleanup(connection.close)
        return connection

    def ask(
        self,
        connection: http.client.HTTPConnection,
        method: str = "GET",
        path: str = "/files/f.bin",
        **fields: str,
    ) -> tuple[http.client.HTTPResponse, bytes]:
        """One request and its whole answer."""
        named = {name.replace("_", "-"): value for name, value in fields.items()}
        connection.request(method, path, headers=named)
        response = connection.getresponse()
        return response, response.read()


class SocketTests(ServingCase):
    """What the peer sees of one connection."""

    def test_keep_alive(self) -> None:
        """Whole, part, several parts, not modified, refused: all on one connection."""
        connection = self.connect()
        whole, body = self.ask(connection)
        sock = connection.sock
        self.assertEqual((whole.status, body), (200, content(SEED, 0, SIZE)))
        tag = whole.headers["ETag"]
        self.assertTrue(tag.startswith('"'))
        part, body = self.ask(connection, Range="bytes=-10", If_Range=tag)
        self.assertEqual((part.status, body), (206, content(SEED, SIZE - 10, 10)))
        parts, body = self.ask(connection, Range="bytes=0-999999,2000000-2999999")
        self.assertEqual((parts.status, len(body)), (206, int(parts.headers["Content-Length"])))
        self.assertIn(content(SEED, 2_000_000, 1_000_000), body)
        for fields, status in [
            ({"If_None_Match": tag}, 304),
            ({"Range": "bytes=9000000-"}, 416),
            ({"If_Match": '"x"'}, 412),
        ]:
            self.assertEqual(self.ask(connection, **fields)[0].status, status)
        self.assertEqual(self.ask(connection, "HEAD")[0].headers["Content-Length"], str(SIZE))
        self.assertEqual(self.ask(connection, "PUT")[0].status, 405)
        self.assertIs(connection.sock, sock)

    def test_just_written(self) -> None:
        """A file of this very moment already has a strong tag, and can be resumed."""
        (self.root / "new").write_bytes(b"new")
        connection = self.connect()
        tag = self.ask(connection, path="/files/new")[0].headers["ETag"]
        self.assertTrue(tag.startswith('"'), tag)
        reply, body = self.ask(connection, path="/files/new", Range="bytes=1-", If_Range=tag)
        self.assertEqual((reply.status, body), (206, b"ew"))

    def test_rewritten_again_and_again(self) -> None:
        """Rewritten in place at once after each answer: no tag stands for two contents."""
        path = self.root / "new"
        connection = self.connect()
        seen: dict[str, bytes] = {}
        for number in range(20):
            path.write_bytes(b"%02d" % number)
            reply, body = self.ask(connection, path="/files/new")
            tag = reply.headers["ETag"]
            self.assertEqual(seen.setdefault(tag, body), body)
            path.write_bytes(b"x%d" % (number % 10))
            reply, body = self.ask(connection, path="/files/new", If_None_Match=tag)
            self.assertEqual((reply.status, body), (200, b"x%d" % (number % 10)))

    def test_truncated_while_sent(self) -> None:
        """The connection ends short: no padding, no hanging."""
        with self.path.open("r+b") as stream:
            stream.truncate(200 << 20)
        with socket.create_connection(
            ("127.0.0.1", self.daemon.file_port), timeout=PATIENCE
        ) as peer:
            peer.sendall(b"GET /files/f.bin HTTP/1.1\r\nHost: h\r\n\r\n")
            got = len(peer.recv(1 << 16))
            os.truncate(self.path, 1 << 20)
            try:
                while block := peer.recv(1 << 20):
                    got += len(block)
            except ConnectionResetError:
                pass
        self.assertLess(got, 200 << 20)
        self.assertEqual(self.ask(self.connect())[0].status, 200)

    def test_fifo_holds_nothing_up(self) -> None:
        """A FIFO in the folder is 404 at once, for as many as ask."""
        os.mkfifo(self.root / "fifo")
        for _ in range(30):
            self.assertEqual(self.ask(self.connect(), path="/files/fifo")[0].status, 404)
        self.assertEqual(self.ask(self.connect(), "HEAD")[0].status, 200)

    def test_half_requests(self) -> None:
        """Peers that stop in the middle of a request or an answer leave the others alone."""
        peers = []
        for octets in [
            b"",
            b"GET /files/f.bin HT",
            b"GET /files/f.bin HTTP/1.1\r\nHost: h\r\n\r\n",
        ]:
            peer = socket.create_connection(("127.0.0.1", self.daemon.file_port), timeout=PATIENCE)
            self.addCleanup(peer.close)
            peer.sendall(octets)
            peers.append(peer)
        reply, body = self.ask(self.connect())
        self.assertEqual((reply.status, len(body)), (200, SIZE))


class ClientTests(ServingCase):
    """Resuming and segmented clients get the right octets."""

    def setUp(self) -> None:
        super().setUp()
        self.goal = self.make_directory() / "got.bin"

    def run_client(self, *command: str | Path) -> str:
        """Run a client, which gets the right file; what it says. Skip where it is not installed."""
        if shutil.which(str(command[0])) is None:
            raise SkipTest(f"{command[0]} is not installed")
        done = subprocess.run(
            [str(word) for word in command],
            cwd=self.goal.parent,
            capture_output=True,
            timeout=PATIENCE,
            check=False,
        )
        said = (done.stdout + done.stderr).decode(errors="replace")
        self.assertEqual(done.returncode, 0, said)
        self.assert_file(self.goal, SEED, SIZE)
        return said

    def begin(self) -> None:
        """Half of the file is there."""
        self.goal.write_bytes(content(SEED, 0, SIZE // 2))

    def test_curl(self) -> None:
        """``curl -C -`` goes on where it was."""
        self.begin()
        told = "%{http_code} %{size_download}"
        said = self.run_client("curl", "-sSf", "-C", "-", "-w", told, "-o", self.goal, self.url)
        self.assertEqual(said, f"206 {SIZE - SIZE // 2}")

    def test_curl_parts(self) -> None:
        """``curl -r`` joined by hand."""
        for part in ["0-999999", "1000000-"]:
            done = subprocess.run(
                ["curl", "-sSf", "-r", part, self.url],
                capture_output=True,
                timeout=PATIENCE,
                check=True,
            )
            with self.goal.open("ab") as stream:
                stream.write(done.stdout)
        self.assert_file(self.goal, SEED, SIZE)

    def test_wget(self) -> None:
        """``wget -c`` goes on where it was."""
        self.begin()
        said = self.run_client("wget", "-S", "-c", "-O", self.goal, self.url)
        self.assertIn("206 Partial Content", said)
        self.assertIn(f"bytes {SIZE // 2}-{SIZE - 1}/{SIZE}", said)

    def test_aria2(self) -> None:
        """``aria2c -x16`` in sixteen pieces at once."""
        self.run_client(
            "aria2c",
            "-q",
            "-x16",
            "-s16",
            "-k",
            "1M",
            "--file-allocation=none",
            "-d",
            self.goal.parent,
            "-o",
            self.goal.name,
            self.url,
        )

    def test_axel(self) -> None:
        """``axel`` in eight pieces at once."""
        self.run_client("axel", "-q", "-n", "8", "-o", self.goal, self.url)

    def test_aria2_metalink(self) -> None:
        """``aria2c`` takes our metalink, pulls in pieces and checks their hashes."""
        if shutil.which("aria2c") is None:
            raise SkipTest("aria2c is not installed")
        done = subprocess.run(
            ["aria2c", "-x16", "-s16", "-k", "1M", "--follow-metalink=mem",
             "--console-log-level=info",
             "-d", str(self.goal.parent), f"{self.url}.meta4"],
            capture_output=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        self.assertIn(b"Good chunk checksum", done.stdout + done.stderr)
        self.assert_file(self.goal.with_name("f.bin"), SEED, SIZE)

    def test_wget2(self) -> None:
        """``wget2`` follows the Link to the metalink by itself, and ends with the right file."""
        if shutil.which("wget2") is None:
            raise SkipTest("wget2 is not installed")
        subprocess.run(
            ["wget2", "-q", self.url], cwd=self.goal.parent, timeout=PATIENCE, check=True,
            capture_output=True,
        )  # fmt: skip
        self.assert_file(self.goal.with_name("f.bin"), SEED, SIZE)
