"""
Connections to origins: an agent, with a pool of its own, for each route.

A connection may only be used again by requests that would have made it the same way:
through the same proxy, on the same terms of TLS, under the same rules for addresses.
There are as many routes as the configuration has such ways, twice at most.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any, cast

from twisted.internet.defer import Deferred, DeferredList
from twisted.internet.endpoints import HostnameEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.web.client import URI, Agent, HTTPConnectionPool, ProxyAgent
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IResponse,
)
from zope.interface import implementer

from rangedaemon.client.agent import IDLE_SECONDS, IdentityAgent, WideEndpoint
from rangedaemon.client.guard import GuardedAgent, GuardedEndpoint, JudgedEndpoint
from rangedaemon.client.secured import Library, SecuredEndpoint
from rangedaemon.client.tunnel import ProxyEndpoint, TunnelEndpoint
from rangedaemon.core.access import Route, TlsTerms
from rangedaemon.core.addresses import AddressPolicy
from rangedaemon.core.proxies import Proxy
from rangedaemon.storage.lanes import Lanes
from rangedaemon.storage.threads import InThread, inline


class OneAgent:
    """The same agent for every route: where there is one way only."""

    def __init__(self, agent: IAgent) -> None:
        self._agent = agent

    def agent_for(self, route: Route) -> IAgent:  # noqa: ARG002 - all are the same
        """The agent."""
        return self._agent


class Network:
    """The agents of all routes."""

    def __init__(
        self,
        reactor: Any,
        policy: AddressPolicy,
        *,
        connect_timeout: float,
        most_idle_per_host: int,
        in_thread: InThread = inline,
    ) -> None:
        """
        :param policy: which addresses guarded routes lead to.
        :param connect_timeout: seconds.
        :param in_thread: where what TLS needs is loaded.
        """
        self._reactor = reactor
        self._policy = policy
        self._timeout = connect_timeout
        self._most_idle = most_idle_per_host
        self._lanes = Lanes(reactor)
        self._library = Library(in_thread)
        self._system_trust = cache(lambda: _context_of(None))
        self._agents: dict[Route, IAgent] = {}
        self._pools: list[HTTPConnectionPool] = []

    def agent_for(self, route: Route) -> IAgent:
        """The agent whose connections are made by *route*.

        :raises OSError: a file that TLS needs cannot be read any more.
        """
        if route not in self._agents:
            self._agents[route] = self._build(route)
        return self._agents[route]

    def ways_for(self, route: Route) -> IAgentEndpointFactory:
        """Where addresses lead by *route*, for who speaks HTTP himself."""
        ways = self._ways(route)
        if route.proxy is None:
            return ways
        through = ThroughProxy(ways, route.proxy)
        return JudgedWays(through, self._reactor, self._policy) if route.guarded else through

    def _ways(self, route: Route) -> Ways:
        own = None if route.tls is None else _context_of(route.tls)
        return Ways(
            self._reactor,
            route,
            self._policy,
            self._timeout,
            self._lanes,
            self._library,
            lambda: own or self._system_trust(),
        )

    def renew(self, policy: AddressPolicy) -> None:
        """New connections by *policy*, and by what the files of TLS hold now."""
        self._policy = policy
        self._system_trust.cache_clear()
        self._agents.clear()
        pools, self._pools = self._pools, []
        for pool in pools:  # who is on the way ends as he began
            pool.closeCachedConnections()

    def close(self) -> Deferred[Any]:
        """Close the connections that nobody uses; fires when they are closed."""
        return DeferredList([pool.closeCachedConnections() for pool in self._pools])

    def _build(self, route: Route) -> IAgent:
        ways = self._ways(route)
        agent: Any = Agent.usingEndpointFactory(self._reactor, ways, pool=self._pool())
        if route.proxy is not None:
            if route.proxy.kind == "http":
                agent = ByScheme(self._plain_proxy(ways, route.proxy), agent)
            if route.guarded:
                agent = GuardedAgent(agent, self._reactor, self._policy)
        return cast("IAgent", IdentityAgent(agent))

    def _plain_proxy(self, ways: Ways, proxy: Proxy) -> IAgent:
        agent = ProxyAgent(ways.in_the_open(proxy), self._reactor, self._pool())
        return ForProxy(cast("IAgent", agent), proxy)

    def _pool(self) -> HTTPConnectionPool:
        pool = HTTPConnectionPool(self._reactor, persistent=True)
        pool.maxPersistentPerHost = self._most_idle
        pool.cachedConnectionTimeout = IDLE_SECONDS
        self._pools.append(pool)
        return pool


def _context_of(terms: TlsTerms | None) -> Any:
    # Loaded by then: with the library, or by who has read the terms (`client.secured`).
    from rangedaemon.client.trust import context_of  # noqa: PLC0415

    return context_of(terms)


@implementer(IAgentEndpointFactory)
class Ways:
    """Where a URI leads by one route; TLS for https, with a checked certificate."""

    def __init__(
        self,
        reactor: Any,
        route: Route,
        policy: AddressPolicy,
        connect_timeout: float,
        lanes: Lanes,
        library: Library,
        context: Callable[[], Any],
    ) -> None:
        """
        :param context: the terms of TLS; asked only where TLS is spoken, because those of
            the system, a hundred authorities and more, take 2 MiB of memory.
        """
        self._reactor = reactor
        self._route = route
        self._policy = policy
        self._timeout = connect_timeout
        self._lanes = lanes
        self._library = library
        self._context = context

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """The endpoint of *uri*; names are looked up off the reactor thread."""
        host = uri.host.decode("ascii")
        endpoint = self._reach(host, uri.port)
        if uri.scheme == b"https":
            endpoint = self._secured(endpoint, host)
        return cast("IStreamClientEndpoint", WideEndpoint(endpoint, self._lanes))

    def _secured(self, endpoint: IStreamClientEndpoint, host: str) -> Any:
        def over_tls(tls: Any) -> IStreamClientEndpoint:
            secured: IStreamClientEndpoint = tls.TLSEndpoint(
                endpoint,
                self._context(),
                host,
                lanes=self._lanes,
                clock=self._reactor,
                timeout=self._timeout,
                pins=self._route.tls.pins if self._route.tls is not None else frozenset(),
            )
            return secured

        return SecuredEndpoint(self._library, over_tls)

    def in_the_open(self, proxy: Proxy) -> IStreamClientEndpoint:
        """The endpoint of *proxy* for what it is told in the absolute form (RFC 9112, 3.2.2)."""
        return cast("IStreamClientEndpoint", WideEndpoint(self.to_proxy(proxy), self._lanes))

    def to_proxy(self, proxy: Proxy) -> IStreamClientEndpoint:
        """The endpoint of *proxy*, which the operator named: its address is not judged."""
        endpoint = HostnameEndpoint(self._reactor, proxy.host, proxy.port, timeout=self._timeout)
        return cast("IStreamClientEndpoint", ProxyEndpoint(endpoint, proxy))

    def _reach(self, host: str, port: int) -> Any:
        timeout, proxy = self._timeout, self._route.proxy
        if proxy is not None:
            inner = self.to_proxy(proxy)
            return TunnelEndpoint(inner, proxy, host, port, clock=self._reactor, timeout=timeout)
        if self._route.guarded:
            policy = self._policy
            return GuardedEndpoint(self._reactor, host, port, timeout=timeout, policy=policy)
        return HostnameEndpoint(self._reactor, host, port, timeout=timeout)


@implementer(IAgentEndpointFactory)
class ThroughProxy:
    """Ways through a proxy: to itself for plain http where it speaks that, else tunnels."""

    def __init__(self, ways: Ways, proxy: Proxy) -> None:
        self._ways = ways
        self._proxy = proxy

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """The endpoint of *uri*."""
        if self._proxy.kind == "http" and uri.scheme == b"http":
            return self._ways.in_the_open(self._proxy)
        return self._ways.endpointForURI(uri)


@implementer(IAgentEndpointFactory)
class JudgedWays:
    """Ways through a proxy, which looks names up itself: we look them up before."""

    def __init__(self, inner: IAgentEndpointFactory, reactor: Any, policy: AddressPolicy) -> None:
        self._inner = inner
        self._reactor = reactor
        self._policy = policy

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """The endpoint of *uri*."""
        endpoint = self._inner.endpointForURI(uri)
        judged = JudgedEndpoint(endpoint, self._reactor, self._policy, uri.host.decode("ascii"))
        return cast("IStreamClientEndpoint", judged)


@implementer(IAgent)
class ByScheme:
    """One agent for http, another for https."""

    def __init__(self, plain: IAgent, secure: IAgent) -> None:
        self._plain = plain
        self._secure = secure

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        """As `IAgent.request`."""
        secure = URI.fromBytes(uri).scheme == b"https"
        agent = self._secure if secure else self._plain
        return agent.request(method, uri, headers, bodyProducer)


@implementer(IAgent)
class ForProxy:
    """Tells the proxy who we are; only what goes to it in the open needs this."""

    def __init__(self, inner: IAgent, proxy: Proxy) -> None:
        self._inner = inner
        self._proxy = proxy

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        """As `IAgent.request`."""
        headers = headers.copy() if headers is not None else Headers()
        headers.removeHeader("Proxy-Authorization")
        if self._proxy.authorization is not None:
            headers.setRawHeaders("Proxy-Authorization", [self._proxy.authorization])
        return self._inner.request(method, uri, headers, bodyProducer)
