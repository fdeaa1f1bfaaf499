"""Connections that a worker carries: where they go, who waits for whom, how each of them ends."""

from __future__ import annotations

import socket
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectError, ConnectionLost
from twisted.internet.testing import MemoryReactor, StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.errors import StorageFault
from rangedaemon.server.channel import LINGERING
from rangedaemon.server.landing import Landing, land_at
from rangedaemon.server.relaying import hung_up, told_of
from tests.server.relayed import PATIENCE, PEER, End, MemoryRelay, RelayedMixin
from tests.server.uploads.case import Peer, UploadsServedCase, head
from tests.server.wire import parse_replies


class Scripted(End):
    """The other process, which says what the test says and keeps what it hears."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = b""
        self.protocol = self

    def dataReceived(self, octets: bytes) -> None:
        self.heard += octets

    def connectionLost(self, _reason: Failure) -> None:
        """Nothing to do."""


class ScriptedRelay(MemoryRelay):
    """Leads to a script."""

    def join(self) -> None:
        self.near, self.far = End(), Scripted()
        self.near.other, self.far.other = self.far, self.near
        self.near.protocol = self.tunnel
        self.tunnel.makeConnection(self.near)


class WorkerTests(RelayedMixin, UploadsServedCase):
    """The worker's side."""

    relay: ScriptedRelay

    def setUp(self) -> None:
        super().setUp()
        self.relay.__class__ = ScriptedRelay
        self.put("f", b"12345")
        reader = Peer(self)
        reader.head("GET", "/files/f")  # what was asked for a moment ago has a short way
        reader.lose()

    def wait(self) -> Deferred[Any]:
        """Have nothing connect by itself."""
        self.relay.opening = Deferred()
        return self.relay.opening

    def test_whole(self) -> None:
        """The line that says who it is, the head, then the body as it is, chunked or not."""
        peer = Peer(self)
        peer.send(b"PUT /files/f%20g?q HTTP/1.1\r\nhost:h\r\nx-a:  1 \r\nX-A: 2\r\n")
        peer.send(b"Transfer-Encoding: chunked\r\n\r\n5\r\n12")
        peer.send(b"345\r\n0\r\n\r\nGET /files/f HTTP/1.1\r\n")
        line, _, rest = self.relay.far.heard.partition(b"\n")
        self.assertEqual(line, b'{"peer": ["192.0.2.1", 49152], "secure": false}')
        self.assertEqual(
            rest,
            b"PUT /files/f%20g?q HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
            b"5\r\n12345\r\n0\r\n\r\nGET /files/f HTTP/1.1\r\n",
        )

    def test_what_goes(self) -> None:
        """What is of uploads goes to the other process, and nothing else."""
        carried = {}
        for method, path in (
            ("GET", "/files/f"), ("HEAD", "/files/f"), ("BREW", "/files/f"), ("PUT", "/other"),
            ("PUT", "/files/%zz"), ("OPTIONS", "*"),
            ("POST", "/files"), ("PUT", "http://h/files/f"), ("PATCH", "/files/f"),
            ("DELETE", "/files/f"), ("OPTIONS", "/files/f"), ("HEAD", "/files/.uploads/tus/x"),
        ):  # fmt: skip
            peer = Peer(self)
            peer.head(method, path)
            carried[method, path] = not peer.heard()
        self.assertEqual(list(carried.values()), [False] * 6 + [True] * 6)

    def test_nowhere(self) -> None:
        """A worker that knows of no place answers itself."""
        self.relay.lead(None, PATIENCE)
        peer = Peer(self)
        peer.head("PUT", "/files/f")
        self.assertEqual(peer.reply("PUT").status, 405)

    def test_answer(self) -> None:
        """All that the other process says goes to the peer, but its first word."""
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=5)
        self.relay.far.write(b"\n")
        self.assertEqual(peer.heard(), b"")
        self.relay.far.write(b"HTTP/1.1 104 x\r\n\r\n")
        self.relay.far.write(b"HTTP/1.1 2")
        self.assertEqual(peer.heard(), b"HTTP/1.1 104 x\r\n\r\nHTTP/1.1 2")

    def test_behind_a_file(self) -> None:
        """A request behind one that is answered here, in one packet."""
        peer = Peer(self)
        peer.send(head("GET", "/files/f") + head("DELETE", "/files/f"))
        self.assertEqual(peer.reply("GET").body, b"12345")
        self.assertIn(b"\nDELETE /files/f HTTP/1.1\r\n", self.relay.far.heard)

    def test_waiting(self) -> None:
        """Until the way is there the peer waits, and what came is kept."""
        opening = self.wait()
        peer = Peer(self)
        peer.send(head("PUT", "/files/f", content_length=5) + b"12")
        self.assertTrue(peer.paused)
        self.relay.join()
        opening.callback(None)
        self.assertFalse(peer.paused)
        peer.send(b"345")
        self.assertTrue(self.relay.far.heard.endswith(b"\r\n\r\n12345"))

    def test_gone_before(self) -> None:
        """A peer that leaves before the way is there: nobody looks for it any more."""
        opening = self.wait()
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=5)
        peer.lose()
        self.assertTrue(opening.called)
        self.assertEqual((peer.heard(), self.worker.crowd.total), (b"", 0))

    def assert_unreachable(self, peer: Peer) -> None:
        """The peer is told to come later; what it still sends is dropped, then it is cut off."""
        reply = peer.reply("PUT")
        self.assertEqual((reply.status, reply.fields["Retry-After"]), (503, "5"))
        self.assertEqual(reply.fields["Connection"], "close")
        self.assertEqual(self.worker.answers[503], 1)
        peer.send(head("GET", "/files/f"))
        self.assertEqual((peer.heard(), peer.paused, peer.closing), (b"", False, False))
        self.clock.advance(LINGERING)
        self.assertTrue(peer.closing)

    def test_unreachable(self) -> None:
        """Nobody is there."""
        for length in (0, 5):
            self.worker.answers.clear()
            opening = self.wait()
            peer = Peer(self)
            peer.head("PUT", "/files/f", content_length=length)
            opening.errback(Failure(ConnectError()))
            self.assert_unreachable(peer)

    def test_not_taken(self) -> None:
        """Somebody is there, and leaves without a word."""
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=5)
        self.relay.near.end()
        self.assert_unreachable(peer)

    def test_ended(self) -> None:
        """The other process ends the connection: what it said goes out, and that is the end."""
        before = self.clock.getDelayedCalls()
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=5)
        self.relay.far.write(b"\nHTTP/1.1 201 Created\r\n\r\n")
        self.relay.near.end()
        self.assertTrue(peer.closing)
        self.assertEqual(peer.heard(), b"HTTP/1.1 201 Created\r\n\r\n")
        peer.lose()
        self.assertEqual(self.clock.getDelayedCalls(), before)

    def test_peer_gone(self) -> None:
        """The peer leaves: so do we, there, after what it has sent."""
        peer = Peer(self)
        peer.send(head("PUT", "/files/f", content_length=5) + b"12")
        peer.lose()
        self.assertTrue(self.relay.near.lost)
        self.assertTrue(self.relay.far.heard.endswith(b"12"))
        self.assertIsNone(self.relay.near.producer)

    def test_pressure_there(self) -> None:
        """While the other process reads nothing the peer waits."""
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=5)
        self.relay.far.pauseProducing()
        self.assertTrue(peer.paused)
        self.relay.far.resumeProducing()
        self.assertFalse(peer.paused)

    def test_pressure_here(self) -> None:
        """While the peer takes nothing the other process waits, and the peer has its time."""
        peer = Peer(self)
        peer.head("PUT", "/files/f", content_length=5)
        for _ in range(2):
            peer.transport.producer.pauseProducing()
            self.assertEqual(self.relay.near.producerState, "paused")
            self.clock.advance(PATIENCE - 1)
            peer.transport.producer.resumeProducing()
            self.assertEqual(self.relay.near.producerState, "producing")
        peer.transport.producer.pauseProducing()
        self.clock.advance(PATIENCE - 1)
        self.assertFalse(peer.closing)
        self.clock.advance(1)
        self.assertTrue(peer.closing)

    def test_drain(self) -> None:
        """What is carried ends when the other process ends it, the rest at once."""
        idle, peer = Peer(self), Peer(self)
        peer.head("PUT", "/files/f", content_length=5)
        drained = self.worker.crowd.drain()
        self.assertEqual((idle.closing, peer.closing), (True, False))
        idle.lose()
        self.relay.far.write(b"\n")
        self.relay.near.end()
        self.assertTrue(peer.closing)
        peer.lose()
        self.successResultOf(drained)


class LandingTests(RelayedMixin, UploadsServedCase):
    """The daemon's side."""

    def land(self, octets: bytes) -> End:
        """A connection of a worker that says this; the end that the site has."""
        end, near = End(), Scripted()
        end.other, near.other = near, end
        self.near = near
        end.protocol = Landing(self.site)
        end.protocol.makeConnection(end)
        for place in range(0, len(octets), 7):
            end.protocol.dataReceived(octets[place : place + 7])
        self.turn()
        return end

    def test_who(self) -> None:
        """The site has the connection of the peer, with its address."""
        end = self.land(told_of(PEER, secure=True) + head("PUT", "/files/f", content_length=1))
        self.assertEqual((end.getPeer(), end.secure), (PEER, True))
        self.assertEqual((self.site.crowd.total, self.site.crowd.carried), (1, 1))
        self.assertEqual(self.near.heard, b"\n")
        end.protocol.dataReceived(b"x")
        self.turn()
        self.assertIn(b"HTTP/1.1 201 ", self.near.heard)
        self.assertEqual(self.file("f"), b"x")

    def test_addresses(self) -> None:
        """Of every kind."""
        for peer in (PEER, IPv6Address("TCP", "2001:db8::1", 7), UNIXAddress(None)):
            end = self.land(told_of(peer, secure=False))
            self.assertEqual((end.getPeer(), end.secure), (peer, False))

    def test_crowded(self) -> None:
        """Where there is no room the peer is told so, as if it had come here."""
        self.site.crowd.allow(None, 1)
        self.land(told_of(PEER, secure=False))
        end = self.land(told_of(PEER, secure=False) + head("PUT", "/files/f", content_length=1))
        (reply,) = parse_replies(self.near.heard.removeprefix(b"\n"), ["PUT"])
        self.assertEqual(reply.status, 503)
        self.assertTrue(end.lost)
        other = IPv4Address("TCP", "192.0.2.2", 1)
        self.assertFalse(self.land(told_of(other, secure=False)).lost)

    def test_no_worker(self) -> None:
        """Who says much before saying who it is for is not heard any longer."""
        self.assertTrue(self.land(b"x" * 2000).lost)

    def test_stays(self) -> None:
        """Requests of uploads keep the connection; another one ends it, and so does a hot file."""
        self.put("f", b"12345")
        for _ in range(2):
            reader = StringTransport(peerAddress=PEER)
            protocol: Any = self.site.buildProtocol(PEER)
            protocol.makeConnection(reader)
            protocol.dataReceived(head("GET", "/files/f"))
        end = self.land(told_of(PEER, secure=False) + head("OPTIONS", "/files/f"))
        end.protocol.dataReceived(head("DELETE", "/files/.uploads/tus/x"))
        self.turn()
        self.assertFalse(end.lost)
        self.assertNotIn(b"Connection: close", self.near.heard)
        end.protocol.dataReceived(head("GET", "/files/f"))
        self.turn()
        self.assertTrue(end.lost)
        answer = self.near.heard.rpartition(b"HTTP/1.1 ")[2]
        self.assertIn(b"\r\nConnection: close\r\n", answer)
        self.assertTrue(answer.startswith(b"200 ") and answer.endswith(b"12345"))

    def test_lost(self) -> None:
        """A worker that dies leaves nothing behind."""
        end = self.land(told_of(PEER, secure=False) + head("PUT", "/files/f", content_length=9))
        end.lost = True
        end.protocol.connectionLost(Failure(ConnectionLost()))
        self.turn()
        self.assertEqual(self.site.crowd.total, 0)


class LandAtTests(SynchronousTestCase):
    """`rangedaemon.server.landing.land_at`."""

    def setUp(self) -> None:
        folder = TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def test_long(self) -> None:
        """A path that no socket can have is named, and what to do about it."""
        with self.assertRaises(StorageFault) as caught:
            land_at(self.folder / ("x" * 101), None, MemoryReactor())
        self.assertIn("a state_dir whose path is shorter", caught.exception.detail)

    def test_in_the_way(self) -> None:
        """What is there and is no socket of ours stays."""
        place = self.folder / "relay.sock"
        place.write_bytes(b"precious")
        with self.assertRaises(StorageFault) as caught:
            land_at(place, None, MemoryReactor())
        self.assertIn(f"{place} is in the way", caught.exception.detail)
        self.assertEqual(place.read_bytes(), b"precious")


class HungUpTests(SynchronousTestCase):
    """`rangedaemon.server.relaying.hung_up`."""

    def test_ends(self) -> None:
        """One direction that is closed is not both."""
        near, far = socket.socketpair()
        with near, far:
            self.assertFalse(hung_up(near))
            far.shutdown(socket.SHUT_WR)
            self.assertFalse(hung_up(near))
            far.close()
            self.assertTrue(hung_up(near))
