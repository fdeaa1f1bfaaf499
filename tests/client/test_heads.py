"""Heads of answers that do not end."""

from __future__ import annotations

from typing import Any

from twisted.internet.testing import StringTransport
from twisted.trial.unittest import SynchronousTestCase
from twisted.web._newclient import HTTP11ClientProtocol, Request
from twisted.web.http_headers import Headers

from rangedaemon.client.heads import MOST_HEAD, bound_head

FIELD = b"X-Filler: " + b"x" * 1000 + b"\r\n"
MANY = MOST_HEAD // len(FIELD) + 2


class BoundHeadTests(SynchronousTestCase):
    """One connection, one request at a time."""

    def setUp(self) -> None:
        self.transport = StringTransport()
        self.protocol: Any = HTTP11ClientProtocol(lambda _: None)
        self.protocol.makeConnection(self.transport)
        bound_head(self.protocol)
        self.answer = self.protocol.request(
            Request(b"GET", b"/", Headers({b"Host": [b"o"]}), None, persistent=True)
        )

    def receive(self, *blocks: bytes) -> int:
        """How many of *blocks* came before the connection was closed."""
        for number, block in enumerate(blocks):
            if self.transport.disconnecting:
                return number
            self.protocol.dataReceived(block)
        return len(blocks)

    def test_fields_without_end(self) -> None:
        """The connection is closed soon behind the bound."""
        count = self.receive(b"HTTP/1.1 200 OK\r\n", *[FIELD] * (2 * MANY))
        self.assertLessEqual(count, MANY + 1)
        self.assertTrue(self.transport.disconnecting)
        self.assertNoResult(self.answer)

    def test_interim_answers_without_end(self) -> None:
        """So it is where one interim answer follows the other."""
        interim = b"HTTP/1.1 103 Early Hints\r\n" + FIELD + b"\r\n"
        self.assertLessEqual(self.receive(*[interim] * (2 * MANY)), MANY + 1)

    def test_one_line_without_end(self) -> None:
        """So it is where a field goes on over many lines."""
        self.receive(b"HTTP/1.1 200 OK\r\nX-Filler: a\r\n")
        count = self.receive(*[b" " + b"x" * 1000 + b"\r\n"] * (2 * MANY))
        self.assertLessEqual(count, MANY + 1)

    def test_usual_head(self) -> None:
        """Large but usual, in small parts; the body counts for nothing."""
        self.receive(b"HTTP/1.1 200 OK\r\nContent-Length: 3000000\r\n", *[FIELD] * 60, b"\r\n")
        response = self.successResultOf(self.answer)
        self.assertEqual(len(response.headers.getRawHeaders("X-Filler")), 60)
        self.receive(*[b"x" * 100_000] * 30)
        self.assertFalse(self.transport.disconnecting)
