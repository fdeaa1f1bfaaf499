"""Tests for `rangedaemon.control.channel`: when connections end, and how answers leave."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from tests.control.wire import Wire, request

PATIENCE = 60
HEALTH = request("GET", "/healthz")


class IdleTests(SynchronousTestCase):
    """A connection of which nothing is heard is closed, and no other."""

    def setUp(self) -> None:
        """A connection."""
        self.wire = Wire()
        self.connection = self.wire.connect()

    def wait(self, seconds: float) -> bool:
        """Whether the connection is closed after so many more seconds."""
        self.wire.clock.advance(seconds)
        return bool(self.connection.transport.disconnecting)

    def test_silent(self) -> None:
        """Who never asks has a minute."""
        self.assertFalse(self.wait(PATIENCE - 1))
        self.assertTrue(self.wait(1))

    def test_asks_again(self) -> None:
        """Each request begins the minute anew."""
        for _ in range(3):
            self.assertFalse(self.wait(PATIENCE - 1))
            self.connection.send(HEALTH)
            self.assertEqual(self.connection.reply().status, 200)
        self.assertFalse(self.wait(PATIENCE - 1))
        self.assertTrue(self.wait(1))

    def test_half_a_head(self) -> None:
        """A head that stays away in the middle is waited for as long."""
        self.wait(PATIENCE - 1)
        self.connection.send(HEALTH[:20])
        self.assertFalse(self.wait(PATIENCE - 1))
        self.assertTrue(self.wait(1))

    def test_answer_that_takes_long(self) -> None:
        """Who waits for us may be silent for as long as that takes."""
        self.connection.send(request("GET", "/api/v1/events"))
        for _ in range(5):
            self.assertFalse(self.wait(PATIENCE))

    def test_gone(self) -> None:
        """What was left behind by a connection that ended is no timer."""
        self.connection.send(HEALTH)
        self.assertEqual(len(self.wire.clock.getDelayedCalls()), 1)
        self.connection.hang_up()
        self.assertEqual(self.wire.clock.getDelayedCalls(), [])


class WholeAnswerTests(SynchronousTestCase):
    """An answer leaves as one."""

    def test_one_write(self) -> None:
        """Head and body are one write, for each of two requests that came together."""
        connection, written = Wire().connect(), []
        self.patch(connection.transport, "write", written.append)
        connection.send(HEALTH + request("GET", "/api/v1/status"))
        self.assertEqual([octets[:12] for octets in written], [b"HTTP/1.1 200"] * 2)
        self.assertTrue(all(b"\r\n\r\n{" in octets for octets in written))

    def test_without_a_body(self) -> None:
        """An answer to HEAD is its head."""
        connection, written = Wire().connect(), []
        self.patch(connection.transport, "write", written.append)
        connection.send(request("HEAD", "/healthz"))
        self.assertTrue(b"".join(written).endswith(b"\r\n\r\n"))
