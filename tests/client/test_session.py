"""Tests for `rangedaemon.client.session`: where reading waits for writing, or the other way."""

from __future__ import annotations

import contextlib
from typing import Any

from OpenSSL import SSL

from rangedaemon.client.session import LEAST_ROOM, RECORD
from rangedaemon.storage.lanes import Hauled
from tests.client.tlswire import MOST, LinkCase, Server


class OldServer(Server):
    """A server of TLS 1.2, which may ask for another handshake."""

    def __init__(self, like: Server, pem: str) -> None:
        context = SSL.Context(SSL.TLS_SERVER_METHOD)
        context.set_max_proto_version(SSL.TLS1_2_VERSION)
        context.use_certificate_file(pem)
        context.use_privatekey_file(pem)
        self.line = like.line
        self.got = b""
        self.tls = SSL.Connection(context)  # type: ignore[assignment]
        self.tls.set_accept_state()  # type: ignore[attr-defined]

    def turn(self) -> None:
        """Take what came, answer."""
        tls: Any = self.tls
        with contextlib.suppress(BlockingIOError):
            while octets := self.line.recv(MOST):
                tls.bio_write(octets)
        with contextlib.suppress(SSL.WantReadError):
            tls.do_handshake()
            self.got += tls.recv(MOST)
        self.flush()

    def flush(self) -> None:
        """Send what is to be sent."""
        with contextlib.suppress(SSL.WantReadError):
            while records := self.tls.bio_read(MOST):  # type: ignore[attr-defined]
                self.send(records)


class AnotherHandshakeTests(LinkCase):
    """A peer that wants to shake hands once more, in the middle of all (RFC 5246, 7.4.1.1)."""

    def test_asked(self) -> None:
        """It is answered while reading, and what is said goes on."""
        self.server = server = OldServer(self.server, str(self.pem))
        link, tls = self.connected(), server.tls
        tls.send(b"before ")  # type: ignore[attr-defined]
        tls.renegotiate()  # type: ignore[attr-defined]
        server.turn()
        self.carry()
        self.assertEqual(tls.total_renegotiations(), 1)  # type: ignore[attr-defined]
        tls.send(b"and after")  # type: ignore[attr-defined]
        server.flush()
        link.write(b"heard")
        self.turns()
        server.turn()
        self.assertEqual(server.got, b"heard")
        self.assertEqual(self.above.octets, b"before and after")


class Full:
    """A socket that takes nothing, so many times."""

    def __init__(self, socket: Any, refusals: int) -> None:
        self._socket = socket
        self.refusals = refusals

    def send(self, octets: bytes) -> int:
        """Send, or refuse."""
        if self.refusals:
            self.refusals -= 1
            raise BlockingIOError
        return int(self._socket.send(octets))

    def __getattr__(self, name: str) -> Any:
        """Everything else is the socket's own."""
        return getattr(self._socket, name)


class WaitingTests(LinkCase):
    """The reactor waits for what OpenSSL waits for, or it would turn for nothing."""

    @property
    def session(self) -> Any:
        """The client's."""
        return self.inner.line.socket

    def fill(self, refusals: int) -> Full:
        """Let the socket take nothing for a while."""
        full = self.session._socket = Full(self.session._socket, refusals)
        return full

    @property
    def waits_for(self) -> tuple[bool, bool]:
        """Whether the socket is waited for to be readable, and to be writable."""
        line, reactor = self.inner.line, self.reactor
        return line in reactor.getReaders(), line in reactor.getWriters()

    def test_answer_has_to_wait(self) -> None:
        """What TLS itself has to answer is sent when the socket takes it, though it takes long."""
        self.server = server = OldServer(self.server, str(self.pem))
        self.connected()
        full, tls = self.fill(3), server.tls
        tls.renegotiate()  # type: ignore[attr-defined]
        server.turn()
        self.turn()
        self.assertEqual(self.waits_for, (True, True))
        while full.refusals:
            self.assertTrue(self.turn())
            self.assertTrue(self.waits_for[1] or not full.refusals)
        self.carry()
        self.assertEqual(tls.total_renegotiations(), 1)  # type: ignore[attr-defined]
        self.assertEqual(self.waits_for, (True, False))

    def test_answer_of_a_lane_has_to_wait(self) -> None:
        """Nobody but the reactor can wait for it: it is told when the lane is done."""
        self.server = server = OldServer(self.server, str(self.pem))
        link = self.connected()
        self.fill(1)
        server.tls.renegotiate()  # type: ignore[attr-defined]
        server.turn()
        self.assertEqual(self.session.read_into(memoryview(bytearray(LEAST_ROOM))), 0)
        self.assertEqual(self.waits_for, (True, False))
        link._hauled(Hauled(0))
        self.assertEqual(self.waits_for, (True, True))
        self.carry()
        self.assertEqual(server.tls.total_renegotiations(), 1)  # type: ignore[attr-defined]

    def test_write_needs_to_read(self) -> None:
        """What the peer has to say first is waited for, then what was written is sent."""
        link, tls = self.connected(), self.session._tls

        def waits(_octets: bytes) -> int:
            del tls.send
            raise SSL.WantReadError

        tls.send = waits
        link.write(b"y")
        self.turns()
        self.assertEqual((self.waits_for, self.server.heard()), ((True, False), b""))
        self.server.say(b"x")
        self.turns()
        self.assertEqual((self.above.heard, self.server.heard()), ([b"x"], b"y"))

    def test_write_has_to_wait(self) -> None:
        """A socket that takes no more is tried again when it does; nothing is sent twice."""
        link = self.connected()
        self.fill(2)
        link.write(b"y")
        self.turn()
        self.assertEqual(self.waits_for, (True, True))
        link.write(b"z")
        self.turns()
        self.assertEqual((self.waits_for, self.server.heard()), ((True, False), b"yz"))


class RoomTests(LinkCase):
    """Whatever a read finds has room, and nothing waits inside of OpenSSL."""

    def test_least_room(self) -> None:
        """The least room is filled over and over; what it cannot hold stays in the socket."""
        self.connected()
        session, octets, came = self.inner.line.socket, bytes(range(251)) * 400, b""
        records = self.server.records(octets)
        for start in range(0, len(records), 7000):
            self.server.send(records[start : start + 7000])
            room = memoryview(bytearray(LEAST_ROOM))
            came += room[: session.read_into(room)]
        while count := session.read_into(room):
            came += room[:count]
        self.assertEqual(came, octets)

    def test_too_little(self) -> None:
        """Where a record could not be put away nothing is read."""
        self.connected()
        session = self.inner.line.socket
        self.server.say(b"x")
        self.assertEqual(session.read_into(memoryview(bytearray(2 * RECORD - 1))), 0)
        self.assertEqual(session.read_into(memoryview(bytearray(LEAST_ROOM))), 1)
