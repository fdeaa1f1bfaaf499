"""
The connections that everything is fetched over: wide reads, identity coding, a shared pool.

Twisted reads 64 KiB at a time; a transfer at full speed wants more.  treq asks for
gzip and decodes, which breaks ranges: the innermost agent asks for ``identity`` and
hides the answer's coding from the decoder under `CODING`, where the judge sees it.
"""

from __future__ import annotations

from typing import Any, cast

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, wrapClientTLS
from twisted.internet.interfaces import (
    IProtocol,
    IProtocolFactory,
    IStreamClientEndpoint,
)
from twisted.web.client import URI, Agent, BrowserLikePolicyForHTTPS, HTTPConnectionPool
from twisted.web.http_headers import Headers
from twisted.web.iweb import (
    IAgent,
    IAgentEndpointFactory,
    IBodyProducer,
    IPolicyForHTTPS,
    IResponse,
)
from zope.interface import implementer

from rangedaemon.client.diversion import divert
from rangedaemon.client.tlsreads import gather

READ_SIZE = 128 * 1024
"""Octets that one read of a socket may bring."""

CODING = "X-Rangedaemon-Content-Encoding"
"""Where an answer's Content-Encoding is kept out of treq's sight."""

IDLE_SECONDS = 30
"""How long an unused connection is kept."""


@implementer(IStreamClientEndpoint)
class WideEndpoint:
    """An endpoint whose connections read more at a time."""

    def __init__(self, inner: IStreamClientEndpoint) -> None:
        self._inner = inner

    def connect(self, factory: IProtocolFactory) -> Deferred[IProtocol]:
        """Connect, then widen the reads; a line in the log for each connection helps nobody."""
        factory.noisy = False  # type: ignore[attr-defined]
        return self._inner.connect(factory).addCallback(_widen)


def _widen(protocol: Any) -> IProtocol:
    divert(protocol)
    gather(protocol)
    transport = protocol.transport
    while transport is not None:
        if hasattr(transport, "bufferSize"):
            transport.bufferSize = READ_SIZE
        transport = getattr(transport, "transport", None)
    return cast("IProtocol", protocol)


@implementer(IAgentEndpointFactory)
class Endpoints:
    """Where a URI leads: TCP for http, TLS with a checked certificate for https."""

    def __init__(self, reactor: Any, policy: IPolicyForHTTPS, connect_timeout: float) -> None:
        self._reactor = reactor
        self._policy = policy
        self._timeout = connect_timeout

    def endpointForURI(self, uri: URI) -> IStreamClientEndpoint:  # noqa: N802
        """The endpoint of *uri*; names are looked up off the reactor thread."""
        host = uri.host.decode("ascii")
        endpoint: IStreamClientEndpoint = HostnameEndpoint(
            self._reactor, host, uri.port, timeout=self._timeout
        )
        if uri.scheme == b"https":
            endpoint = wrapClientTLS(self._policy.creatorForNetloc(uri.host, uri.port), endpoint)
        return cast("IStreamClientEndpoint", WideEndpoint(endpoint))


@implementer(IAgent)
class IdentityAgent:
    """Asks for no content coding, and takes what codings answers have out of sight."""

    def __init__(self, inner: IAgent) -> None:
        self._inner = inner

    def request(
        self,
        method: bytes,
        uri: bytes,
        headers: Headers | None = None,
        bodyProducer: IBodyProducer | None = None,  # noqa: N803
    ) -> Deferred[IResponse]:
        """As `IAgent.request`."""
        headers = headers.copy() if headers is not None else Headers()
        headers.setRawHeaders("Accept-Encoding", ["identity"])
        answer: Deferred[IResponse] = self._inner.request(method, uri, headers, bodyProducer)
        return answer.addCallback(_hide_coding)


def _hide_coding(response: IResponse) -> IResponse:
    codings = response.headers.getRawHeaders("Content-Encoding")
    if codings is not None:
        response.headers.removeHeader("Content-Encoding")
        response.headers.setRawHeaders(CODING, codings)
    return response


def build_agent(
    reactor: Any,
    *,
    connect_timeout: float,
    most_idle_per_host: int,
    policy: IPolicyForHTTPS | None = None,
) -> tuple[IAgent, HTTPConnectionPool]:
    """The agent for all transfers, and its pool (close the pool's connections at stop).

    :param connect_timeout: seconds.
    """
    pool = HTTPConnectionPool(reactor, persistent=True)
    pool.maxPersistentPerHost = most_idle_per_host
    pool.cachedConnectionTimeout = IDLE_SECONDS
    endpoints = Endpoints(reactor, policy or BrowserLikePolicyForHTTPS(), connect_timeout)
    agent = Agent.usingEndpointFactory(reactor, endpoints, pool=pool)
    return cast("IAgent", IdentityAgent(agent)), pool
