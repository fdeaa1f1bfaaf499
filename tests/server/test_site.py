"""Connections: their limits, their time, and what the log says of them."""

from __future__ import annotations

import json
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, maybeDeferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.server.accesslog import AccessLog, AccessRecord, format_combined, format_json
from rangedaemon.server.channel import affordable_connections
from rangedaemon.server.mounts import Mount
from rangedaemon.server.site import Limits, build_site
from rangedaemon.storage.threads import inline
from tests.server.wire import WireTestCase, parse_replies

GET = b"GET /files/f HTTP/1.1\r\nHost: h\r\n\r\n"


class LimitedTestCase(WireTestCase):
    """A site with limits."""

    limits = Limits(idle_timeout=20, head_timeout=5, connections=3, connections_per_address=2)

    def setUp(self) -> None:
        super().setUp()
        self.site = build_site(
            [Mount("/files", self.root)],
            clock=self.clock,
            in_thread=inline,
            now=self.clock.seconds,
            limits=self.limits,
        )
        self.put("f", b"content")

    def come(self, host: str = "192.0.2.1") -> tuple[Any, StringTransport]:
        """A new connection from *host*."""
        protocol: Any = self.site.buildProtocol(IPv4Address("TCP", host, 1))
        transport = StringTransport()
        protocol.makeConnection(transport)
        return protocol, transport


class LimitTests(LimitedTestCase):
    """How many connections there may be."""

    def refused(self, transport: StringTransport) -> bool:
        if not transport.value():
            return False
        (reply,) = parse_replies(transport.value(), ["GET"])
        self.assertEqual((reply.status, reply.fields["Retry-After"]), (503, "5"))
        return transport.disconnecting

    def test_of_one_address(self) -> None:
        """The third of one address is told 503 and closed; another address is not affected."""
        self.assertFalse(self.refused(self.come()[1]))
        second, transport = self.come()
        self.assertFalse(self.refused(transport))
        self.assertTrue(self.refused(self.come()[1]))
        self.assertFalse(self.refused(self.come("192.0.2.2")[1]))
        second.connectionLost(Failure(ConnectionDone()))
        self.assertFalse(self.refused(self.come()[1]))

    def test_of_all(self) -> None:
        """The fourth in all is refused, whoever it is."""
        for host in ["192.0.2.1", "192.0.2.2", "192.0.2.3"]:
            self.assertFalse(self.refused(self.come(host)[1]))
        self.assertTrue(self.refused(self.come("192.0.2.4")[1]))
        self.assertEqual(self.site.crowd.total, 3)

    def test_what_is_affordable(self) -> None:
        """Two descriptors for each connection, some for the rest, and a few in any case."""
        self.assertEqual(affordable_connections(1024), 448)
        self.assertEqual(affordable_connections(64), 16)

    def test_crowd_forgets(self) -> None:
        """An address of which nobody is left takes no memory."""
        protocol, _ = self.come()
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual((self.site.crowd.total, len(self.site.crowd._by_address)), (0, 0))


class DrainTests(LimitedTestCase):
    """How a site comes to its end."""

    def test_idle_and_half(self) -> None:
        """Silent connections and half requests are closed at once; nobody new is let in."""
        silent, half = self.come(), self.come("192.0.2.2")
        half[0].dataReceived(GET[:20])
        drained = self.site.crowd.drain()
        for protocol, transport in [silent, half]:
            self.assertTrue(transport.disconnecting)
            self.assertNoResult(drained)
            protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(drained)
        (reply,) = parse_replies(self.come()[1].value(), ["GET"])
        self.assertEqual(reply.status, 503)

    def test_begun(self) -> None:
        """An answer that was begun is finished, then its connection is closed."""
        self.at(self.root / "f", 0.01)
        protocol, transport = self.come()
        protocol.dataReceived(GET)
        drained = self.site.crowd.drain()
        self.assertFalse(transport.disconnecting)
        self.clock.advance(1)
        (reply,) = parse_replies(transport.value(), ["GET"])
        self.assertEqual(reply.body, b"content")
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.successResultOf(drained)

    def test_nobody(self) -> None:
        """Where nobody is connected it is over at once."""
        self.successResultOf(self.site.crowd.drain())

    def test_impatient(self) -> None:
        """Whoever does not come to an end can be cut off."""
        self.at(self.root / "f", 0.01)
        protocol, transport = self.come()
        aborted: list[bool] = []
        transport.abortConnection = lambda: aborted.append(True)  # type: ignore[method-assign]
        protocol.dataReceived(GET)
        drained = Deferred.fromCoroutine(self.site.drain(0.05))
        self.clock.advance(0.04)
        self.assertEqual(aborted, [])
        self.clock.advance(0.01)
        self.assertEqual(aborted, [True])
        self.successResultOf(drained)
        protocol.connectionLost(Failure(ConnectionLost()))
        self.clock.advance(1)
        self.assertEqual(self.site.crowd.total, 0)


class HeadTests(LimitedTestCase):
    """Heads that are too long, or no HTTP."""

    def answer(self, *pieces: bytes) -> int:
        """The status of the one answer to a peer that is closed after it."""
        protocol, transport = self.come()
        for piece in pieces:
            protocol.dataReceived(piece)
        (reply,) = parse_replies(transport.value(), ["GET"])
        self.assertTrue(transport.disconnecting)
        protocol.connectionLost(Failure(ConnectionDone()))
        self.assertEqual(self.clock.getDelayedCalls(), [])
        return reply.status

    def test_ten_thousand_ranges(self) -> None:
        """A field of ten thousand ranges is read, and answered with the file."""
        ranges = ",".join(f"{n}-{n}" for n in range(10_000))
        reply = self.ask("/files/f", range=f"bytes={ranges}")
        self.assertEqual((reply.status, reply.body), (200, b"content"))

    def test_too_long(self) -> None:
        """One long line, many short ones, a line without an end: 431."""
        begin = GET[:-2]
        for rest in [
            b"X: " + b"x" * 200_000 + b"\r\n\r\n",
            b"".join(b"X-%d: %b\r\n" % (n, b"x" * 1000) for n in range(200)) + b"\r\n",
            b"X: " + b"x" * 200_000,
        ]:
            self.assertEqual(self.answer(begin, rest, b"more"), 431)

    def test_no_http(self) -> None:
        """What is no HTTP/1 is 400, once."""
        for octets in [
            b"hello\r\n",
            b"GET /files/f\r\n",
            b"\x16\x03\x01\r\n",
            GET[:-2] + b"a b: c\r\n\r\n",
            GET[:-2] + b"Content-Length: -1\r\n\r\n",
        ]:
            with self.subTest(octets=octets):
                self.assertEqual(self.answer(octets, octets), 400)


class TimeoutTests(LimitedTestCase):
    """How long a connection may take."""

    def test_idle(self) -> None:
        """A silent connection is closed, before its first request and after one."""
        for said in [b"", GET]:
            protocol, transport = self.come()
            protocol.dataReceived(said)
            self.clock.advance(19)
            self.assertFalse(transport.disconnecting)
            self.clock.advance(1)
            self.assertTrue(transport.disconnecting)
            protocol.connectionLost(Failure(ConnectionDone()))

    def test_dripping_head(self) -> None:
        """A head that drips has a fixed time, whatever comes in between."""
        protocol, transport = self.come()
        for octet in GET[:4]:
            protocol.dataReceived(bytes([octet]))
            self.clock.advance(1)
            self.assertFalse(transport.disconnecting)
        protocol.dataReceived(GET[4:20])
        self.clock.advance(1)
        self.assertTrue(transport.disconnecting)

    def test_slow_but_whole(self) -> None:
        """A head that is whole in time is answered, and its clock is stopped."""
        protocol, transport = self.come()
        protocol.dataReceived(GET[:10])
        self.clock.advance(4)
        protocol.dataReceived(GET[10:])
        (reply,) = parse_replies(transport.value(), ["GET"])
        self.assertEqual(reply.body, b"content")
        self.clock.advance(10)
        self.assertFalse(transport.disconnecting)

    def test_second_head(self) -> None:
        """The next request's head has a time of its own, pipelined or not."""
        protocol, transport = self.come()
        protocol.dataReceived(GET + GET[:10])
        protocol.dataReceived(GET[10:12])
        self.clock.advance(5)
        self.assertTrue(transport.disconnecting)

    def test_nothing_left_behind(self) -> None:
        """A connection that goes takes its timers along."""
        protocol, _ = self.come()
        protocol.dataReceived(GET[:10])
        protocol.connectionLost(Failure(ConnectionLost()))
        self.assertEqual(self.clock.getDelayedCalls(), [])


RECORD = AccessRecord(
    1_700_000_000.25, "192.0.2.1", "GET", "/a", "HTTP/1.1", 206, 10, 0.5, True, "bytes=0-9",
    None, 'x"\\\n\xe9',
)  # fmt: skip


class FormatTests(SynchronousTestCase):
    """The two formats."""

    def test_combined(self) -> None:
        """As Apache writes it; nothing in a field ends the field or the line."""
        self.assertEqual(
            format_combined(RECORD),
            '192.0.2.1 - - [14/Nov/2023:22:13:20 +0000] "GET /a HTTP/1.1" 206 10 "-" '
            '"x\\"\\\\\\x0a\\xe9"',
        )

    def test_json(self) -> None:
        """Everything, on one line."""
        line = format_json(RECORD)
        self.assertNotIn("\n", line)
        told = json.loads(line)
        self.assertEqual(told["time"], "2023-11-14T22:13:20.250Z")
        self.assertEqual((told["range"], told["agent"]), ("bytes=0-9", 'x"\\\n\xe9'))


class AccessLogTests(WireTestCase):
    """One line for each answer."""

    def setUp(self) -> None:
        super().setUp()
        self.path = self.root.parent / "access.log"
        self.jobs: list[tuple[Deferred[Any], Any, tuple[object, ...]]] = []
        self.access_log = AccessLog(self.path, "json", self.later)
        self.site = build_site(
            [Mount("/files", self.root)],
            clock=self.clock,
            in_thread=inline,
            now=self.clock.seconds,
            access_log=self.access_log,
        )
        self.put("f", b"content")

    def later(self, function: Any, /, *args: object) -> Deferred[Any]:
        done: Deferred[Any] = Deferred()
        self.jobs.append((done, function, args))
        return done

    def work(self) -> None:
        """Let the thread write."""
        done, function, args = self.jobs.pop(0)
        maybeDeferred(function, *args).chainDeferred(done)

    def lines(self) -> list[dict[str, Any]]:
        while self.jobs:
            self.work()
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def test_lines(self) -> None:
        """Status, octets and path of each answer, without its query."""
        self.ask("/files/f?token=secret", range="bytes=0-2", user_agent="me")
        self.ask("/files/none", "HEAD")
        part, missing = self.lines()
        self.assertEqual(
            {name: part[name] for name in ["peer", "method", "path", "status", "sent", "range"]},
            {"peer": "192.0.2.1", "method": "GET", "path": "/files/f", "status": 206, "sent": 3,
             "range": "bytes=0-2"},
        )  # fmt: skip
        self.assertEqual((part["agent"], part["complete"]), ("me", True))
        self.assertEqual((missing["status"], missing["sent"]), (404, 0))

    def test_batches(self) -> None:
        """What comes while the thread writes goes out in one batch after it."""
        for _ in range(5):
            self.ask("/files/f")
        self.assertEqual(len(self.jobs), 1)
        waiting = self.access_log.written()
        self.work()
        self.assertNoResult(waiting)
        self.assertEqual(len(self.jobs), 1)
        self.work()
        self.successResultOf(waiting)
        self.assertEqual(len(self.lines()), 5)

    def test_left_early(self) -> None:
        """An answer that its peer did not wait for is logged as not complete."""
        self.put("big", b"x" * 1_000_000)
        self.site = build_site(
            [Mount("/files", self.root)],
            clock=self.clock,
            in_thread=self.later,
            now=self.clock.seconds,
            access_log=self.access_log,
        )
        protocol, transport = self.connect()
        protocol.dataReceived(GET.replace(b"/f ", b"/big "))
        while len(transport.value()) < 5000:
            self.work()
        protocol.connectionLost(Failure(ConnectionLost()))
        (line,) = self.lines()
        self.assertEqual((line["status"], line["complete"]), (200, False))
        self.assertIn(line["sent"], range(4000, 1_000_000))

    def test_rotated(self) -> None:
        """A file that was moved away is made anew."""
        self.ask("/files/f")
        self.lines()
        self.path.rename(self.path.with_suffix(".1"))
        self.ask("/files/f")
        self.assertEqual(len(self.lines()), 1)

    def test_unwritable(self) -> None:
        """A log that cannot be written is told to the operator; answers go on."""
        self.access_log._path = self.root / "none" / "log"
        self.assertEqual(self.ask("/files/f").status, 200)
        self.work()
        self.assertEqual(self.ask("/files/f").status, 200)
        self.assertEqual(len(self.jobs), 1)
