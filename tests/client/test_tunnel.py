"""Tests for `rangedaemon.client.tunnel`: a proxy in memory."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectError, ConnectionDone
from twisted.internet.protocol import Factory, Protocol
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.trial.unittest import SynchronousTestCase

from rangedaemon.client.tunnel import ProxyEndpoint, TunnelEndpoint
from rangedaemon.core.proxies import Proxy
from rangedaemon.errors import ProxyRefused, TimedOut, Unauthorized, Unreachable

PROXY = Proxy("http", "p.test", 3128, ("me", "hunter2"))
THROUGH = b"HTTP/1.1 200 OK\r\n\r\n"


class Listener(Protocol):
    """Remembers what it gets."""

    def __init__(self) -> None:
        self.got = b""
        self.lost: Failure | None = None

    def dataReceived(self, data: bytes) -> None:
        """Octets of the origin's."""
        self.got += data

    def connectionLost(self, reason: Failure) -> None:  # type: ignore[override]
        """The end."""
        self.lost = reason


class Wire:
    """An endpoint whose one connection is a string."""

    def __init__(self) -> None:
        self.transport = StringTransport()
        self.protocol: Any = None

    def connect(self, factory: Any) -> Deferred[Any]:
        """As `IStreamClientEndpoint`."""
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        return succeed(self.protocol)


class TunnelTests(SynchronousTestCase):
    """Tests for `TunnelEndpoint`."""

    def setUp(self) -> None:
        """Connect, and be greeted."""
        self.clock, self.wire = Clock(), Wire()
        endpoint = TunnelEndpoint(self.wire, PROXY, "a.test", 443, clock=self.clock, timeout=5.0)  # type: ignore[arg-type]
        self.connecting = endpoint.connect(Factory.forProtocol(Listener))

    def test_through(self) -> None:
        """The greeting, then the origin's octets, to its protocol and from it."""
        self.assertTrue(self.wire.transport.value().startswith(b"CONNECT a.test:443 "))
        self.assertNoResult(self.connecting)
        self.wire.protocol.dataReceived(THROUGH + b"first ")
        inner: Any = self.successResultOf(self.connecting)
        self.wire.protocol.dataReceived(b"second")
        self.assertEqual(inner.got, b"first second")
        self.wire.transport.clear()
        inner.transport.write(b"mine")
        self.assertEqual(self.wire.transport.value(), b"mine")
        self.wire.protocol.connectionLost(Failure(ConnectionDone()))
        self.assertTrue(inner.lost.check(ConnectionDone))
        self.clock.advance(6)

    def test_refused(self) -> None:
        """A refusal is told, without our password, and the connection is closed."""
        self.wire.protocol.dataReceived(b"HTTP/1.1 407 No\r\n\r\n")
        fault = self.failureResultOf(self.connecting, Unauthorized).value
        self.assertNotIn("hunter2", str(fault))
        self.assertTrue(self.wire.transport.disconnecting or self.wire.transport.disconnected)
        self.wire.protocol.dataReceived(b"more")
        self.wire.protocol.connectionLost(Failure(ConnectionDone()))

    def test_closed(self) -> None:
        """A proxy that goes away before it let us through."""
        self.wire.protocol.connectionLost(Failure(ConnectionDone()))
        self.failureResultOf(self.connecting, Unreachable)

    def test_silent(self) -> None:
        """A proxy that says nothing is given up in time."""
        self.clock.advance(6)
        self.failureResultOf(self.connecting, TimedOut)

    def test_noise(self) -> None:
        """A proxy that speaks something else."""
        self.wire.protocol.dataReceived(b"220 smtp.test\r\n\r\n")
        self.failureResultOf(self.connecting, ProxyRefused)

    def test_given_up(self) -> None:
        """Cancelling closes the connection and is a fault of ours, not a crash."""
        self.connecting.cancel()
        self.failureResultOf(self.connecting, Unreachable)


class ProxyEndpointTests(SynchronousTestCase):
    """Tests for `ProxyEndpoint`."""

    def test_not_there(self) -> None:
        """That it is the proxy that is not there, the message says; its login it does not."""

        class Nowhere:
            def connect(self, factory: Any) -> Deferred[Any]:
                return fail(ConnectError())

        connecting = ProxyEndpoint(Nowhere(), PROXY).connect(Factory())  # type: ignore[arg-type]
        fault = self.failureResultOf(connecting, Unreachable).value
        self.assertIn("p.test:3128", str(fault))
        self.assertNotIn("hunter2", str(fault))
