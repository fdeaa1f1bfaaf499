"""``rangectl`` and servers that are no rangedaemon, or one that misbehaves: never a traceback."""

from __future__ import annotations

import shutil
import socket
import tempfile
import threading
from pathlib import Path

from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.control.cli import client as client_module
from rangedaemon.control.cli.client import ApiClient, StreamEnded
from rangedaemon.control.cli.discovery import Target, parse_url
from rangedaemon.control.cli.exits import CommandFault, Exit
from tests.integration.rangectl_case import command

QUICK = 2.0
"""Seconds; more than a thread of a busy machine keeps others waiting."""


def answer(body: bytes, status: str = "200 OK", *fields: str) -> bytes:
    """The octets of an answer."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *fields]
    return "\r\n".join([*lines, "", ""]).encode() + body


class Stranger:
    """Says the same to everybody, whatever they ask; with *hold* it keeps silent after that."""

    def __init__(self, said: bytes, *, hold: bool = False) -> None:
        self._said, self._hold = said, hold
        self._ended = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.asked: list[bytes] = []
        self.url = f"http://127.0.0.1:{self._listening.getsockname()[1]}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            wire, _ = self._listening.accept()
            with wire:
                if self._ended.is_set():
                    return
                self.asked.append(wire.recv(1 << 16))
                wire.sendall(self._said)
                if self._hold:
                    self._ended.wait(20)

    def close(self) -> None:
        """Listen no more."""
        self._ended.set()
        socket.create_connection(self._listening.getsockname()).close()
        self._thread.join(10)
        self._listening.close()


class StrangerTests(SynchronousTestCase):
    """Answers that no rangedaemon gives."""

    def stranger(self, said: bytes, *, hold: bool = False) -> Stranger:
        """A server that says that."""
        stranger = Stranger(said, hold=hold)
        self.addCleanup(stranger.close)
        return stranger

    def client(self, said: bytes, *, hold: bool = False) -> ApiClient:
        """A client of such a server that does not wait long."""
        url = parse_url(self.stranger(said, hold=hold).url)
        client = ApiClient(Target(url, None, "--url"), timeout=QUICK)
        self.addCleanup(client.close)
        return client

    def test_other_servers(self) -> None:
        """Each ends with its code and one line that doubts the address."""
        table = [
            (answer(b"<html>hello</html>"), 8, "not one of rangedaemon"),
            (answer(b"[1, 2]"), 8, "not one of rangedaemon"),
            (answer(b'{"jobs": [{"id": 3}], "next": null}'), 8, "not one of rangedaemon"),
            (answer(b"<h1>404</h1>", "404 Not Found"), 8, "is this the URL"),
            (answer(b"", "302 Found", "Location: /login"), 8, "is this the URL"),
            (answer(b"no", "401 Unauthorized"), 4, "--token-file"),
            (b"SSH-2.0-OpenSSH_9.6\r\n", 3, "no daemon answers"),
            (b"", 3, "no daemon answers"),
            (answer(b"x" * 100)[:-50], 3, "no daemon answers"),
        ]
        for said, code, words in table:
            with self.subTest(repr(said[:40])):
                ended = command("--url", self.stranger(said).url, "list")
                self.assertEqual((ended.code, ended.out), (code, ""))
                self.assertIn(words, ended.err)
                self.assertEqual(ended.err.count("\n"), 1)

    def test_hanging(self) -> None:
        """A daemon that takes the connection and says nothing is given up."""
        fault = self.assertRaises(CommandFault, self.client(b"", hold=True).status)
        self.assertEqual(fault.exit_code, Exit.UNREACHABLE)
        self.assertIn("timed out", str(fault))

    def test_answer_without_end(self) -> None:
        """An answer beyond the bound is refused instead of kept."""
        self.patch(client_module, "LARGEST_ANSWER", 1000)
        fault = self.assertRaises(CommandFault, self.client(answer(b"x" * 1001)).status)
        self.assertEqual(fault.exit_code, Exit.SERVER)

    def test_content_cut_short(self) -> None:
        """A file that ends early is a fault, not a short file."""
        client = self.client(answer(b"x" * 100)[:-1])
        fault = self.assertRaises(CommandFault, lambda: list(client.content("0" * 16)))
        self.assertIn("99 of 100", str(fault))

    def test_silent_events(self) -> None:
        """A stream without heartbeats ends after a while."""
        self.patch(client_module, "SILENCE_TIMEOUT", QUICK)
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        client = self.client(head + b"event: job\ndata: {}\n\n", hold=True)
        with client.events() as stream:
            events = iter(stream)
            self.assertEqual(next(events).text, "{}")
            self.assertRaises(StreamEnded, next, events)

    def test_event_that_is_no_job(self) -> None:
        """Events that hold something else are told as a foreign answer."""
        head = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n"
        client = self.client(head + b"event: job\ndata: {nonsense\n\ndata: {}\n\n")
        with client.events() as stream:
            for event in list(_until_end(stream)):
                fault = self.assertRaises(CommandFault, client.job_of, event)
                self.assertEqual(fault.exit_code, Exit.SERVER)

    def test_token_stays_at_home(self) -> None:
        """A redirect is not followed, so the token goes nowhere else."""
        other = self.stranger(answer(b"{}"))
        moved = self.stranger(answer(b"", "307 Moved", f"Location: {other.url}/api/v1/status"))
        folder = Path(tempfile.mkdtemp(prefix="rangectl-test-"))
        self.addCleanup(shutil.rmtree, folder)
        (folder / "token").write_text("s3cret")
        ended = command("--url", moved.url, "--token-file", str(folder / "token"), "status")
        self.assertEqual(ended.code, 8)
        self.assertIn(b"Bearer s3cret", moved.asked[0])
        self.assertEqual(other.asked, [])


def _until_end(stream: client_module.EventStream) -> list[client_module.Event]:
    """The events of a stream that breaks off."""
    found = []
    try:
        for event in stream:
            found.append(event)
    except StreamEnded:
        return found
    return found
