"""Tests for `rangedaemon.client.session`: where reading waits for writing, or the other way."""

from __future__ import annotations

import contextlib
import ssl
from types import SimpleNamespace
from typing import Any

from OpenSSL import SSL

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


class WaitingTests(LinkCase):
    """The reactor waits for what OpenSSL waits for, or it would turn for nothing."""

    def in_the_way(self, **calls: Any) -> None:
        """Let OpenSSL say something else, once for each of the *calls*."""
        session, tls = self.inner.line.socket, self.inner.line.socket._tls

        def call(name: str, error: type[Exception]) -> Any:
            def fails(*_: object) -> None:
                setattr(session._tls, name, getattr(tls, name))
                raise error

            return fails

        session._tls = SimpleNamespace(
            **{name: getattr(tls, name) for name in ("read", "send", "unwrap", "close")}
            | {name: call(name, error) for name, error in calls.items()}
        )

    @property
    def waits_for(self) -> tuple[bool, bool]:
        """Whether the socket is waited for to be readable, and to be writable."""
        line, reactor = self.inner.line, self.reactor
        return line in reactor.getReaders(), line in reactor.getWriters()

    def test_read_needs_to_write(self) -> None:
        """What the peer asked has to be answered before it can be read on."""
        self.connected()
        self.in_the_way(read=ssl.SSLWantWriteError)
        self.server.say(b"x")
        self.turn()
        self.assertEqual((self.waits_for, self.above.heard), ((False, True), []))
        self.turns()
        self.assertEqual((self.waits_for, self.above.heard), ((True, False), [b"x"]))

    def test_write_needs_to_read(self) -> None:
        """What the peer has to say first is waited for, then what was written is sent."""
        link = self.connected()
        self.in_the_way(send=ssl.SSLWantReadError)
        link.write(b"y")
        self.turns()
        self.assertEqual((self.waits_for, self.server.heard()), ((True, False), b""))
        self.server.say(b"x")
        self.turns()
        self.assertEqual((self.above.heard, self.server.heard()), ([b"x"], b"y"))

    def test_write_has_to_wait(self) -> None:
        """A socket that takes no more is tried again when it does."""
        link = self.connected()
        self.in_the_way(send=ssl.SSLWantWriteError)
        link.write(b"y")
        self.turn()
        self.assertEqual(self.waits_for, (True, True))
        self.turns()
        self.assertEqual((self.waits_for, self.server.heard()), ((True, False), b"y"))
