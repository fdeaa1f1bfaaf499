"""Octets on their way in: back-pressure, 100 Continue, early refusals, silence, ends."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred

from rangedaemon.server.arrival import TRIFLE
from rangedaemon.server.channel import LINGERING, MOST_DROPPED
from rangedaemon.storage.threads import inline
from rangedaemon.storage.uploads.writing import MOST_PENDING
from tests.server.uploads.case import CONTENT, Peer, UploadsServedCase, head
from tests.server.wire import parse_replies

BLOCK = bytes(256 * 1024)


class SlowDisk:
    """Threads that do nothing until they are told to go on."""

    def __init__(self) -> None:
        self.stopped = False
        self._waiting: list[Callable[[], None]] = []

    def __call__(self, function: Callable[..., Any], /, *args: object) -> Deferred[Any]:
        """As `InThread`."""
        if not self.stopped:
            return inline(function, *args)
        answer: Deferred[Any] = Deferred()
        self._waiting.append(lambda: inline(function, *args).chainDeferred(answer))
        return answer

    def go_on(self) -> None:
        """Do what waits, and from now on everything at once."""
        self.stopped = False
        while self._waiting:
            self._waiting.pop(0)()


class PressureTests(UploadsServedCase):
    """A disk that is slower than the network."""

    def setUp(self) -> None:
        self.disk = SlowDisk()
        self.in_thread = self.disk
        super().setUp()

    def test_paused(self) -> None:
        """The peer is paused when so much waits, heard again when it is written."""
        size = 64 * len(BLOCK)
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=size)
        self.disk.stopped = True
        sent = 0
        while not peer.paused:
            peer.send(BLOCK)
            sent += len(BLOCK)
            self.assertLess(sent, 2 * MOST_PENDING, "memory is bounded")
        self.assertFalse(peer.closing)
        self.clock.advance(1000)
        self.assertFalse(peer.closing, "our own pause is not the peer's silence")
        self.disk.go_on()
        self.turn()
        self.assertFalse(peer.paused)
        while sent < size:
            peer.send(BLOCK)
            sent += len(BLOCK)
        self.assert_status(peer.reply("PUT"), 201)
        self.assertEqual((self.root / "f").stat().st_size, size)

    def test_before_it_is_asked_for(self) -> None:
        """While we look things up the peer waits, and nothing of what came is lost."""
        self.disk.stopped = True
        peer = Peer(self)
        peer.send(head("PUT", "/files/f", content_length=100) + CONTENT[:60])
        self.assertTrue(peer.paused)
        self.disk.go_on()
        self.turn()
        self.assertFalse(peer.paused)
        peer.send(CONTENT[60:])
        self.assert_status(peer.reply("PUT"), 201)
        self.assertEqual(self.file("f"), CONTENT)

    def test_lost_before_it_is_asked_for(self) -> None:
        """Also where the connection breaks in that moment."""
        self.disk.stopped = True
        peer = Peer(self)
        peer.send(head("PUT", "/files/f", content_length=100) + CONTENT[:60])
        peer.lose()
        self.disk.go_on()
        self.turn()
        reply = self.request("PUT", "/files/f", content_range="bytes */100", content_length=0)
        self.assertEqual(reply.fields["Upload-Offset"], "60")

    def test_whole_before_it_is_asked_for(self) -> None:
        """A small body that was there with its head, and the next request behind it."""
        self.disk.stopped = True
        peer = Peer(self)
        one = head("PUT", "/files/f", content_length=100) + CONTENT
        peer.send(one + head("PUT", "/files/g", content_length=100) + CONTENT)
        self.disk.go_on()
        self.turn()
        replies = parse_replies(peer.heard(), ["PUT", "PUT"])
        self.assertEqual([reply.status for reply in replies], [201, 201])
        self.assertEqual((self.file("f"), self.file("g")), (CONTENT, CONTENT))
        self.assertFalse(peer.paused)

    def test_end_while_paused(self) -> None:
        """The last octet comes while the disk is behind; the connection lives on, timed."""
        size = 32 * len(BLOCK)
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=size)
        self.disk.stopped = True
        for _ in range(32):
            peer.send(BLOCK)
        self.assertEqual(peer.heard(), b"")
        self.disk.go_on()
        self.turn()
        self.assert_status(peer.reply("PUT"), 201)
        self.assertFalse(peer.paused)
        peer.head("GET", "/files/nothing")
        self.assert_status(peer.reply("GET"), 404)
        self.clock.advance(61)
        self.assertTrue(peer.closing, "an idle connection ends as ever")


class ContinueTests(UploadsServedCase):
    """``Expect: 100-continue``."""

    def test_wanted(self) -> None:
        """Told to go on when somebody takes the octets."""
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=100, expect="100-continue")
        self.assertEqual(peer.heard(), b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.send(CONTENT)
        self.assert_status(peer.reply("PUT"), 201)

    def test_refused(self) -> None:
        """Who is refused is not told to go on, and the connection ends."""
        peer = Peer(self)
        peer.head("PUT", "/files/missing/f", content_length=100, expect="100-continue")
        reply = self.assert_status(peer.reply("PUT"), 400)
        self.assertEqual(reply.fields["Connection"], "close")
        self.clock.advance(LINGERING)
        self.assertTrue(peer.closing)

    def test_impatient(self) -> None:
        """Who does not wait for it does not get it."""
        peer = Peer(self)
        peer.send(head("PUT", "/files/f", content_length=100, expect="100-continue") + CONTENT[:1])
        peer.heard()
        peer.send(CONTENT[1:])
        self.assert_status(peer.reply("PUT"), 201)

    def test_elsewhere(self) -> None:
        """Where nobody takes bodies it is as ever."""
        self.serve()
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=100, expect="100-continue")
        self.assertEqual(peer.heard(), b"HTTP/1.1 100 Continue\r\n\r\n")
        peer.send(CONTENT)
        self.assert_status(peer.reply("PUT"), 405)


class RefusalTests(UploadsServedCase):
    """Answers that come before the end of the body."""

    def refused(self, size: int) -> Peer:
        peer = Peer(self)
        peer.head("PUT", "/files/missing/f", content_length=size)
        return peer

    def test_trifle(self) -> None:
        """A little is read and dropped, and the connection lives on."""
        peer = self.refused(TRIFLE)
        self.assertEqual(peer.heard(), b"")
        peer.send(bytes(TRIFLE))
        reply = self.assert_status(peer.reply("PUT"), 400)
        self.assertNotIn("Connection", reply.fields)
        peer.head("GET", "/files/nothing")
        self.assert_status(peer.reply("GET"), 404)

    def test_much(self) -> None:
        """Of gigabytes nothing is waited for: the answer, a moment for the peer, the end."""
        peer = self.refused(10**12)
        reply = self.assert_status(peer.reply("PUT"), 400)
        self.assertEqual(reply.fields["Connection"], "close")
        peer.send(BLOCK)
        self.assertFalse(peer.closing)
        self.assertEqual(peer.heard(), b"")
        self.clock.advance(LINGERING)
        self.assertTrue(peer.closing)

    def test_flood(self) -> None:
        """Who goes on sending is cut off after a bounded number of octets."""
        peer = self.refused(10**12)
        block = bytes(8 * 1024 * 1024)
        for _ in range(MOST_DROPPED // len(block)):
            self.assertFalse(peer.closing)
            peer.send(block)
        peer.send(b"x")
        self.assertTrue(peer.closing)

    def test_with_octets_behind(self) -> None:
        """A refusal where the whole body, and another request, came with the head."""
        for size in (100, TRIFLE + 1):
            peer = Peer(self)
            octets = head("PUT", "/files/missing/f", content_length=size) + bytes(size)
            peer.send(octets + head("GET", "/files/nothing"))
            reply, _, rest = peer.heard().partition(b"There")
            self.assertIn(b" 400 ", reply)
            self.assertNotIn(b" 400 ", rest)

    def test_chunked(self) -> None:
        """A body without length, whose end came with its head."""
        peer = Peer(self)
        octets = head("PUT", "/files/missing/f", transfer_encoding="chunked")
        peer.send(octets + b"3\r\nabc\r\n0\r\n\r\n" + head("GET", "/files/nothing"))
        (reply,) = parse_replies(peer.heard(), ["PUT"])
        self.assertEqual((reply.status, reply.fields["Connection"]), (400, "close"))

    def test_no_host(self) -> None:
        """What is refused before a mount is looked for."""
        peer = Peer(self)
        peer.send(b"PUT /files/f HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n")
        self.assert_status(peer.reply("PUT"), 400)
        self.clock.advance(LINGERING)
        self.assertTrue(peer.closing)


class EndTests(UploadsServedCase):
    """How connections end in the middle."""

    def test_silence(self) -> None:
        """A peer that falls silent in its body is given up; what came is kept."""
        peer = Peer(self)
        peer.send(head("PUT", "/files/f", content_length=100) + CONTENT[:41])
        self.clock.advance(59)
        self.assertFalse(peer.closing)
        self.clock.advance(2)
        self.assertTrue(peer.closing)
        peer.lose()
        reply = self.request("PUT", "/files/f", content_range="bytes */100", content_length=0)
        self.assertEqual(reply.fields["Upload-Offset"], "41")

    def test_bad_chunks(self) -> None:
        """A chunked body that is none ends the connection; nothing becomes a file."""
        peer = Peer(self)
        peer.head("PUT", "/files/f", transfer_encoding="chunked")
        peer.send(b"64\r\n" + CONTENT + b"XX")
        self.assertTrue(peer.closing)
        peer.lose()
        self.assertIsNone(self.file("f"))

    def test_end_of_the_site(self) -> None:
        """At a stop uploads are cut at once, and what came is kept."""
        peer = Peer(self)
        peer.send(head("PUT", "/files/f", content_length=100) + CONTENT[:41])
        self.site.crowd.drain()
        self.assertTrue(peer.closing)
        peer.lose()
        self.take()
        reply = self.request("PUT", "/files/f", content_range="bytes */100", content_length=0)
        self.assertEqual(reply.fields["Upload-Offset"], "41")

    def test_counted(self) -> None:
        """Octets that came are counted."""
        self.request("PUT", "/files/f", CONTENT)
        self.assertEqual(self.site.received, 100)
