"""Tests for `rangedaemon.server.body` and its pace: decisions, without a socket."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase
from twisted.web.http import HTTPChannel, Request
from twisted.web.resource import Resource
from twisted.web.server import Site

from rangedaemon.server import watch
from rangedaemon.server.body import SMALL, BodyCut, FileSlice, Part, send_body, split_closing
from rangedaemon.server.pacing import Pace
from rangedaemon.storage.threads import inline

slices = st.builds(
    lambda start, length: FileSlice(0, start, start + length),
    st.integers(0, 100),
    st.integers(0, 50),
)
parts_of_bodies = st.lists(slices | st.binary(max_size=5), max_size=6)


def octets_of(parts: Sequence[Part]) -> list[object]:
    """A body as a list of its octets: of a file by offset, others by value."""
    return [
        octet
        for part in parts
        for octet in (
            range(part.start, part.stop)
            if isinstance(part, FileSlice)
            else [bytes([value]) for value in part]
        )
    ]


class SplitClosingTests(SynchronousTestCase):
    """What of a body is held back until the file was found unchanged."""

    @given(parts_of_bodies, st.integers(1, 60))
    def test_nothing_lost(self, parts: list[Part], room: int) -> None:
        """Opening and closing are the body, in order."""
        opening, closing = split_closing(parts, room)
        self.assertEqual(octets_of(opening) + octets_of(closing), octets_of(parts))

    @given(parts_of_bodies, st.integers(1, 60))
    def test_bounded(self, parts: list[Part], room: int) -> None:
        """The closing holds the last file octets: as many as there is room for, or all."""
        opening, closing = split_closing(parts, room)
        held, left = (
            sum(len(part) for part in some if isinstance(part, FileSlice))
            for some in (closing, opening)
        )
        self.assertEqual(held, min(room, held + left))

    def test_table(self) -> None:
        """A slice is cut where the room ends; what follows it stays behind it."""
        whole = FileSlice(3, 0, 100)
        self.assertEqual(
            split_closing([b"a", whole, b"z"], 10),
            ([b"a", FileSlice(3, 0, 90)], [FileSlice(3, 90, 100), b"z"]),
        )
        self.assertEqual(split_closing([b"a", whole], 100), ([b"a"], [whole]))
        self.assertEqual(split_closing([b"a", whole], 101), ([], [b"a", whole]))
        self.assertEqual(split_closing([]), ([], []))


class PaceTests(SynchronousTestCase):
    """A rate that is kept over any pattern of sending."""

    @given(
        st.integers(1, 10**9),
        st.lists(st.tuples(st.floats(0, 10), st.integers(1, 10**6)), min_size=1),
    )
    def test_never_faster(self, rate: int, sends: list[tuple[float, int]]) -> None:
        """All octets but the last ones sent took at least their time."""
        pace, now, total = Pace(rate), 0.0, 0
        for idle, octets in sends:
            now += idle
            now += pace.delay(now)
            self.assertGreaterEqual(now * (1 + 1e-9) + 1e-6, total / rate)
            pace.spend(octets, now)
            total += octets

    def test_idle_is_not_saved(self) -> None:
        """Having been idle buys no burst later."""
        pace = Pace(1000)
        pace.spend(1000, 100.0)
        self.assertEqual(pace.delay(100.25), 0.75)
        self.assertEqual(pace.delay(102.0), 0.0)

    def test_no_rate(self) -> None:
        """A rate of nothing is a mistake, not a stop."""
        self.assertRaises(ValueError, Pace, 0)


class SendingTests(SynchronousTestCase):
    """Bodies over a transport in memory, under a clock that is moved by hand."""

    def setUp(self) -> None:
        """A request whose head has come."""
        self.clock = Clock()
        path = Path(self.mktemp())
        self.octets = os.urandom(300_000)
        path.write_bytes(self.octets)
        self.fd = os.open(path, os.O_RDONLY)
        self.addCleanup(os.close, self.fd)
        self.same = True
        self.asked = 0
        self.patch(watch, "_PAUSES", ())

    def still_same(self) -> bool:
        """Whether the file moved is said by the test."""
        self.asked += 1
        return self.same

    def request(self, method: bytes = b"GET") -> Request:
        """A request on a new connection."""
        self.transport = StringTransport()
        self.aborted = False
        self.transport.abortConnection = self.abort  # type: ignore[method-assign]
        self.channel = HTTPChannel()
        self.channel.requestFactory = WaitingRequest
        self.channel.site = Site(Resource())
        self.channel.callLater = self.clock.callLater
        self.channel.makeConnection(self.transport)
        self.channel.dataReceived(method + b" / HTTP/1.1\r\nHost: h\r\n\r\n")
        request: Request = self.channel.requests[0]
        request.responseHeaders.setRawHeaders(b"Content-Length", [b"0"])
        return request

    def abort(self) -> None:
        """The connection is cut."""
        self.aborted = True

    def send(self, request: Request, *parts: Part, **options: Any) -> Deferred[None]:
        """Send without threads."""
        return Deferred.fromCoroutine(
            send_body(
                request,
                parts,
                clock=self.clock,
                in_thread=inline,
                still_same=self.still_same,
                **options,
            )
        )

    def body(self) -> bytes:
        """What has reached the peer after the head."""
        return self.transport.value().partition(b"\r\n\r\n")[2]

    def test_small(self) -> None:
        """A small body leaves at once, after one look at the file."""
        sending = self.send(self.request(), b"<", FileSlice(self.fd, 7, 99), b">")
        self.successResultOf(sending)
        self.assertEqual(self.body(), b"<" + self.octets[7:99] + b">")
        self.assertEqual(self.asked, 1)

    def test_small_but_moved(self) -> None:
        """Not one octet leaves of a small body whose file moved."""
        self.same = False
        sending = self.send(self.request(), FileSlice(self.fd, 0, 99))
        self.failureResultOf(sending, BodyCut)
        self.assertEqual(self.transport.value(), b"")
        self.assertTrue(self.aborted)

    def test_large(self) -> None:
        """A large body arrives whole on a transport that we know nothing of."""
        sending = self.send(self.request(), FileSlice(self.fd, 0, 300_000))
        self.successResultOf(sending)
        self.assertEqual(self.body(), self.octets)

    def test_large_but_moved(self) -> None:
        """The last octets stay behind where the file moved meanwhile."""
        request = self.request()
        self.transport.write = self.moving(self.transport.write)  # type: ignore[method-assign]
        sending = self.send(request, FileSlice(self.fd, 0, 300_000))
        self.failureResultOf(sending, BodyCut)
        self.assertEqual(self.body(), self.octets[: 300_000 - SMALL])
        self.assertTrue(self.aborted)

    def moving(self, write: Any) -> Any:
        """The file moves with the first octets written."""

        def write_and_move(octets: bytes) -> None:
            self.same = False
            write(octets)

        return write_and_move

    def test_cut_short(self) -> None:
        """A file that ends too early ends the connection, small or large."""
        for start in (299_999, 0):
            sending = self.send(self.request(), FileSlice(self.fd, start, 300_001))
            self.failureResultOf(sending, BodyCut)
            self.assertTrue(self.aborted)

    def test_head(self) -> None:
        """HEAD gets the head, and the file is not even looked at."""
        self.successResultOf(self.send(self.request(b"HEAD"), FileSlice(self.fd, 0, 300_000)))
        self.assertEqual(self.body(), b"")
        self.assertEqual(self.asked, 0)

    def test_back_pressure(self) -> None:
        """Nothing is written while the transport's buffer is full."""
        request = self.request()
        write = self.transport.write

        def write_and_pause(octets: bytes) -> None:
            write(octets)
            self.transport.producer.pauseProducing()

        self.transport.write = write_and_pause  # type: ignore[method-assign]
        sending = self.send(request, FileSlice(self.fd, 0, 300_000))
        sizes = []
        while not sending.called:
            self.assertNotIn(len(self.body()), sizes)
            sizes.append(len(self.body()))
            self.transport.producer.resumeProducing()
        self.assertEqual(self.body(), self.octets)
        self.assertGreater(len(sizes), 2)

    def test_silence(self) -> None:
        """A peer that takes nothing for as long as we have patience is given up."""
        request = self.request()
        write = self.transport.write
        self.transport.write = lambda octets: (  # type: ignore[method-assign]
            write(octets),
            self.transport.producer.pauseProducing(),
        )
        sending = self.send(request, FileSlice(self.fd, 0, 300_000), patience=10.0)
        self.clock.advance(9.0)
        self.transport.producer.resumeProducing()
        self.clock.advance(9.0)
        self.assertNoResult(sending)
        self.clock.pump([5.0] * 4)
        self.failureResultOf(sending, BodyCut)
        self.assertTrue(self.aborted)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_peer_goes(self) -> None:
        """A peer that goes while we wait ends the sending, and nothing is left behind."""
        request = self.request()
        sending = self.send(request, FileSlice(self.fd, 0, 300_000), rate_limit=100_000)
        self.assertNoResult(sending)
        self.channel.connectionLost(Failure(ConnectionLost()))
        self.failureResultOf(sending, BodyCut)
        self.assertEqual(self.clock.getDelayedCalls(), [])

    def test_rate(self) -> None:
        """A limited connection gets its octets in the time that they need."""
        sending = self.send(self.request(), FileSlice(self.fd, 0, 300_000), rate_limit=100_000)
        for second in range(1, 3):
            self.clock.pump([0.01] * 100)
            self.assertLess(abs(len(self.body()) - 100_000 * second), 20_000)
        self.clock.pump([0.01] * 130)
        self.successResultOf(sending)
        self.assertEqual(self.body(), self.octets)

    def test_rate_over_answers(self) -> None:
        """Asking in small pieces is not faster."""
        request = self.request()
        self.successResultOf(self.send(request, FileSlice(self.fd, 0, 5000), rate_limit=5000))
        request.finish()
        self.transport.clear()
        self.channel.dataReceived(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n")
        again = self.send(self.channel.requests[0], FileSlice(self.fd, 0, 10), rate_limit=5000)
        self.clock.advance(0.9)
        self.assertNoResult(again)
        self.clock.advance(0.2)
        self.successResultOf(again)


class WaitingRequest(Request):
    """A request that the test answers."""

    def process(self) -> None:
        """Wait for the test."""
