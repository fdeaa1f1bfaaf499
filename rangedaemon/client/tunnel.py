"""Connections through a proxy: the greeting first (`core.tunnels`), then the origin's octets."""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamClientEndpoint,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from rangedaemon.core.proxies import Proxy
from rangedaemon.core.tunnels import Greeting, greeting_for
from rangedaemon.errors import OriginFault, TimedOut, Unreachable


class _Tunnel(Protocol):
    """Greets the proxy, then stands between its connection and the protocol for the origin."""

    def __init__(self, greeting: Greeting, inner: IProtocol) -> None:
        self.through: Deferred[IProtocol] = Deferred(self._given_up)
        """Fires with the inner protocol once the proxy let us through."""
        self._greeting = greeting
        self._inner = inner
        self._open = False

    def connectionMade(self) -> None:
        """The proxy is there."""
        self.transport.write(self._greeting.begin())  # type: ignore[union-attr]

    def dataReceived(self, data: bytes) -> None:
        """Octets of the origin's, or of the proxy's before."""
        if self._open:
            self._inner.dataReceived(data)
        elif not self.through.called:
            self._greeted(data)

    def _greeted(self, data: bytes) -> None:
        try:
            step = self._greeting.received(data)
        except OriginFault as fault:
            self._abort()
            self.through.errback(fault)
            return
        if step.send:
            self.transport.write(step.send)  # type: ignore[union-attr]
        if step.rest is None:
            return
        self._open = True
        self._inner.makeConnection(self.transport)  # type: ignore[arg-type]
        if step.rest:
            self._inner.dataReceived(step.rest)
        self.through.callback(self._inner)

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """The connection is gone."""
        if self._open:
            self._inner.connectionLost(reason)
        elif not self.through.called:
            self.through.errback(Unreachable("the proxy closed the connection"))

    def _given_up(self, through: Deferred[IProtocol]) -> None:
        self._abort()
        through.errback(Unreachable("given up before the proxy let us through"))

    def _abort(self) -> None:
        if self.transport is not None:
            self.transport.abortConnection()  # type: ignore[attr-defined]


class _Tunnels(Factory):
    """Makes one tunnel."""

    noisy = False

    def __init__(self, greeting: Greeting, inner: IProtocolFactory) -> None:
        self._greeting = greeting
        self._inner = inner

    def buildProtocol(self, addr: Any) -> Any:
        """As `IProtocolFactory`."""
        inner = self._inner.buildProtocol(addr)
        return None if inner is None else _Tunnel(self._greeting, inner)


@implementer(IStreamClientEndpoint)
class ProxyEndpoint:
    """The proxy itself; that it cannot be reached is told as such."""

    def __init__(self, inner: IStreamClientEndpoint, proxy: Proxy) -> None:
        self._inner = inner
        self._proxy = proxy

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect.

        :raises Unreachable: there is no connection.
        """

        def told(failure: Failure) -> Failure:
            where = f"{self._proxy.host}:{self._proxy.port}"
            raise Unreachable(f"the proxy {where}: {failure.getErrorMessage()}") from failure.value

        return self._inner.connect(factory).addErrback(told)


@implementer(IStreamClientEndpoint)
class TunnelEndpoint:
    """An origin behind a proxy."""

    def __init__(
        self,
        inner: IStreamClientEndpoint,
        proxy: Proxy,
        host: str,
        port: int,
        *,
        clock: IReactorTime,
        timeout: float,
    ) -> None:
        """
        :param inner: leads to *proxy*.
        :param timeout: seconds that the proxy may take to let us through.
        """
        self._inner = inner
        self._proxy = proxy
        self._host = host
        self._port = port
        self._clock = clock
        self._timeout = timeout

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, and be let through.

        :raises OriginFault: the proxy does not.
        """
        greeting = greeting_for(self._proxy, self._host, self._port)
        return self._inner.connect(_Tunnels(greeting, factory)).addCallback(self._through)

    def _through(self, tunnel: Any) -> Deferred[IProtocol]:
        through: Deferred[IProtocol] = tunnel.through
        return through.addTimeout(self._timeout, self._clock, _too_slow)


def _too_slow(_value: object, seconds: float) -> Failure:
    raise TimedOut(f"the proxy did not let us through within {seconds:g} s")
